"""The inherited suite catches what it promises to catch: each connector here is broken in one way."""

import json
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest

from unicart.connectors import sandbox
from unicart.connectors.kit import Credential, Facts, Hint, Hook, HookRefused
from unicart.connectors.kit.conformance import ConnectorConformance, _map_or_refuse
from unicart.connectors.sandbox.client import SandboxConnector
from unicart.contract.orders import Order, OrderStatus
from unicart.contract.products import Product
from unicart.contract.resources import Function, Record

Change = Callable[[Record], Record]


def suite(connector: type[SandboxConnector], folder: Path = Path(sandbox.__file__).parent) -> ConnectorConformance:
    class Suite(ConnectorConformance):
        def folder(self) -> Path:
            return folder

    Suite.connector = connector
    return Suite()


def mapping_otherwise(change: Change) -> type[SandboxConnector]:
    class Otherwise(SandboxConnector):
        @classmethod
        def map(cls, function: Function, raw: bytes) -> Sequence[Record]:
            return [change(record) for record in super().map(function, raw)]

    return Otherwise


def with_facts(**changes: Any) -> type[SandboxConnector]:
    class Otherwise(SandboxConnector):
        facts: ClassVar[Facts] = msgspec.structs.replace(SandboxConnector.facts, **changes)

    return Otherwise


def replaced(kind: type[Record], **fields: Any) -> Change:
    return lambda record: msgspec.structs.replace(record, **fields) if isinstance(record, kind) else record


def first_line(**fields: Any) -> Change:
    def change(record: Record) -> Record:
        if not isinstance(record, Order):
            return record
        lines = [msgspec.structs.replace(record.line_items[0], **fields), *record.line_items[1:]]
        return msgspec.structs.replace(record, line_items=lines)

    return change


def doubled_lines(record: Record) -> Record:
    if not isinstance(record, Order):
        return record
    return msgspec.structs.replace(record, line_items=[*record.line_items, record.line_items[0]])


def no_other(record: Record) -> Record:
    if isinstance(record, Order) and record.status is OrderStatus.OTHER:
        return msgspec.structs.replace(record, status=OrderStatus.OPEN)
    return record


BROKEN = [
    ("test_money_adds_up", replaced(Order, total_price=Decimal("0.01"))),
    ("test_money_is_decimal", replaced(Order, additional_fields={"fee": 0.5})),
    ("test_amounts_per_unit_are_those_of_the_line", first_line(tax=Decimal(7), total_tax=Decimal(8))),
    ("test_amounts_per_unit_are_those_of_the_line", first_line(total_discount=None)),
    ("test_ids_can_be_keys", replaced(Order, id="same")),
    ("test_ids_can_be_keys", replaced(Product, id="")),
    ("test_ids_can_be_keys", replaced(Product, id="a\x00b")),
    ("test_parts_of_an_order_have_unique_ids", doubled_lines),
    ("test_parts_refer_to_the_order", replaced(Order, line_items=[])),
    ("test_parts_refer_to_the_order", first_line(quantity=-1)),
    ("test_variants_have_their_parent", replaced(Product, parent_product_id="elsewhere")),
    ("test_refunds_add_up", replaced(Order, additional_fields={"refunds": [{"amount": 1}]})),
    ("test_unknown_state_is_other", no_other),
]


@pytest.mark.parametrize(
    ("test", "change"), BROKEN, ids=[f"{number}-{test}" for number, (test, _) in enumerate(BROKEN)]
)
def test_broken_mapping_fails(test: str, change: Change) -> None:
    getattr(suite(SandboxConnector), test)()
    with pytest.raises(AssertionError):
        getattr(suite(mapping_otherwise(change)), test)()


def test_wrong_record_type_fails() -> None:
    class Otherwise(SandboxConnector):
        @classmethod
        def map(cls, function: Function, raw: bytes) -> Sequence[Record]:
            return super().map(Function.GET_WAREHOUSES, raw) if function is Function.GET_WAREHOUSES else []

    with pytest.raises(AssertionError):
        suite(Otherwise).test_every_record_maps_to_something()


