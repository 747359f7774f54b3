"""Events of every kind, made up from what their fields may hold; a new kind is served by itself."""

from __future__ import annotations

import types
import typing
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from typing import Any, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from risk_management.model import events
from risk_management.model.events import Event
from risk_management.model.risk_model import RiskModel
from risk_management.tests.store.world import small_foundation

KINDS = {
    name: getattr(events, name)
    for name in events.__all__
    if isinstance(getattr(events, name), type)
    and issubclass(getattr(events, name), Event)
    and name != "Event"
}
PLAIN = {
    bool: st.booleans(),
    int: st.integers(-(10**24), 10**24),  # 1e12 of money in 1e-8 units, and more
    float: st.floats(),
    str: st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    date: st.dates(),
    datetime: st.datetimes(timezones=st.just(UTC)),
    timedelta: st.timedeltas(),
}


def of(hint: Any) -> st.SearchStrategy[Any]:
    """Values of a type."""
    origin, inner = get_origin(hint), get_args(hint)
    if hint in PLAIN:
        return PLAIN[hint]
    if hint is RiskModel:
        return st.builds(lambda: small_foundation().model)
    if hint is type(None):
        return st.none()
    if origin in (types.UnionType, typing.Union):
        return st.one_of(*map(of, inner))
    if origin is typing.Literal:
        return st.sampled_from(inner)
    if origin is tuple and inner[1:] == (...,):
        return st.lists(of(inner[0]), max_size=3).map(tuple)
    if origin is tuple:
        return st.tuples(*map(of, inner))
    if isinstance(hint, type) and issubclass(hint, Enum):
        return st.sampled_from(hint)
    if isinstance(hint, type) and issubclass(hint, tuple):
        return st.builds(hint, *[of(h) for h in get_type_hints(hint).values()])
    assert is_dataclass(hint), f"no sample of {hint} is known: teach tests/store/events.py to make one"
    hints = get_type_hints(hint)
    return st.builds(hint, **{f.name: of(hints[f.name]) for f in fields(hint)})
