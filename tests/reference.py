"""What a list must return, by the plainest reading of the contract: filter everything, sort, cut."""

from typing import Any

Params = list[tuple[str, str]]


def expected_ids(documents: dict[str, Any], parameters: Params) -> list[str]:
    """The ids that ``parameters`` (field[operator], comma-separated values) select, in the order of a walk."""
    chosen = [document for document in documents.values() if all(_meets(document, *p) for p in parameters)]
    field = sort_field(parameters)
    return [document["id"] for document in sorted(chosen, key=lambda document: (document[field], document["id"]))]


def sort_field(parameters: Params) -> str:
    lower = {name.partition("[")[0] for name, _ in parameters if _operator(name) in ("gt", "gte", "eq", "in")}
    if "created_date" in lower:
        return "created_date"
    return next((name for name in ("updated_date", "trackstar_updated_date") if name in lower), "created_date")


def _operator(name: str) -> str:
    return name.partition("[")[2].rstrip("]") or "eq"


def _meets(document: dict[str, Any], name: str, text: str) -> bool:
    field, operator = name.partition("[")[0], _operator(name)
    values = text.split(",")
    if field == "trackstar_tags":
        tags = {tag if isinstance(tag, str) else ":".join(next(iter(tag.items()))) for tag in document[field]}
        carried = [value in tags for value in values]
        return all(carried) if operator == "contains" else not any(carried)
    held = document[field]
    if operator in ("gt", "gte", "lt", "lte"):
        return bool({"gt": held > text, "gte": held >= text, "lt": held < text, "lte": held <= text}[operator])
    compared: dict[str, bool] = {
        "eq": held == text,
        "neq": held != text,
        "in": held in values,
        "nin": held not in values,
        "contains": text in (held or ""),
        "not_contains": text not in (held or ""),
    }
    return compared[operator]
