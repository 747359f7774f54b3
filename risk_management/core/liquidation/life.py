"""How a liquidation begins, and what the state keeps of it from event to event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Final

from risk_management.core.liquidation.hedge import Hedges
from risk_management.core.liquidation.scope import cuts_of, held_in
from risk_management.model.amend import amended
from risk_management.model.broker import own_order_id
from risk_management.model.events import (
    LiquidationEnded,
    LiquidationStarted,
    LiquidationStepDone,
    LiquidationStepSent,
    LiquidationStopped,
)
from risk_management.model.liquidation import (
    EVERYTHING,
    Liquidation,
    LiquidationScope,
    Part,
    SentOrder,
    plan_id_of,
)
from risk_management.model.portfolio import PortfolioState, PositionKey

__all__ = [
    "begun",
    "cuts_left",
    "ended",
    "hedges_of",
    "order_id",
    "started",
    "step_done",
    "step_sent",
    "stopped",
]

KEPT: Final = 5
"""Liquidations that have ended and are still remembered."""
MOST_HEDGES: Final = 20
"""Orders that one liquidation sends to hedge what waits: no market makes it trade without end."""
Known = Mapping[str, Liquidation]


def begun(
    state: PortfolioState,
    scope: LiquidationScope,
    now: datetime,
    *,
    cause: str,
    actor: str,
    reason: str,
    cuts: Sequence[Part] | None = None,
) -> Liquidation:
    """A liquidation that starts now; a target is turned into cuts, which then stay as they are."""
    chosen = cuts_of(state, scope) if cuts is None else tuple(cuts)
    plan, moment = plan_id_of(scope, held_in(state, scope, chosen)), int(now.timestamp() * 1e6)
    while f"{plan}-{moment:x}" in state.liquidations:  # two in one moment of the clock
        moment += 1
    keeps = chosen if cuts is not None or scope.kind.is_target else ()
    return Liquidation(
        # positions alone may come again in the life of an account, the moment does not
        f"{plan}-{moment:x}",
        str(scope),
        cause,
        actor,
        reason,
        now,
        keeps,
    )


def order_id(liquidation: Liquidation, number: int) -> str:
    """Id at the broker of the order of a number, from 0: the same whoever takes the liquidation up again."""
    return own_order_id(liquidation.liquidation_id, number)


def cuts_left(state: PortfolioState, liquidation: Liquidation) -> tuple[Part, ...]:
    """Signed units that are still to be traded; no more than is held."""
    scope = LiquidationScope.of(liquidation.scope)
    if not liquidation.cuts and not scope.kind.is_target:
        return cuts_of(state, scope)
    return _held(state, liquidation.still_to_cut())


def hedges_of(state: PortfolioState, liquidation: Liquidation) -> Hedges:
    """Its own hedges, and the units that liquidations which began before it hedge already."""
    own = liquidation.hedged()
    return Hedges(
        liquidation.liquidation_id,
        _held(state, {key: -units for key, units in own.items()}),
        sum(own.values()),
        _hedged_before(state, liquidation),
        sum(order.is_hedge for order in liquidation.orders) < MOST_HEDGES,
    )


def _hedged_before(state: PortfolioState, liquidation: Liquidation) -> tuple[Part, ...]:
    """Units that those which began before close and hedge; only those, or two would wait for each other."""
    units: dict[PositionKey, int] = {}
    for one in state.liquidations.values():
        if one.liquidation_id == liquidation.liquidation_id:
            break
        hedges = one.scope == str(EVERYTHING) or any(
            o.is_hedge and (o.filled or o.is_open) for o in one.orders
        )
        if one.is_open and not one.stopped_by and hedges:
            for key, part in cuts_left(state, one):
                units[key] = units.get(key, 0) + abs(part)
    return tuple(units.items())


def _held(state: PortfolioState, cuts: Mapping[PositionKey, int]) -> tuple[Part, ...]:
    """Cuts as far as they close what is held."""
    out = []
    for key, units in sorted(cuts.items()):
        position = state.positions.get(key)
        if position is not None and position.quantity * units < 0:
            most = min(abs(units), abs(position.quantity))
            out.append((key, most if units > 0 else -most))
    return tuple(out)


# -- the fold -------------------------------------------------------------------------------------------


def started(known: Known, event: LiquidationStarted) -> Known:
    """One more; of those that have ended the oldest are forgotten."""
    over = [name for name, one in known.items() if not one.is_open]
    forgotten = set(over[: max(0, len(over) - KEPT + 1)])
    kept = {name: one for name, one in known.items() if name not in forgotten}
    return MappingProxyType({**kept, event.liquidation.liquidation_id: event.liquidation})


def step_sent(known: Known, event: LiquidationStepSent) -> Known:
    """Its new orders."""
    old = known.get(event.liquidation_id)
    if old is None:
        return known
    return _with(known, amended(old, orders=(*old.orders, *event.orders)))


def step_done(known: Known, event: LiquidationStepDone) -> Known:
    """What became of orders; tries that filled nothing are counted by symbol until one fills."""
    old = known.get(event.liquidation_id)
    if old is None:
        return known
    results = {name: (status, filled) for name, status, filled in event.results}
    told = {name: {"told": units, "told_cost": cost} for name, units, cost in event.told}
    failures = dict(old.failures)
    orders: list[SentOrder] = []
    for order in old.orders:
        if order.client_order_id in results:
            status, filled = results[order.client_order_id]
            by_word = told.get(order.client_order_id, {})
            order = amended(order, status=status, filled=filled, **by_word)  # noqa: PLW2901
            failures[order.symbol] = 0 if filled else failures.get(order.symbol, 0) + 1
        orders.append(order)
    counted = tuple((symbol, count) for symbol, count in failures.items() if count)
    return _with(known, amended(old, orders=tuple(orders), failures=counted))


def stopped(known: Known, event: LiquidationStopped) -> Known:
    """A person wants it to end."""
    old = known.get(event.liquidation_id)
    if old is None:
        return known
    return _with(known, amended(old, stopped_by=event.actor, stop_reason=event.reason))


def ended(known: Known, event: LiquidationEnded) -> Known:
    """It is over."""
    old = known.get(event.liquidation_id)
    if old is None:
        return known
    return _with(known, amended(old, ended_at=event.at, outcome=event.outcome))


def _with(known: Known, liquidation: Liquidation) -> Known:
    return MappingProxyType({**known, liquidation.liquidation_id: liquidation})
