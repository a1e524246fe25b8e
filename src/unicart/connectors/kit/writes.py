"""What a connector declares of its writes. Validation, ``write_operations`` and the write-info document derive from it."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

import msgspec

from unicart.contract.writes import BASE_FIELDS, Field, WriteFunction


class Write(msgspec.Struct, frozen=True, kw_only=True):
    """One write that the platform takes.

    ``required`` and ``optional`` name base fields (`unicart.contract.writes.BASE_FIELDS`); whatever is named in neither is
    reported as unused when a client sends it. ``values`` limits base fields to what the platform knows, by name.
    ``specific`` are fields that only this platform has. A ``repeatable`` write may be sent again under the same reference,
    because the platform promises that it takes effect once.
    """

    function: WriteFunction
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    values: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    specific: tuple[Field, ...] = ()
    repeatable: bool = False

    @property
    def fields(self) -> tuple[Field, ...]:
        """Every field that the platform takes, as it takes it."""
        return (*self._base(), *self.specific)

    def _base(self) -> Iterator[Field]:
        for field in BASE_FIELDS.get(self.function, ()):
            if field.name in self.required or field.name in self.optional:
                values = self.values.get(field.name, field.values)
                yield msgspec.structs.replace(field, required=field.name in self.required, values=values)
