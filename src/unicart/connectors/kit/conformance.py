"""The suite that every connector inherits: its folder, its facts, and what its fixtures map to.

    class TestAcme(ConnectorConformance):
        connector = AcmeConnector

It needs pytest and hypothesis, which Unicart itself does not.
"""
# ruff: noqa: S101

import ast
import copy
import importlib
import inspect
import json
import textwrap
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import hypothesis
import hypothesis.strategies as st
import msgspec
import pytest

from unicart.connectors.kit.connector import Connector, Credential, Hook
from unicart.connectors.kit.errors import BadAnswer, HookRefused, UnmappableRecord
from unicart.contract.common import encode
from unicart.contract.orders import Order, OrderStatus, Refund, unreconciled
from unicart.contract.products import Product
from unicart.contract.resources import BY_FUNCTION, Function, Record
from unicart.contract.writes import ALIASES, BASE_FIELDS, WriteFunction

FILES = frozenset(
    {
        "__init__.py",
        "facts.py",
        "auth.py",
        "client.py",
        "payloads.py",
        "mapping.py",
        "webhooks.py",
        "writes.py",
        "errors.py",
        "fixtures",
        "README.md",
    }
)
EXTRA_FILES = {"sandbox": frozenset({"generator.py"})}
"""The sandbox's folder also holds the platform itself."""

WRITE_METHODS = {
    WriteFunction.CREATE_SHIPMENT: "create_shipment",
    WriteFunction.REFUND_ORDER: "refund_order",
    WriteFunction.ADJUST_INVENTORY: "adjust_inventory",
}
METHODS = frozenset({"GENERATE", "GET", "POST", "PUT", "PATCH"})
REFUSALS = (UnmappableRecord, msgspec.ValidationError, msgspec.DecodeError, ValueError)
UNSEEN = "a state that no platform has"
HALF_OF_A_MILLIONTH = Decimal("0.0000005")
ODD_VALUES: tuple[Any, ...] = (
    None,
    "",
    "NaN",
    "-Infinity",
    "a\x00b",
    "0001-01-01T00:00:00+05:00",
    "9999-12-31T23:59:59-05:00",
    "2026-01-01T00:00:00",
    -1,
    0,
    10**40,
    1.5,
    [],
    {},
)
IMPURE_MODULES = frozenset(
    "asyncio httpx2 logging os pathlib random requests secrets socket subprocess time urllib.request uuid".split()
)
IMPURE_CALLS = frozenset({"now", "utcnow", "today", "open", "input", "print"})
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)


HOOK_METHODS = frozenset({"subscribe", "verify_hook", "read_hook"})
HOOKS = st.builds(
    Hook,
    headers=st.dictionaries(st.text(max_size=20).map(str.lower), st.text(max_size=40), max_size=4),
    body=st.binary(max_size=80) | JSON_VALUES.map(lambda value: json.dumps(value).encode()),
    path=st.text(max_size=20),
)


class _Request(msgspec.Struct, forbid_unknown_fields=True):
    method: str
    path: str
    body: Any = None


class _Response(msgspec.Struct, forbid_unknown_fields=True):
    status: int
    headers: dict[str, str]
    body: Any


class Fixture(msgspec.Struct, forbid_unknown_fields=True):
    """One recorded exchange, and the raw records that ``pull`` yields of it."""

    request: _Request
    response: _Response
    records: list[msgspec.Raw]


def folder_problems(folder: Path) -> list[str]:
    """What is missing in a connector's folder, or does not belong there; one sentence each."""
    expected = FILES | EXTRA_FILES.get(folder.name, frozenset())
    found = {entry.name for entry in folder.iterdir()} - {"__pycache__"}
    missing = [f"{folder.name}/{name} is missing" for name in sorted(expected - found)]
    return missing + [f"{folder.name}/{name} does not belong there" for name in sorted(found - expected)]


