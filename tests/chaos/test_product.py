"""The product serves what the hostile platform holds, on its good days."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

from chaos.faults import CALM
from chaos.platform import Platform
from product import Unicart
from unicart.contract.common import encode
from unicart.contract.resources import Record


def written(record: Record) -> dict[str, Any]:
    """A record as JSON tells it."""
    found: dict[str, Any] = json.loads(encode(record), parse_float=Decimal)
    return found


def test_a_calm_platform_is_served_digit_for_digit(tmp_path: Path, fresh_url: str) -> None:
    unicart = Unicart(tmp_path / "data", fresh_url)
    with Platform(seed=11, orders=300, products=15, rates=CALM) as platform:
        unicart.connect(
            "hostile", *(f"--{name.replace('_', '-')}={value}" for name, value in platform.credentials.items())
        )
        pulled = unicart.sync()
        assert pulled["get_orders"] >= 300
        for _ in range(60):
            platform.change()
        platform.calm()
        unicart.sync()
        expected = platform.expected()
    with unicart.serving():
        for path, records in (
            ("orders", {**expected.orders}),
            ("products", {**expected.products}),
            ("warehouses", {**expected.warehouses}),
        ):
            served = unicart.get(f"/cart/{path}")
            assert records
            for id, record in records.items():
                content = {name: value for name, value in served[id].items() if not name.startswith("trackstar_")}
                assert content == written(record)
