"""What the OpenAPI document promises, held against the running server by schemathesis."""

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from unicart.api.openapi import document

OPERATIONS = [found.ok() for found in schemathesis.openapi.from_dict(document()).get_all_operations()]  # type: ignore[union-attr]


UNTRIED = {
    # Endpoints with addresses of chance would be sent events.
    ("POST /webhooks", GenerationMode.POSITIVE),
    # It would take the shop away from all other tests.
    ("DELETE /connections", GenerationMode.POSITIVE),
    # Each would make a whole shop; its answer is judged below.
    ("POST /sandbox/generate-sandbox", GenerationMode.POSITIVE),
    ("POST /sandbox/generate-sandbox/cart", GenerationMode.POSITIVE),
    # There is nothing behind the sandbox that requests could be passed through to, and a 501 is taken for a failure.
    *(("POST /cart/passthrough", mode) for mode in GenerationMode),
    # Its body may be anything.
    ("POST /inbound/{connection_id}", GenerationMode.NEGATIVE),
}
UNTOLD = {
    # That one time is later than another.
    "POST /connections/on-demand-syncs",
    # What the platform needs besides, and what goes together.
    "POST /cart/orders/{order_id}/shipments",
    "POST /cart/orders/{order_id}/refund",
    "PUT /cart/products/{product_id}/adjust-inventory",
    "PUT /cart/products/batch-adjust-inventory",
    # Which numbers are whole cents.
    "POST /sandbox/simulate/cart/products",
    # What was made before.
    "POST /link/token",
    "POST /link/exchange",
    "POST /magic-links",
    # Which functions depend on each other.
    "PATCH /schedules/disabled-functions",
}
"""Operations of which no schema can tell whether they are accepted."""
CASES = [
    pytest.param(operation, mode, id=f"{operation.label} {mode.value}")
    for operation in OPERATIONS
    for mode in GenerationMode
    if (operation.label, mode) not in UNTRIED
    and (mode is GenerationMode.POSITIVE or operation.query or operation.path_parameters or operation.body)
]


@pytest.mark.parametrize(("operation", "mode"), CASES)
@settings(max_examples=60, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_every_answer_is_one_that_the_document_describes(
    data: st.DataObject, operation: Any, mode: GenerationMode, access: dict[str, Any], credentials: dict[str, str]
) -> None:
    case = data.draw(operation.as_strategy(generation_mode=mode))
    # A string for a list of one is a violation that no query string shows; test_grammar.py judges what is refused.
    unjudged: list[Any] = [negative_data_rejection]
    if "page_token" in (case.query or {}) or "Idempotency-Key" in (case.headers or {}) or operation.label in UNTOLD:
        # No schema can tell the tokens that we have signed from other text, or a key that was used before from a new one.
        unjudged.append(positive_data_acceptance)
    case.call_and_validate(base_url=access["base_url"], headers=credentials, excluded_checks=unjudged)


def test_a_generated_sandbox_is_what_the_document_describes(
    access: dict[str, Any], credentials: dict[str, str]
) -> None:
    (operation,) = [each for each in OPERATIONS if each.label == "POST /sandbox/generate-sandbox/cart"]
    operation.Case().call_and_validate(base_url=access["base_url"], headers=credentials)
