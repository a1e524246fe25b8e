"""From raw records to stored ones: what becomes of a page, wherever it comes from."""

import logging
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

import msgspec

from unicart import __version__
from unicart.connectors.kit import Connector, fingerprint
from unicart.contract.resources import BY_FUNCTION, Function
from unicart.store import quarantine, records
from unicart.store.database import Transaction
from unicart.store.records import Prepared, Saved
from unicart.store.tenants import Connection

log = logging.getLogger(__name__)

KeyedRaw = tuple[str, bytes]
"""A raw record with the key under which it would be quarantined."""


class Refused(msgspec.Struct, frozen=True):
    """A raw record that could not be mapped."""

    raw_key: str
    raw: bytes
    reason: str


class MappedPage(msgspec.Struct, frozen=True):
    """What a page of raw records became: each unified record with the key of its raw one, and those that were refused."""

    mapped: list[tuple[str, Prepared]]
    refused: list[Refused]


def map_page(connection: Connection, platform: Connector, function: Function, raws: Iterable[KeyedRaw]) -> MappedPage:
    """Map raw records; one that cannot be mapped does not spoil the others."""
    page = MappedPage([], [])
    for raw_key, raw in raws:
        try:
            page.mapped.extend([(raw_key, records.prepare(record)) for record in platform.map(function, raw)])
        except Exception as error:
            reason = (str(error) or repr(error)).replace("\x00", "")
            log.warning("%s %s: quarantined %s: %s", connection.id, function.value, raw_key, reason)
            page.refused.append(Refused(raw_key, raw, reason))
    return page


async def save_page(
    transaction: Transaction, connection: Connection, function: Function, page: MappedPage, now: int, *, announced: bool
) -> Saved:
    """Store what was mapped, quarantine what was refused, and release from quarantine what could be mapped now."""
    key, name = connection.key, function.value
    content = [prepared for _, prepared in page.mapped]
    saved = await records.save(transaction, connection, BY_FUNCTION[function], content, now, announced=announced)
    if page.refused and not content:
        # As a save of records does: whoever writes to the quarantine takes its turn.
        await records.lock(transaction, key)
    for each in page.refused:
        await quarantine.put(transaction, key, name, each.raw_key, each.reason, each.raw, now, __version__)
    await quarantine.clear(transaction, key, name, {raw_key for raw_key, _ in page.mapped})
    return saved


async def remove_gone(
    transaction: Transaction,
    connection: Connection,
    function: Function,
    ids: Collection[str],
    now: int,
    *,
    visible_from: datetime | None,
    announced: bool,
) -> int:
    """Remove records that the platform was asked for and did not have, and return how many there were.

    Those that were created before ``visible_from`` may only be hidden from us, and stay; so does what is quarantined, whose
    date is not known.
    """
    oldest = None if visible_from is None else int(visible_from.timestamp())
    if oldest is None:
        await quarantine.clear(transaction, connection.key, function.value, ids)
    resource = BY_FUNCTION[function]
    return await records.remove(transaction, connection, resource, ids, now, oldest=oldest, announced=announced)


def keyed(raws: Sequence[bytes]) -> list[KeyedRaw]:
    """Raw records with their keys."""
    return [(_raw_key(raw), raw) for raw in raws]


class _WithId(msgspec.Struct):
    id: str | int


_ids = msgspec.json.Decoder(_WithId)


def _raw_key(raw: bytes) -> str:
    """The raw record's own ``id`` where it has one, so that a later version of it takes the same place."""
    try:
        return str(_ids.decode(raw).id).replace("\x00", "")[:200]
    except (msgspec.DecodeError, UnicodeDecodeError):
        return fingerprint(raw.decode("utf-8", "replace"))
