"""Every filter of the order list with every operator, and values for them."""

import random
from typing import Any

from unicart.contract.filters import FilterField, Kind, Operator
from unicart.contract.resources import ORDERS

SHAPES = [(field, operator) for field in ORDERS.filters.fields for operator in field.operators]


def condition(
    generator: random.Random, documents: dict[str, Any], field: FilterField, operator: Operator
) -> tuple[str, str]:
    """A filter whose values are taken from the records, so that it selects something."""
    count = generator.randrange(1, 4) if field.takes_list(operator) else 1
    if field.kind is Kind.TAGS:
        values = generator.sample(["hot", "team:1", "team:2", "no such tag"], count)
    elif operator in (Operator.CONTAINS, Operator.NOT_CONTAINS):
        values = [generator.choice(["1", "99", "#10", "no such part"])]
    else:
        some = generator.sample(list(documents.values()), count)
        values = list(dict.fromkeys(document[field.name] or "ada" for document in some))
    return f"{field.name}[{operator.value}]", ",".join(values)
