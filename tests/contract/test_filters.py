"""The filter grammar: what is declared is understood, anything else is named in a 422, and nothing else is raised."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unicart.contract.common import parse_date
from unicart.contract.errors import InvalidRequest
from unicart.contract.filters import FilterField, Kind, ListQuery, Operator
from unicart.contract.resources import ORDERS, RESOURCES, Resource

DECLARED = [
    pytest.param(resource, field, name, operator, id=f"{resource.name}-{name}")
    for resource in RESOURCES
    for field in resource.filters.fields
    for name, operator in field.parameters()
]
NAMES = sorted({name for resource in RESOURCES for field in resource.filters.fields for name, _ in field.parameters()})
EXAMPLES = sorted({field.example for resource in RESOURCES for field in resource.filters.fields})
ODD_VALUES = [
    "",
    ",",
    "a,,b",
    "\x00",
    "0",
    "1",
    "1000",
    "1001",
    "9" * 5000,
    "٣",
    "open",
    "null",
    "2022-03-10T13:00:00Z",
]
ANY_PAIRS = st.lists(
    st.tuples(
        st.sampled_from([*NAMES, "limit", "page_token"]) | st.text(max_size=20),
        st.sampled_from([*EXAMPLES, *ODD_VALUES]) | st.text(max_size=30),
    ),
    max_size=8,
)


def parse(*pairs: tuple[str, str]) -> ListQuery:
    return ORDERS.filters.parse(pairs)


def problems(*pairs: tuple[str, str]) -> dict[str, list[str]]:
    with pytest.raises(InvalidRequest) as raised:
        parse(*pairs)
    assert raised.value.location == "query"
    return raised.value.problems


def expected_values(field: FilterField, text: str) -> tuple[str | int, ...]:
    return (parse_date(text),) if field.kind is Kind.DATE else (text,)


@pytest.mark.parametrize(("resource", "field", "name", "operator"), DECLARED)
def test_every_declared_parameter_is_understood(
    resource: Resource, field: FilterField, name: str, operator: Operator
) -> None:
    text = field.example.partition(",")[0]
    (condition,) = resource.filters.parse([(name, text)]).conditions
    assert (condition.field, condition.operator) == (field, operator)
    assert condition.values == expected_values(field, text)


@pytest.mark.parametrize(("resource", "field", "name", "operator"), DECLARED)
def test_empty_value_is_refused(resource: Resource, field: FilterField, name: str, operator: Operator) -> None:
    with pytest.raises(InvalidRequest) as raised:
        resource.filters.parse([(name, "")])
    assert list(raised.value.problems) == [name]


@pytest.mark.parametrize(("resource", "field", "name", "operator"), DECLARED)
def test_several_values_are_for_list_operators_only(
    resource: Resource, field: FilterField, name: str, operator: Operator
) -> None:
    first = field.example.partition(",")[0]
    second = {Kind.DATE: "2022-03-12T00:00:00Z", Kind.ENUM: "cancelled"}.get(field.kind, "second")
    both = expected_values(field, first) + expected_values(field, second)
    repeated = [(name, first), (name, second)]
    if operator in (Operator.IN, Operator.NIN) or field.kind is Kind.TAGS:
        assert resource.filters.parse(repeated).conditions[0].values == both
        assert resource.filters.parse([(name, f"{first},{second}")]).conditions[0].values == both
    else:
        with pytest.raises(InvalidRequest, match="only once"):
            resource.filters.parse(repeated)


def test_list_parameters_take_a_hundred_values_and_count_each_once() -> None:
    hundred = ",".join(f"c{number}" for number in range(100))
    assert len(parse(("warehouse_customer_id[in]", hundred)).conditions[0].values) == 100
    assert len(parse(("warehouse_customer_id[in]", ",".join(["c1", "c2"] * 50))).conditions[0].values) == 2
    assert problems(("warehouse_customer_id[in]", f"{hundred},c100")) == {
        "warehouse_customer_id[in]": ["must hold at most 100 values, got 101"]
    }


@pytest.mark.parametrize("text", ["a,", ",a", "a,,b", ","])
def test_empty_member_of_a_list_is_refused(text: str) -> None:
    assert list(problems(("order_number[in]", text))) == ["order_number[in]"]
    assert list(problems(("ids[in]", text))) == ["ids[in]"]


def test_comma_outside_a_list_is_part_of_the_value() -> None:
    assert parse(("order_number", "A,1")).conditions[0].values == ("A,1",)


@pytest.mark.parametrize(
    "name", ["statuss", "created_date]", "Status", "limit[eq]", "ids", "page_token[in]", "\x00", ""]
)
def test_unknown_parameter_is_named(name: str) -> None:
    assert problems((name, "open")) == {name: ["is not a known parameter"]}


@pytest.mark.parametrize("name", ["status[gt]", "status[EQ]", "status[", "status[eq]]", "order_number[neq]"])
def test_unknown_operator_is_named_with_those_there_are(name: str) -> None:
    ((named, (message,)),) = problems((name, "open")).items()
    base = name.partition("[")[0]
    assert named == name
    assert f"{base}[in]" in message


@pytest.mark.parametrize("name", ["created_date", "updated_date", "trackstar_created_date", "trackstar_updated_date"])
@pytest.mark.parametrize(
    "text",
    [
        "2022-03-10",
        "2022-03-10T13:00:00",
        "2022-03-10T13:00:00+00:00",
        "2022-03-10T13:00:00.000Z",
        "2022-03-10 13:00:00Z",
        "2022-03-10t13:00:00z",
        "2022-02-30T00:00:00Z",
        "2022-03-10T24:00:00Z",
        "0000-01-01T00:00:00Z",
        "2022-03-10T13:00:00Z\n",
        "٢٠٢٢-03-10T13:00:00Z",
        "1646917200",
        "now",
    ],
)
def test_only_the_one_form_of_date_is_taken(name: str, text: str) -> None:
    assert list(problems((f"{name}[gt]", text))) == [f"{name}[gt]"]


@pytest.mark.parametrize("text", ["Open", "closed", "open ", "picked"])
def test_unknown_status_is_refused_with_the_known_ones(text: str) -> None:
    ((message,),) = problems(("status", text)).values()
    assert "partially_fulfilled" in message


@pytest.mark.parametrize("text", ["0", "1001", "-1", "1.0", "1e2", " 5", "5 ", "+5", "٥", "", "five", "00005"])
def test_limit_outside_1_to_1000_is_refused(text: str) -> None:
    assert list(problems(("limit", text))) == ["limit"]


@pytest.mark.parametrize("text", ["1", "7", "1000"])
def test_limit_is_taken_and_never_clamped(text: str) -> None:
    assert parse(("limit", text)).limit == int(text)


def test_nothing_given_means_the_first_thousand() -> None:
    assert parse() == ListQuery(limit=1000, page_token=None, ids=None, conditions=())


@given(ANY_PAIRS)
def test_with_ids_nothing_else_counts(pairs: list[tuple[str, str]]) -> None:
    pairs = [pair for pair in pairs if pair[0] != "ids[in]"]
    assert parse(*pairs, ("ids[in]", "a,b"), ("ids[in]", "c")) == ListQuery(ids=("a", "b", "c"))


def test_every_problem_is_reported_at_once() -> None:
    found = problems(("limit", "0"), ("status", "x"), ("nope", "1"), ("created_date[gt]", "x"), ("order_number", "1"))
    assert set(found) == {"limit", "status", "nope", "created_date[gt]"}


def test_conditions_keep_their_order_and_stand_beside_each_other() -> None:
    query = parse(
        ("created_date[gt]", "2022-03-10T00:00:00Z"),
        ("status[in]", "open,other"),
        ("created_date[lt]", "2022-03-22T00:00:00Z"),
        ("page_token", "token"),
    )
    assert [(c.field.name, c.operator) for c in query.conditions] == [
        ("created_date", Operator.GT),
        ("status", Operator.IN),
        ("created_date", Operator.LT),
    ]
    assert query.page_token == "token"


@pytest.mark.parametrize(
    "name", ["order_number", "order_number[in]", "warehouse_customer_id", "trackstar_tags[contains]"]
)
def test_nul_is_refused(name: str) -> None:
    """PostgreSQL's text cannot hold it."""
    assert list(problems((name, "a\x00b"))) == [name]


def test_nul_in_ids_is_refused() -> None:
    assert list(problems(("ids[in]", "a\x00b"))) == ["ids[in]"]


@given(ANY_PAIRS)
def test_any_query_is_understood_or_refused_by_name(pairs: list[tuple[str, str]]) -> None:
    for resource in RESOURCES:
        query, refused = outcome(resource, pairs)
        if refused is not None:
            assert set(refused.problems) <= {name for name, _ in pairs}
            assert refused.body().detail == {"query": refused.problems}
        elif query is not None and query.ids is None:
            assert {c.field.name for c in query.conditions} <= {name.partition("[")[0] for name, _ in pairs}
            assert 1 <= query.limit <= 1000


def outcome(resource: Resource, pairs: list[tuple[str, str]]) -> tuple[ListQuery | None, InvalidRequest | None]:
    try:
        return resource.filters.parse(pairs), None
    except InvalidRequest as refused:
        return None, refused
