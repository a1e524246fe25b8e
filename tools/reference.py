"""Write docs/filters.md and docs/schema.md from the contract's declarations; ``--check`` only compares."""

import inspect
import sys
import types
import typing
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

import msgspec

from unicart.contract import common, orders, products, warehouses
from unicart.contract.filters import MAX_VALUES, FilterField
from unicart.contract.resources import RESOURCES

DOCS = Path(__file__).parent.parent / "docs"
STRUCTS: tuple[type[msgspec.Struct], ...] = (
    orders.CartOrder,
    orders.LineItem,
    orders.Shipment,
    orders.ShipmentLineItem,
    orders.ShippingGroup,
    orders.ShippingGroupLineItem,
    common.Address,
    orders.Refund,
    orders.RefundLineItem,
    products.CartProduct,
    products.Measurements,
    warehouses.CartWarehouse,
)
NAMES = {str: "string", int: "integer", bool: "boolean", Decimal: "number", type(None): "null", Any: "any"}


def filters() -> str:
    """The page on filters."""
    lines = [
        "# Filters",
        "",
        "A filter is `field=value` or `field[operator]=value`; a bare field means `eq`. All filters of a request must hold. A",
        "parameter or operator that is not listed here is a 422 that names it.",
        "",
        "| operator | keeps a record whose value is |",
        "|---|---|",
        "| `eq`, `neq` | equal, not equal (null counts as not equal) |",
        "| `gt`, `gte`, `lt`, `lte` | later, at or later, earlier, at or earlier |",
        f"| `in`, `nin` | one, none of up to {MAX_VALUES} values, comma-separated or repeated (`nin` keeps null) |",
        "| `contains`, `not_contains` | text with, without this part; tags: with all of these, with none of these |",
        "",
        "Dates are `YYYY-MM-DDTHH:MM:SSZ`, UTC. Besides filters, lists take `limit` (1 to 1000, default 1000), `page_token`, and",
        f"`ids[in]` (up to {MAX_VALUES} ids; every other parameter is then ignored).",
        "",
        "**Order of results.** With a lower bound (`gt`, `gte`, `eq`, `in`) on `updated_date` or `trackstar_updated_date` and none on",
        "`created_date`, the walk is in that date's order, so that a record which changes while you walk comes again at the end;",
        "otherwise it is in `created_date` order. Ties go by `id`. To poll for changes, ask for `trackstar_updated_date[gte]=` the",
        "latest value you have seen.",
    ]
    for resource in RESOURCES:
        lines += ["", f"## {resource.path}", "", "| field | operators | meaning |", "|---|---|---|"]
        lines += [_filter_row(field) for field in resource.filters.fields]
    return "\n".join(lines) + "\n"


def _filter_row(field: FilterField) -> str:
    operators = ", ".join(f"`{operator.value}`" for operator in field.operators)
    values = f" One of: {', '.join(field.values)}." if field.values else ""
    return f"| `{field.name}` | {operators} | {field.description}{values} Example: `{field.example}` |"


def schema() -> str:
    """The page on records."""
    lines = [
        "# Records",
        "",
        "Every field is always present, null where unknown. Money is a decimal number, exactly as the platform says it; dates are",
        "`YYYY-MM-DDTHH:MM:SSZ`, UTC.",
    ]
    for struct in STRUCTS:
        lines += ["", f"## {struct.__name__}", ""]
        base = next((parent for parent in struct.__mro__[1:] if parent.__doc__ and parent is not msgspec.Struct), None)
        notes = [inspect.getdoc(struct) or ""]
        if base is not None and base is not msgspec.Struct and issubclass(base, msgspec.Struct):
            notes.append(inspect.getdoc(base) or "")
        lines += [note.replace("``", "`") + "\n" for note in notes]
        lines += ["| field | type |", "|---|---|"]
        lines += [
            f"| `{name}` | {_type_name(hint)} |"
            for name, hint in typing.get_type_hints(struct).items()
            if name in struct.__struct_fields__
        ]
    return "\n".join(lines) + "\n"


def _type_name(hint: Any) -> str:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return " or ".join(_type_name(argument) for argument in arguments)
    if origin is list:
        return f"list of {_type_name(arguments[0])}"
    if origin is dict:
        return f"object of {_type_name(arguments[1])}"
    if isinstance(hint, type) and issubclass(hint, Enum):
        return " \\| ".join(f"`{member.value}`" for member in hint)
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return f"[{hint.__name__}](#{hint.__name__.lower()})"
    return NAMES.get(hint, "date")


def main() -> None:
    """Write the pages, or with ``--check`` end with status 1 if one is not up to date."""
    stale = []
    for name, text in {"filters.md": filters(), "schema.md": schema()}.items():
        path = DOCS / name
        if "--check" in sys.argv:
            if not path.exists() or path.read_text() != text:
                stale.append(name)
        else:
            path.write_text(text)
    if stale:
        sys.exit(f"Not up to date: {', '.join(stale)}. Run: python tools/reference.py")


if __name__ == "__main__":
    main()
