"""The plan of a liquidation: pure, from the state and what is known of the markets to orders in sequence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.liquidation.hedge import NO_HEDGES, Hedges, hedge_order
from risk_management.core.liquidation.legs import NO_BROKER, Leg, legs_of
from risk_management.core.liquidation.path import Move, path, risk_of
from risk_management.core.liquidation.scope import cuts_of, held_in, is_inside
from risk_management.core.reduction import marked
from risk_management.model.broker import MarketState, MarketStatus
from risk_management.model.liquidation import (
    EVERYTHING,
    LiquidationPlan,
    LiquidationScope,
    Part,
    PathPoint,
    PlannedOrder,
    PlannedStep,
    Remainder,
    ScopeKind,
    plan_id_of,
)
from risk_management.model.money import SCALE
from risk_management.model.portfolio import PortfolioState, PositionKey

__all__ = ["plan_cuts", "plan_liquidation"]

Float = NDArray[np.float64]


def plan_liquidation(
    state: PortfolioState,
    config: RiskManagementConfig,
    scope: LiquidationScope,
    markets: Mapping[str, MarketState],
    now: datetime,
    *,
    served: str | None = None,
) -> LiquidationPlan:
    """How a part of the book would be closed now. Nothing is sent.

    Parameters
    ----------
    state : PortfolioState
    config : RiskManagementConfig
    scope : LiquidationScope
    markets : Mapping of str to MarketState
        By symbol; one that is not named is taken as open at our own price.
    now : datetime
    served : str, optional
        The account that orders reach; by default every one.

    Raises
    ------
    InvalidRequest
        The scope names nobody that is known, or a target that can't be measured.
    """
    return plan_cuts(state, config, scope, cuts_of(state, scope), markets, now, served=served)


def plan_cuts(  # noqa: PLR0913 - what is cut, and what stands in its way
    state: PortfolioState,
    config: RiskManagementConfig,
    scope: LiquidationScope,
    cuts: Sequence[Part],
    markets: Mapping[str, MarketState],
    now: datetime,
    *,
    hedges: Hedges = NO_HEDGES,
    paused: Mapping[str, str] = MappingProxyType({}),
    served: str | None = None,
) -> LiquidationPlan:
    """The same for cuts that were chosen before: what is left of a liquidation that began.

    `hedges` are its own, which are taken off again together with what they hedge; `paused` says of symbols
    why they are left alone for now, whatever their market does.
    """
    cuts = (*cuts, *(part for part in hedges.back if part[0] not in dict(cuts)))
    legs, dust = legs_of(state, config, cuts, markets, paused, served)
    tradable = {number: leg for number, leg in enumerate(legs) if not leg.problem}
    watched = _watched(state, scope, legs)
    hedge = _hedge(state, config, scope, legs, hedges, paused, markets)
    first = () if hedge is None else (PlannedStep(1, (hedge,), 0.0, _point(state, [hedge], watched)),)
    moves, needed = path(watched + _moved(state, first), tradable, state.model)
    left = [*_waiting(legs), *(_hedging(leg) for leg in needed), *dust]
    steps = (*first, *_steps(state, config, moves, markets, watched, first))
    opening = [r for r in state.reservations.values() if is_inside(state, scope, r.key)]
    return LiquidationPlan(
        plan_id=plan_id_of(scope, held_in(state, scope, cuts)),
        scope=scope,
        made_at=now,
        state_version=state.version,
        before=_point(state, (), watched),
        steps=steps,
        left=tuple(left),
        cancels=tuple(r.request_id for r in opening if r.opening > 0),
        protective=tuple(r.request_id for r in opening if r.opening == 0),
        seconds=_seconds(steps, legs, state, config, markets),
        notes=tuple(_notes(legs, markets, state)),
    )


def _hedge(
    state: PortfolioState,
    config: RiskManagementConfig,
    scope: LiquidationScope,
    legs: Sequence[Leg],
    hedges: Hedges,
    paused: Mapping[str, str],
    markets: Mapping[str, MarketState],
) -> PlannedOrder | None:
    """What hedges what waits, unless its own symbol is left alone or others hedge the same units."""
    symbol = config.liquidation_config.hedge_symbol
    if not hedges.may_grow or symbol in paused:
        return None
    stuck = [leg for leg in legs if leg.problem and leg.problem != NO_BROKER]
    if scope == EVERYTHING:  # all that is held of it counts, whoever traded it
        held = sum(p.quantity for p in state.positions.values() if p.symbol == symbol)
    else:
        held, stuck = hedges.units, _not_hedged_by(stuck, dict(hedges.by_others))
    return hedge_order(state, config, stuck, held, markets, hedges)


def _not_hedged_by(stuck: Sequence[Leg], others: Mapping[PositionKey, int]) -> list[Leg]:
    """What waits, without the units that other liquidations hedge."""
    out = []
    for leg in stuck:
        parts = [(key, _without(units, others.get(key, 0))) for key, units in leg.parts]
        left = sum(units for _, units in parts)
        if left:
            out.append(replace(leg, parts=tuple(part for part in parts if part[1]), quantity=left))
    return out


def _without(units: int, hedged: int) -> int:
    left = max(0, abs(units) - hedged)
    return left if units > 0 else -left


def _watched(state: PortfolioState, scope: LiquidationScope, legs: Sequence[Leg]) -> Float:
    """P&L by scenario that must not become riskier: the book, or the part of it that is closed.

    A bot that hedges the others can't be closed without the book's risk rising: then its own is watched.
    """
    if scope == EVERYTHING or scope.kind is ScopeKind.VAR:
        return state.totals.pnl
    own: Float = np.zeros_like(state.totals.pnl)
    for leg in legs:
        own = own - leg.exposure * state.model.scenarios[:, leg.column]
    return own


def _steps(
    state: PortfolioState,
    config: RiskManagementConfig,
    moves: Sequence[Move],
    markets: Mapping[str, MarketState],
    watched: Float,
    first: Sequence[PlannedStep],
) -> Iterator[PlannedStep]:
    """Moves as orders, with the book behind each and the earliest second at which it may go."""
    share = config.liquidation_config.volume_share
    done = [order for step in first for order in step.orders]
    ready: dict[tuple[str, str], float] = {}
    starts = 0.0
    for number, move in enumerate(moves, 1 + len(first)):
        orders = tuple(leg.order(units, state, config, markets.get(leg.symbol)) for leg, units in move.orders)
        starts = max([starts, *(ready.get((leg.account_id, leg.symbol), 0.0) for leg, _ in move.orders)])
        for leg, units in move.orders:
            takes = leg.seconds(units, state.instruments[leg.symbol], markets.get(leg.symbol), share)
            ready[leg.account_id, leg.symbol] = starts + takes
        done += orders
        yield PlannedStep(number, orders, starts, _point(state, done, watched))


def _point(state: PortfolioState, done: Sequence[PlannedOrder], watched: Float) -> PathPoint:
    """The whole book once some orders are filled at the marks."""
    moved = _traded(state, done)
    gross = margin = 0.0
    for (_, symbol), (long, short) in _sides(state, done).items():
        gross += long + short
        margin += (long + short) * state.instruments[symbol].maintenance_margin
    var, es = risk_of(state.totals.pnl + moved)
    closing_var, _ = risk_of(watched + moved)
    return PathPoint(gross, margin, var, es, closing_var)


def _traded(state: PortfolioState, orders: Iterable[PlannedOrder]) -> Float:
    """P&L by scenario that some orders add."""
    money: dict[str, float] = {}
    for order in orders:
        signed = order.notional if order.quantity > 0 else -order.notional
        money[order.symbol] = money.get(order.symbol, 0.0) + signed
    moved: Float = np.zeros_like(state.totals.pnl)
    for symbol, amount in money.items():
        kind = state.instruments[symbol].asset_class
        moved = moved + amount * state.model.scenarios[:, state.model.column(symbol, kind)]
    return moved


def _moved(state: PortfolioState, steps: Iterable[PlannedStep]) -> Float:
    return _traded(state, (order for step in steps for order in step.orders))


def _sides(state: PortfolioState, done: Sequence[PlannedOrder]) -> dict[tuple[str, str], tuple[float, float]]:
    """Long and short exposure by account and symbol, owner by owner, behind some orders."""
    units = {key: position.quantity for key, position in state.positions.items()}
    price = {key: abs(marked(state, p) / p.quantity) / SCALE for key, p in state.positions.items()}
    for order in done:
        for key, part in order.parts:
            units[key] = units.get(key, 0) + part
            price.setdefault(key, order.notional / max(abs(order.quantity), 1))
    sides: dict[tuple[str, str], tuple[float, float]] = {}
    for key, held in units.items():
        long, short = sides.get((key.account_id, key.symbol), (0.0, 0.0))
        money = held * price[key]
        sides[key.account_id, key.symbol] = (long + max(money, 0.0), short + max(-money, 0.0))
    return sides


def _seconds(
    steps: Sequence[PlannedStep],
    legs: Sequence[Leg],
    state: PortfolioState,
    config: RiskManagementConfig,
    markets: Mapping[str, MarketState],
) -> float:
    """Seconds until the last order may have filled."""
    by_leg = {(leg.account_id, leg.symbol): leg for leg in legs}
    share, last = config.liquidation_config.volume_share, 0.0
    for step in steps:
        for order in step.orders:
            leg = by_leg.get((order.account_id, order.symbol))
            if leg is not None:
                market, known = markets.get(order.symbol), state.instruments[order.symbol]
                last = max(last, step.starts + leg.seconds(order.quantity, known, market, share))
    return last


def _waiting(legs: Sequence[Leg]) -> Iterator[Remainder]:
    for leg in legs:
        if leg.problem:
            yield Remainder(leg.symbol, -leg.quantity, leg.problem, leg.text)


def _hedging(leg: Leg) -> Remainder:
    text = f"{leg.symbol} waits: it hedges what can't be traded now"
    return Remainder(leg.symbol, -leg.quantity, "hedge", text)


def _notes(legs: Sequence[Leg], markets: Mapping[str, MarketState], state: PortfolioState) -> Iterator[str]:
    """What is not known, and what was taken in its place."""
    untold = sorted({leg.symbol for leg in legs if leg.symbol not in markets})
    if untold:
        yield f"no market is told of {_some(untold)}: taken as open, half the spread by setting"
    unknown = {leg.symbol: markets[leg.symbol] for leg in legs if leg.symbol in markets}
    unknown = {symbol: one for symbol, one in unknown.items() if one.status is MarketStatus.UNKNOWN}
    unpriced = sorted(symbol for symbol, one in unknown.items() if one.mid is None)
    if unpriced:
        yield f"the broker has no price of {_some(unpriced)} now, nor says whether it is open: taken as open"
    unsaid = sorted(unknown.keys() - set(unpriced))
    if unsaid:
        yield f"the broker does not say whether {_some(unsaid)} is open: taken as open"
    volumes = [
        leg.symbol
        for leg in legs
        if not state.instruments[leg.symbol].average_daily_volume
        and (leg.symbol not in markets or not markets[leg.symbol].daily_volume)
    ]
    if volumes:
        yield f"no daily volume is known of {_some(sorted(volumes))}: no impact and no time is reckoned"


SHOWN = 8


def _some(names: Sequence[str]) -> str:
    rest = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + rest
