"""Any mixture of good and bad parameters: the bad ones are named, all of them and no other."""

from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from unicart.contract.filters import FilterField, Kind, Operator
from unicart.contract.resources import ORDERS, PRODUCTS, WAREHOUSES, Resource

DATES = st.datetimes().map(lambda moment: f"{moment:%Y-%m-%dT%H:%M:%SZ}".rjust(20, "0"))
TEXTS = st.text(st.characters(exclude_characters=",\x00", exclude_categories=["Cs"]), min_size=1, max_size=12)

Parameter = tuple[str, str, bool]


def _values(field: FilterField, operator: Operator) -> st.SearchStrategy[str]:
    one = {Kind.DATE: DATES, Kind.ENUM: st.sampled_from(field.values or [""])}.get(field.kind, TEXTS)
    if field.takes_list(operator):
        return st.lists(one, min_size=1, max_size=4).map(",".join)
    return one


def _good(resource: Resource) -> st.SearchStrategy[Parameter]:
    declared = [(f, name, operator) for f in resource.filters.fields for name, operator in f.parameters()]
    filters = st.sampled_from(declared).flatmap(
        lambda choice: _values(choice[0], choice[2]).map(lambda value: (choice[1], value, True))
    )
    return filters | st.integers(1, 1000).map(lambda limit: ("limit", str(limit), True))


def _bad(resource: Resource) -> st.SearchStrategy[Parameter]:
    known = {name for field in resource.filters.fields for name, _ in field.parameters()}
    known |= {"limit", "page_token", "ids[in]"}
    checked = [
        name
        for field in resource.filters.fields
        if field.kind in (Kind.DATE, Kind.ENUM)
        for name, _ in field.parameters()
    ]
    nonsense = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
    return st.one_of(
        st.tuples(nonsense.filter(lambda name: name not in known), nonsense, st.just(False)),
        st.tuples(st.sampled_from([*checked, "limit"]), nonsense.map(lambda text: f"?{text}"), st.just(False)),
        st.tuples(st.sampled_from(sorted(known - {"ids[in]"})), st.just(""), st.just(False)),
    )


def _parameters(resource: Resource) -> st.SearchStrategy[list[Parameter]]:
    return st.lists(_good(resource) | _bad(resource), max_size=6, unique_by=lambda parameter: parameter[0])


@pytest.mark.parametrize("resource", [ORDERS, PRODUCTS, WAREHOUSES], ids=lambda resource: resource.name)
@settings(
    max_examples=150, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_bad_parameters_are_named_and_good_ones_are_not(
    data: st.DataObject, resource: Resource, access: dict[str, Any], http: httpx2.Client
) -> None:
    parameters = data.draw(_parameters(resource))
    answer = http.get(resource.path, params=[(name, value) for name, value, _ in parameters])
    bad = {name for name, _, good in parameters if not good}
    assert answer.status_code == (422 if bad else 200), answer.text
    if bad:
        assert set(answer.json()["detail"]["query"]) == bad