class ConnectorConformance:
    """Set ``connector``. Every function of its facts needs the fixture ``fixtures/<function>.json``."""

    connector: ClassVar[type[Connector]]
    does_not_add_up: ClassVar[frozenset[str]] = frozenset()
    """Ids of recorded orders whose figures do not add up on the platform itself. Say why beside each."""

    def folder(self) -> Path:
        """The folder in which the connector is written."""
        return Path(inspect.getfile(self.connector)).parent

    def fixture(self, function: Function) -> Fixture:
        """The recorded exchange of one function."""
        path = self.folder() / "fixtures" / f"{function.value}.json"
        return msgspec.json.decode(path.read_bytes(), type=Fixture)

    def raw_records(self) -> Iterator[tuple[Function, bytes]]:
        """Each raw record of every fixture."""
        for function in self.connector.facts.functions:
            for raw in self.fixture(function).records:
                yield function, bytes(raw)

    def mapped(self) -> Iterator[tuple[Function, Sequence[Record]]]:
        """What each raw record of every fixture maps to."""
        for function, raw in self.raw_records():
            yield function, self.connector.map(function, raw)

    def orders(self) -> list[Order]:
        """The orders of the fixtures."""
        return [record for _, records in self.mapped() for record in records if isinstance(record, Order)]

    def test_folder_has_the_one_shape(self) -> None:
        assert folder_problems(self.folder()) == []

    def test_package_names_the_connector(self) -> None:
        package = importlib.import_module(self.connector.__module__.rpartition(".")[0])
        assert package.CONNECTOR is self.connector

    def test_facts_are_complete(self) -> None:
        facts = self.connector.facts
        for name in ("name", "display_name", "description", "limits", "incremental"):
            assert getattr(facts, name).strip(), f"facts.{name} is empty"
        assert self.folder().name in (facts.name, f"unicart_{facts.name}")
        assert facts.functions, "no function"
        assert len(set(facts.functions)) == len(facts.functions)
        if facts.install_method != "none":
            assert facts.documentation or facts.hidden, "no link to the vendor's documentation"
            assert facts.credentials, "no credential"
        assert all(link.startswith("https://") for link in facts.documentation)

    def test_every_method_is_there(self) -> None:
        missing = sorted(getattr(self.connector, "__abstractmethods__", ()))
        assert missing == [], f"{self.connector.__name__} lacks {missing}"
        for name in ("map", "verify_hook", "read_hook"):
            assert isinstance(inspect.getattr_static(self.connector, name), classmethod), f"{name} is no classmethod"

    def test_webhooks_are_declared_exactly_when_they_are_handled(self) -> None:
        """All of subscribe, verify and read, or none of them."""
        handled = {name for name in HOOK_METHODS if _overrides(self.connector, name)}
        assert handled == (HOOK_METHODS if self.connector.facts.webhooks else set()), f"handled: {sorted(handled)}"

    def test_webhooks_know_no_clock_and_no_io(self) -> None:
        tree = ast.parse((self.folder() / "webhooks.py").read_text(encoding="utf-8"))
        assert sorted(_imports(tree) & IMPURE_MODULES) == []
        assert sorted(_calls(tree) & IMPURE_CALLS) == []
        for name in ("verify_hook", "read_hook"):
            method = ast.parse(textwrap.dedent(inspect.getsource(getattr(self.connector, name))))
            assert sorted(_calls(method) & IMPURE_CALLS) == [], f"{name} is not pure"
            assert sorted(_names(method) & IMPURE_MODULES) == [], f"{name} is not pure"

    def test_writes_are_declared_exactly_when_they_are_handled(self) -> None:
        handled = {function for function, name in WRITE_METHODS.items() if _overrides(self.connector, name)}
        declared = {write.function for write in self.connector.facts.writes} - {WriteFunction.PASSTHROUGH}
        assert handled == declared, f"handled: {sorted(handled)}, declared: {sorted(declared)}"

    def test_declared_writes_name_fields_that_there_are(self) -> None:
        for write in self.connector.facts.writes:
            base = {field.name for field in BASE_FIELDS.get(write.function, ())}
            named = [*write.required, *write.optional]
            assert len(set(named)) == len(named), f"{write.function}: a field is named twice"
            assert set(named) <= base, f"{write.function}: {sorted(set(named) - base)} are no base fields"
            assert set(write.values) <= set(named), f"{write.function}: values of a field that is not taken"
            specific = {field.name for field in write.specific} | set(ALIASES.get(write.function, {}))
            assert not specific & base, f"{write.function}: {sorted(specific & base)} are base fields"
            if write.function is WriteFunction.ADJUST_INVENTORY:
                assert {"quantity", "adjustment_type"} <= set(write.required)

    def test_writes_know_no_clock_and_no_io(self) -> None:
        tree = ast.parse((self.folder() / "writes.py").read_text(encoding="utf-8"))
        assert sorted(_imports(tree) & IMPURE_MODULES) == []
        assert sorted(_calls(tree) & IMPURE_CALLS) == []

    def test_unsigned_webhooks_are_refused(self) -> None:
        """Whatever it says: without the subscription's secret, nothing proves that the platform sent it."""
        credentials = {credential.name: "x" for credential in self.connector.facts.credentials}

        @_examples(60)
        @hypothesis.given(HOOKS)
        def refuses(hook: Hook) -> None:
            with pytest.raises(HookRefused):
                self.connector.verify_hook(credentials, {}, hook)

        refuses()

    def test_webhooks_of_any_body_are_read_or_refused(self) -> None:
        if not self.connector.facts.webhooks:
            return

        @_examples(120)
        @hypothesis.given(HOOKS)
        def reads(hook: Hook) -> None:
            try:
                hints = self.connector.read_hook(hook)
            except (BadAnswer, *REFUSALS):
                return
            assert list(hints) == list(self.connector.read_hook(hook))
            assert all(hint.id and hint.function in self.connector.facts.functions for hint in hints)

        reads()

    def test_credentials_can_be_asked_for(self) -> None:
        credentials = self.connector.facts.credentials
        assert len({credential.name for credential in credentials}) == len(credentials)
        for credential in credentials:
            assert _credential_problems(credential) == []

    def test_every_function_has_a_fixture_with_records(self) -> None:
        for function in self.connector.facts.functions:
            fixture = self.fixture(function)
            assert fixture.request.method in METHODS
            assert fixture.request.path
            assert 200 <= fixture.response.status < 300
            assert fixture.records, f"{function.value}.json has no records"

    def test_records_are_what_the_contract_says(self) -> None:
        for function, records in self.mapped():
            content = BY_FUNCTION[function].content
            for record in records:
                assert type(record) is content
                written = encode(record)
                read = msgspec.json.Decoder(content, float_hook=Decimal).decode(written)
                assert encode(read) == written
                assert _without_free_fields(read) == _without_free_fields(record)

    def test_every_record_maps_to_something(self) -> None:
        for function, raw in self.raw_records():
            assert self.connector.map(function, raw), raw

    def test_money_is_decimal(self) -> None:
        for _, records in self.mapped():
            for record in records:
                floats = [path for path, value in _leaves(record) if isinstance(value, float)]
                assert floats == [], f"{record.id}: floats at {floats}"

    def test_money_adds_up(self) -> None:
        for order in self.orders():
            if order.id in self.does_not_add_up:
                assert unreconciled(order) != 0, f"{order.id} adds up after all"
            else:
                assert unreconciled(order) == 0, f"{order.id} does not add up: off by {unreconciled(order)}"

    def test_amounts_per_unit_are_those_of_the_line(self) -> None:
        for order in self.orders():
            for line in order.line_items:
                for unit, total in ((line.discount, line.total_discount), (line.tax, line.total_tax)):
                    assert (unit is None) == (total is None), f"{order.id}: {line.line_item_id}"
                    if unit is not None and total is not None and line.quantity:
                        gap = abs(unit * line.quantity - total)
                        assert gap <= line.quantity * HALF_OF_A_MILLIONTH, f"{order.id}: {line.line_item_id}"

    def test_dates_are_utc_in_whole_seconds(self) -> None:
        for _, records in self.mapped():
            for record in records:
                for path, value in _leaves(record):
                    if isinstance(value, datetime):
                        assert value.utcoffset() == timedelta(0), f"{record.id}: {path} is not in UTC"
                        assert value.microsecond == 0, f"{record.id}: {path} has a fraction"

    def test_ids_can_be_keys(self) -> None:
        for function in self.connector.facts.functions:
            ids = [r.id for f, records in self.mapped() if f is function for r in records]
            assert all(ids), f"{function.value}: an empty id"
            assert not any("\x00" in id for id in ids), f"{function.value}: an id with a NUL"
            assert len(set(ids)) == len(ids), f"{function.value}: an id comes twice"

    def test_parts_of_an_order_have_unique_ids(self) -> None:
        for order in self.orders():
            for ids in (
                [line.line_item_id for line in order.line_items],
                [group.shipping_group_id for group in order.shipping_groups],
                [shipment.shipment_id for shipment in order.shipments],
            ):
                assert all(ids), f"{order.id}: an empty id in {ids}"
                assert len(set(ids)) == len(ids), f"{order.id}: an id comes twice in {ids}"

    def test_parts_refer_to_the_order(self) -> None:
        for order in self.orders():
            lines = {line.line_item_id for line in order.line_items}
            groups = {group.shipping_group_id for group in order.shipping_groups}
            used = {part.line_item_id for group in order.shipping_groups for part in group.line_items}
            used |= {part.line_item_id for refund in _refunds(order) for part in refund.line_items}
            assert used <= lines, f"{order.id}: unknown lines {used - lines}"
            assert {id for shipment in order.shipments for id in shipment.shipping_groups} <= groups, order.id
            assert all(line.quantity >= 0 for line in order.line_items), order.id

    def test_refunds_add_up(self) -> None:
        for order in self.orders():
            refunds = _refunds(order)
            if refunds:
                total = sum((refund.amount for refund in refunds), Decimal(0))
                assert order.additional_fields["total_refunded"] == total, order.id
                assert len({refund.refund_id for refund in refunds}) == len(refunds), order.id

    def test_variants_have_their_parent(self) -> None:
        products = {r.id: r for _, records in self.mapped() for r in records if isinstance(r, Product)}
        for product in products.values():
            parent = products.get(product.parent_product_id)
            assert parent is not None, f"{product.id}: its parent {product.parent_product_id} is missing"
            assert parent.parent_product_id == parent.id, f"{product.id}: its parent is a variant"

    def with_unseen_states(self, raw: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The raw order with a word that the platform never sends, once in each top-level field called like a state."""
        for name, value in raw.items():
            if isinstance(value, str) and name.lower().endswith(("status", "state")):
                yield {**raw, name: UNSEEN}

    def test_unknown_state_is_other(self) -> None:
        if Function.GET_ORDERS not in self.connector.facts.functions:
            pytest.skip("the platform has no orders")
        statuses = set()
        for raw in self.fixture(Function.GET_ORDERS).records:
            for changed in self.with_unseen_states(json.loads(bytes(raw))):
                (order,) = self.connector.map(Function.GET_ORDERS, json.dumps(changed).encode())
                assert isinstance(order, Order)
                statuses.add(order.status)
        assert OrderStatus.OTHER in statuses, "no unknown state leads to the status other"

    def test_mapping_gives_the_same_bytes_again(self) -> None:
        first = [encode(records) for _, records in self.mapped()]
        backwards = list(self.raw_records())[::-1]
        again = [encode(self.connector.map(function, raw)) for function, raw in backwards]
        assert again[::-1] == first

    def test_mapping_knows_no_clock_and_no_io(self) -> None:
        tree = ast.parse((self.folder() / "mapping.py").read_text(encoding="utf-8"))
        assert sorted(_imports(tree) & IMPURE_MODULES) == []
        assert sorted(_calls(tree) & IMPURE_CALLS) == []

    def test_other_bytes_are_refused(self) -> None:
        @_examples(60)
        @hypothesis.given(st.binary(max_size=80))
        def refuses(raw: bytes) -> None:
            for function in self.connector.facts.functions:
                _map_or_refuse(self.connector, function, raw)

        refuses()

    def test_wrong_values_are_refused_or_mapped(self) -> None:
        """One value anywhere in a recorded record is replaced by any other JSON value."""
        samples = [(function, json.loads(raw)) for function, raw in self.raw_records()]
        if not samples:
            return

        @_examples(250)
        @hypothesis.given(st.data(), JSON_VALUES)
        def refuses(data: st.DataObject, value: Any) -> None:
            function, sample = data.draw(st.sampled_from(samples))
            path = data.draw(st.sampled_from(list(_paths(sample))))
            _map_or_refuse(self.connector, function, json.dumps(_replaced(sample, path, value)).encode())

        refuses()

    def test_odd_values_are_refused_or_mapped(self) -> None:
        """Each field of the longest record is left out, and replaced by each of `ODD_VALUES`."""
        for function in self.connector.facts.functions:
            record = json.loads(bytes(max(self.fixture(function).records[:50], key=lambda raw: len(bytes(raw)))))
            for path in list(_paths(record))[1:300]:
                for value in (_ABSENT, *ODD_VALUES):
                    _map_or_refuse(self.connector, function, json.dumps(_replaced(record, path, value)).encode())


_ABSENT = object()


def _examples(count: int) -> hypothesis.settings:
    return hypothesis.settings(
        max_examples=count,
        deadline=None,
        database=None,
        derandomize=True,
        report_multiple_bugs=False,
        suppress_health_check=list(hypothesis.HealthCheck),
    )


def _map_or_refuse(connector: type[Connector], function: Function, raw: bytes) -> None:
    """Anything but a sound record or one of the refusals that the engine understands is a failure."""
    try:
        records = connector.map(function, raw)
    except REFUSALS:
        return
    except Exception as error:
        raise AssertionError(f"{error!r} is no refusal that the engine understands, for {raw[:2000]!r}") from error
    for record in records:
        assert type(record) is BY_FUNCTION[function].content
        try:
            msgspec.json.decode(encode(record), type=type(record))
        except msgspec.DecodeError as error:
            raise AssertionError(f"{error}: no such record may be served, for {raw[:2000]!r}") from error


def _credential_problems(credential: Credential) -> list[str]:
    problems = []
    if not credential.name.isidentifier() or credential.name != credential.name.lower():
        problems.append(f"{credential.name} is not snake_case")
    if not credential.label.strip():
        problems.append(f"{credential.name} has no label")
    if not credential.help.strip():
        problems.append(f"{credential.name} has no help")
    if credential.required and credential.default is not None:
        problems.append(f"{credential.name} is required and has a default")
    if credential.kind == "secret" and credential.default is not None:
        problems.append(f"{credential.name} is a secret with a default")
    return problems


def _refunds(order: Order) -> list[Refund]:
    refunds: list[Refund] = order.additional_fields.get("refunds", [])
    assert all(isinstance(refund, Refund) for refund in refunds), f"{order.id}: refunds are not contract.orders.Refund"
    return refunds


def _without_free_fields(record: Record) -> Record:
    return msgspec.structs.replace(record, additional_fields={})


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, msgspec.Struct):
        value = {name: getattr(value, name) for name in value.__struct_fields__}
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _leaves(inner, f"{path}.{name}")
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from _leaves(inner, f"{path}[{index}]")
    else:
        yield path.lstrip("."), value


def _paths(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield from _paths(each, (*path, key))


def _replaced(record: Any, path: tuple[str | int, ...], value: Any) -> Any:
    if not path:
        return value
    changed = copy.deepcopy(record)
    holder = changed
    for key in path[:-1]:
        holder = holder[key]
    if value is _ABSENT:
        del holder[path[-1]]
    else:
        holder[path[-1]] = value
    return changed


def _overrides(connector: type[Connector], name: str) -> bool:
    return any(name in kind.__dict__ for kind in connector.__mro__[: connector.__mro__.index(Connector)])


def _names(tree: ast.Module) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def _imports(tree: ast.Module) -> set[str]:
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    return names | {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}


def _calls(tree: ast.Module) -> set[str]:
    called = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    names = {function.id for function in called if isinstance(function, ast.Name)}
    return names | {function.attr for function in called if isinstance(function, ast.Attribute)}
