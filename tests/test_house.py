"""Rules of the house that no linter knows."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "unicart"
NEAR_MONEY = sorted([*SOURCE.glob("contract/*.py"), *SOURCE.glob("store/*.py"), *SOURCE.glob("connectors/*/*.py")])
NOT_MONEY = {
    "http.py": "seconds to wait",
    "throttle.py": "seconds and requests a second",
    "errors.py": "seconds to wait",
    "conformance.py": "a float among the odd values that mappings are tried with",
}


@pytest.mark.parametrize("path", NEAR_MONEY, ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_float_is_near_money(path: Path) -> None:
    if path.parent.name == "kit" and path.name in NOT_MONEY:
        return
    for node in ast.walk(ast.parse(path.read_text())):
        assert not (isinstance(node, ast.Name) and node.id == "float"), f"line {node.lineno}: use Decimal"
        assert not (isinstance(node, ast.Constant) and isinstance(node.value, float)), (
            f"line {node.lineno}: use Decimal"
        )
