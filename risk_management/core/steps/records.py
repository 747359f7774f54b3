"""Changed copies of the state and of its mappings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeVar

from risk_management.config.risk_config import RiskManagementConfig
from risk_management.model.amend import amended
from risk_management.model.events import Event
from risk_management.model.layered import Layered
from risk_management.model.portfolio import PortfolioState

__all__ = ["KEPT_SETTLED", "Step", "next_state", "put", "remembered", "without"]

K = TypeVar("K")
V = TypeVar("V")
KEPT_SETTLED: Final = 10_000
Step = Callable[[PortfolioState, Any, RiskManagementConfig], PortfolioState]
"""The state after an event of one kind."""


def next_state(state: PortfolioState, event: Event, **changes: Any) -> PortfolioState:
    """The state with one more event counted, and what it changed."""
    as_of = event.at if event.at > state.as_of else state.as_of
    return amended(state, version=state.version + 1, as_of=as_of, **changes)


def put(mapping: Mapping[K, V], key: K, value: V) -> Mapping[K, V]:
    """A read-only copy with one more entry."""
    fresh: dict[K, V] = mapping.copy()  # type: ignore[attr-defined]
    fresh[key] = value
    return MappingProxyType(fresh)


def without(mapping: Mapping[K, V], keys: Iterable[K]) -> Mapping[K, V]:
    """A read-only copy with some entries gone."""
    fresh: dict[K, V] = mapping.copy()  # type: ignore[attr-defined]
    for key in keys:
        fresh.pop(key, None)
    return MappingProxyType(fresh)


def remembered(
    known: Layered[K, V], key: K, value: V, needed: Callable[[V], bool] | None = None
) -> Layered[K, V]:
    """What is remembered of the past, with one more entry; see `Layered.with_entry`."""
    return known.with_entry(key, value, keep=KEPT_SETTLED, needed=needed)
