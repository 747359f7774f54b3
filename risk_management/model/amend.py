"""A changed copy of a frozen record, at a fifth of the time of `dataclasses.replace`, or much less."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from functools import cache
from operator import attrgetter
from typing import Any, TypeVar

__all__ = ["amended"]

R = TypeVar("R")


def amended(record: R, /, **changes: Any) -> R:
    """The record with some fields changed.

    A large record that is changed with every event has no slots: its copy is that of one mapping, in a sixth
    of the time that a constructor needs for thirty fields. One with slots is made by its own constructor:
    every field of its class must be one that the constructor takes, in order; it needs at least two.

    Raises
    ------
    TypeError
        For a name that is no field.
    """
    kind: type[Any] = type(record)
    if not hasattr(record, "__dict__"):
        return _constructed(record, kind, changes)
    values, names = vars(record) | changes, _reader(kind)[0]  # type: ignore[arg-type]
    if len(values) != len(names):  # what was computed of the old one stands beside its fields
        unknown = changes.keys() - names.keys()
        if unknown:
            raise TypeError(f"{kind.__name__} has no field {min(unknown)!r}")
        values = {name: values[name] for name in names}
    fresh: R = object.__new__(kind)
    object.__setattr__(fresh, "__dict__", values)
    return fresh


def _constructed(record: R, kind: type[Any], changes: dict[str, Any]) -> R:
    places, read = _reader(kind)  # type: ignore[arg-type]  # mypy takes no class for hashable
    values = list(read(record))
    try:
        for name, value in changes.items():
            values[places[name]] = value
    except KeyError as unknown:
        raise TypeError(f"{kind.__name__} has no field {unknown}") from None
    fresh: R = kind(*values)
    return fresh


@cache
def _reader(kind: type[Any]) -> tuple[dict[str, int], Callable[[Any], tuple[Any, ...]]]:
    """Places of a class's fields by name, and one call that reads them all."""
    names = tuple(field.name for field in fields(kind))
    return {name: place for place, name in enumerate(names)}, attrgetter(*names)
