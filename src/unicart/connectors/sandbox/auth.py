"""The sandbox has no login: its credentials describe the shop that is to be generated."""

from collections.abc import Mapping

import msgspec

from unicart.connectors.kit import CredentialsRejected, fingerprint
from unicart.connectors.sandbox.generator import DEFAULT_ORDERS, DEFAULT_SEED, DEFAULT_UNTIL, MAX_ORDERS
from unicart.contract.common import parse_date


class Shop(msgspec.Struct, frozen=True):
    """Which shop to generate. ``until`` is in epoch seconds."""

    seed: str
    orders: int
    until: int

    @property
    def name(self) -> str:
        """A short stable name of exactly this shop."""
        return fingerprint(f"{self.seed}\n{self.orders}\n{self.until}")


def shop(credentials: Mapping[str, str]) -> Shop:
    """The shop that ``credentials`` describe.

    Raises:
        CredentialsRejected: ``orders`` or ``until`` cannot be understood.
    """
    orders = credentials.get("orders") or str(DEFAULT_ORDERS)
    if not (orders.isascii() and orders.isdigit() and len(orders) <= 10 and int(orders) <= MAX_ORDERS):
        raise CredentialsRejected(f"orders must be a whole number from 0 to {MAX_ORDERS}, not {orders[:40]!r}.")
    until = credentials.get("until") or DEFAULT_UNTIL
    try:
        moment = parse_date(until)
    except ValueError as error:
        raise CredentialsRejected(f"until {error}, not {until[:40]!r}.") from None
    return Shop(credentials.get("seed") or DEFAULT_SEED, int(orders), moment)