class Hooked(SandboxConnector):
    """Webhooks as they ought to be."""

    facts: ClassVar[Facts] = msgspec.structs.replace(SandboxConnector.facts, webhooks=True)

    async def subscribe(self, url: str) -> dict[str, str]:
        return {"secret": "s"}

    @classmethod
    def verify_hook(cls, credentials: Mapping[str, str], subscription: Mapping[str, str], hook: Hook) -> None:
        if not subscription.get("secret") or hook.headers.get("signature") != subscription["secret"]:
            raise HookRefused("The signature is wrong.")

    @classmethod
    def read_hook(cls, hook: Hook) -> Sequence[Hint]:
        ids = msgspec.json.decode(hook.body, type=list[str])
        return [Hint(function=Function.GET_ORDERS, id=id) for id in ids if id]


HOOK_TESTS = (
    "test_every_method_is_there",
    "test_webhooks_are_declared_exactly_when_they_are_handled",
    "test_webhooks_know_no_clock_and_no_io",
    "test_unsigned_webhooks_are_refused",
    "test_webhooks_of_any_body_are_read_or_refused",
)


@pytest.mark.parametrize("test", HOOK_TESTS)
def test_webhooks_as_they_ought_to_be_pass(test: str) -> None:
    getattr(suite(Hooked), test)()


def test_connector_without_fetch_fails() -> None:
    class Otherwise(SandboxConnector):
        fetch = abstractmethod(SandboxConnector.fetch)

    with pytest.raises(AssertionError, match="lacks"):
        suite(Otherwise).test_every_method_is_there()


def test_webhooks_that_are_not_declared_or_not_handled_fail() -> None:
    class Undeclared(Hooked):
        facts: ClassVar[Facts] = SandboxConnector.facts

    for connector in (Undeclared, with_facts(webhooks=True)):
        with pytest.raises(AssertionError, match="handled"):
            suite(connector).test_webhooks_are_declared_exactly_when_they_are_handled()


def test_hook_that_is_believed_unsigned_fails() -> None:
    class Otherwise(Hooked):
        @classmethod
        def verify_hook(cls, credentials: Mapping[str, str], subscription: Mapping[str, str], hook: Hook) -> None:
            if hook.headers.get("signature") != subscription.get("secret"):
                raise HookRefused("The signature is wrong.")

    with pytest.raises(pytest.fail.Exception):
        suite(Otherwise).test_unsigned_webhooks_are_refused()


def test_hook_of_a_function_that_the_platform_lacks_fails() -> None:
    class Otherwise(Hooked):
        facts: ClassVar[Facts] = msgspec.structs.replace(Hooked.facts, functions=(Function.GET_PRODUCTS,))

        @classmethod
        def read_hook(cls, hook: Hook) -> Sequence[Hint]:
            return [Hint(function=Function.GET_ORDERS, id="1")]

    with pytest.raises(AssertionError):
        suite(Otherwise).test_webhooks_of_any_body_are_read_or_refused()


def test_hook_that_fails_otherwise_than_the_engine_understands_fails() -> None:
    class Otherwise(Hooked):
        @classmethod
        def read_hook(cls, hook: Hook) -> Sequence[Hint]:
            raise KeyError("order")

    with pytest.raises(KeyError):
        suite(Otherwise).test_webhooks_of_any_body_are_read_or_refused()


def test_hook_with_a_clock_fails(tmp_path: Path) -> None:
    class Otherwise(Hooked):
        @classmethod
        def verify_hook(cls, credentials: Mapping[str, str], subscription: Mapping[str, str], hook: Hook) -> None:
            raise HookRefused(str(datetime.now(UTC)))

    with pytest.raises(AssertionError):
        suite(Otherwise).test_webhooks_know_no_clock_and_no_io()
    (tmp_path / "webhooks.py").write_text("import time")
    with pytest.raises(AssertionError):
        suite(Hooked, tmp_path).test_webhooks_know_no_clock_and_no_io()


