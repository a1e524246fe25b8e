"""What the connector asks, against Shopify's own schema."""

import pytest
from graphql import NoDeprecatedCustomRule, build_schema, parse, specified_rules, validate

from connectors.shopify.queries import excerpt, texts
from connectors.shopify.shop import EXCERPT, specification, vendors_schema

needs_specification = pytest.mark.skipif(
    not specification().exists(), reason="Shopify's introspection result is not in shared/specs beside the repository"
)
TEXTS = texts()


def test_no_query_is_forgotten() -> None:
    assert len(TEXTS) >= 30
    assert sum(text.startswith("mutation") for text in TEXTS.values()) == 9


@pytest.mark.parametrize("name", TEXTS)
def test_every_query_is_valid_by_the_excerpt(name: str) -> None:
    assert validate(build_schema(EXCERPT.read_text()), parse(TEXTS[name])) == []


@needs_specification
@pytest.mark.parametrize("name", TEXTS)
def test_every_query_is_valid_by_shopifys_schema_and_uses_nothing_that_is_deprecated(name: str) -> None:
    assert validate(vendors_schema(), parse(TEXTS[name]), [*specified_rules, NoDeprecatedCustomRule]) == []


@needs_specification
def test_the_excerpt_is_of_shopifys_schema() -> None:
    assert EXCERPT.read_text() == excerpt()


def test_bulk_operations_keep_to_their_limits() -> None:
    """At most five connections, two levels of nested ones, none in a list; no variables."""
    text = TEXTS["bulk"]
    assert text.count("edges") == 5
    assert "$" not in text
    assert "fulfillments { id }" in text
    assert "refunds { id }" in text