def test_mapping_that_remembers_fails() -> None:
    class Otherwise(SandboxConnector):
        calls = 0

        @classmethod
        def map(cls, function: Function, raw: bytes) -> Sequence[Record]:
            cls.calls += 1
            return [
                msgspec.structs.replace(record, additional_fields={"n": cls.calls})
                for record in super().map(function, raw)
            ]

    with pytest.raises(AssertionError):
        suite(Otherwise).test_mapping_gives_the_same_bytes_again()


@pytest.mark.parametrize("error", [KeyError("status"), TypeError("None"), ZeroDivisionError(), AttributeError("x")])
def test_error_that_the_engine_does_not_understand_fails(error: Exception) -> None:
    class Otherwise(SandboxConnector):
        @classmethod
        def map(cls, function: Function, raw: bytes) -> Sequence[Record]:
            try:
                return super().map(function, raw)
            except msgspec.DecodeError:
                raise error from None

    for test in ("test_other_bytes_are_refused", "test_odd_values_are_refused_or_mapped"):
        with pytest.raises(AssertionError, match="no refusal that the engine understands"):
            getattr(suite(Otherwise), test)()


@pytest.mark.parametrize(
    "source", ["import time", "from datetime import datetime\ndatetime.now()", "import httpx2", "open('x')"]
)
def test_mapping_with_a_clock_or_io_fails(source: str, tmp_path: Path) -> None:
    (tmp_path / "mapping.py").write_text(source)
    with pytest.raises(AssertionError):
        suite(SandboxConnector, tmp_path).test_mapping_knows_no_clock_and_no_io()


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "other"},
        {"limits": " "},
        {"functions": ()},
        {"functions": (Function.GET_ORDERS, Function.GET_ORDERS)},
        {"install_method": "input"},
        {"documentation": ("http://vendor.example",)},
    ],
    ids=str,
)
def test_incomplete_facts_fail(changes: dict[str, Any]) -> None:
    with pytest.raises(AssertionError):
        suite(with_facts(**changes)).test_facts_are_complete()


@pytest.mark.parametrize(
    "credential",
    [
        Credential(name="apiKey", label="Key", help="Where to find it."),
        Credential(name="key", label="", help="Where to find it."),
        Credential(name="key", label="Key", help=" "),
        Credential(name="key", label="Key", help="Where to find it.", default="x"),
        Credential(name="key", label="Key", help="Where to find it.", kind="secret", required=False, default="x"),
    ],
    ids=str,
)
def test_credential_that_cannot_be_asked_for_fails(credential: Credential) -> None:
    with pytest.raises(AssertionError):
        suite(with_facts(credentials=(credential,))).test_credentials_can_be_asked_for()


@pytest.mark.parametrize(
    "fixture",
    [
        {},
        {
            "request": {"method": "GET", "path": "/"},
            "response": {"status": 200, "headers": {}, "body": None},
            "records": [],
        },
        {
            "request": {"method": "GET", "path": "/"},
            "response": {"status": 500, "headers": {}, "body": None},
            "records": [1],
        },
    ],
    ids=["empty", "no records", "a failure"],
)
def test_fixture_without_a_recorded_success_fails(fixture: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "fixtures").mkdir()
    for function in Function:
        (tmp_path / "fixtures" / f"{function.value}.json").write_text(json.dumps(fixture))
    with pytest.raises((AssertionError, msgspec.ValidationError)):
        suite(SandboxConnector, tmp_path).test_every_function_has_a_fixture_with_records()


def test_missing_fixture_fails(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        suite(SandboxConnector, tmp_path).test_every_function_has_a_fixture_with_records()


def test_record_that_is_no_json_fails() -> None:
    poisoned = mapping_otherwise(replaced(Order, additional_fields={"rate": Decimal("NaN")}))
    raw = next(raw for function, raw in suite(SandboxConnector).raw_records() if function is Function.GET_ORDERS)
    with pytest.raises(AssertionError, match="no such record may be served"):
        _map_or_refuse(poisoned, Function.GET_ORDERS, raw)
