"""Decisions, fills, and approvals that end."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.fills import book_fill
from risk_management.core.steps.money import with_cash_moved
from risk_management.core.steps.records import Step, next_state, put, remembered, without
from risk_management.core.steps.sums import settle
from risk_management.model.amend import amended
from risk_management.model.events import Event, Filled, ReservationClosed, TradeDecided
from risk_management.model.money import SCALE, to_ledger
from risk_management.model.portfolio import (
    PortfolioState,
    Position,
    PositionKey,
    Reservation,
    ReservationStatus,
    StrategyRecord,
)
from risk_management.model.recent import MINUTE, with_moment

__all__ = ["STEPS"]

KEPT_INTENTS: Final = 4096
KEPT_ASKERS: Final = 256


def _decided(state: PortfolioState, event: TradeDecided, config: RiskManagementConfig) -> PortfolioState:
    changes: dict[str, Any] = {}
    request, decision = event.request, event.decision
    bot = state.bots.get(request.bot)
    if bot is not None:
        outcome = decision.outcome
        counted = {outcome: getattr(bot.record, outcome) + 1, "last_seen": event.at}
        changes["bots"] = put(state.bots, request.bot, amended(bot, record=amended(bot.record, **counted)))
    if decision.closing_size < request.size:
        settings = config.order_config
        keep = int(settings.runaway_multiple * settings.max_orders_per_minute) + 2
        moments = with_moment(state.requests.get(request.bot, ()), event.at, keep=keep)
        changes["requests"] = _pruned_requests(put(state.requests, request.bot, moments), event.at)
        if decision.approved:  # a refused order may come again once its cause is gone
            intent = (request.bot, request.symbol, request.side, to_ledger(request.size))
            intents = put(state.intents, intent, event.at)
            changes["intents"] = _pruned_intents(intents, event.at, config)
    if event.reservation is None:
        return next_state(state, event, **changes)
    changes["reservations"] = put(state.reservations, request.request_id, event.reservation)
    return settle(
        amended(state, **changes),
        event,
        config,
        [request.symbol],
        new_reservation=request.request_id,
        moves_equity=False,
    )


def _pruned_requests(
    requests: Mapping[str, tuple[datetime, ...]], now: datetime
) -> Mapping[str, tuple[datetime, ...]]:
    if len(requests) <= KEPT_ASKERS:
        return requests
    return MappingProxyType({bot: times for bot, times in requests.items() if abs(now - times[-1]) < MINUTE})


def _pruned_intents(
    intents: Mapping[tuple[str, str, int, int], datetime], now: datetime, config: RiskManagementConfig
) -> Mapping[tuple[str, str, int, int], datetime]:
    if len(intents) < KEPT_INTENTS:
        return intents
    window = timedelta(seconds=config.order_config.duplicate_window)
    return MappingProxyType({intent: at for intent, at in intents.items() if now - at <= window})


def _filled(state: PortfolioState, event: Filled, config: RiskManagementConfig) -> PortfolioState:
    booked = book_fill(state, event, config.kelly_config)
    positions: dict[PositionKey, Position] = state.positions.copy()  # type: ignore[attr-defined]
    for key, position in booked.positions.items():
        if position is None:
            positions.pop(key, None)
        else:
            positions[key] = position
    bots, strategies = state.bots, state.strategies
    for name, bot in booked.bots.items():
        bots = put(bots, name, bot)
    for name, amount in booked.realised.items():
        record = strategies.get(name, StrategyRecord())
        strategies = put(strategies, name, amended(record, realised=record.realised + amount))
    fact = (event.request_id, event.quantity, event.cost / SCALE, event.reported)
    changed = amended(
        state,
        positions=MappingProxyType(positions),
        accounts=with_cash_moved(state, event.key.account_id, booked.cash),
        bots=bots,
        strategies=strategies,
        executions=remembered(
            state.executions, event.execution_id, fact, lambda known: known[0] in state.reservations
        ),
    )
    changed = _with_reservation_used(changed, event)
    return settle(changed, event, config, [event.key.symbol], new_keys=booked.positions)


def _with_reservation_used(state: PortfolioState, event: Filled) -> PortfolioState:
    old = state.reservations.get(event.request_id)
    if old is None:
        late = state.settled.get(event.request_id)
        if late is None:
            return state
        filled = amended(late, filled=late.filled + abs(event.cost))
        return amended(state, settled=remembered(state.settled, event.request_id, filled))
    opening = max(0, old.opening - event.used_opening)
    left = amended(
        old,
        opening=opening,
        closing=max(0, old.closing - event.used_closing),
        closing_quantity=max(0, old.closing_quantity - event.used_quantity),
        filled=old.filled + abs(event.cost),
        risk=old.risk * opening // old.opening if old.opening else 0,
        status=ReservationStatus.PARTIAL,
    )
    if event.final or (left.opening == 0 and left.closing_quantity == 0):
        return _with_settled(state, amended(left, status=ReservationStatus.FILLED))
    return amended(state, reservations=put(state.reservations, event.request_id, left))


def _with_settled(state: PortfolioState, reservation: Reservation) -> PortfolioState:
    return amended(
        state,
        reservations=without(state.reservations, [reservation.request_id]),
        settled=remembered(state.settled, reservation.request_id, reservation),
    )


def _reservation_closed(
    state: PortfolioState, event: ReservationClosed, config: RiskManagementConfig
) -> PortfolioState:
    old = state.reservations.get(event.request_id)
    if old is None:
        return next_state(state, event)
    changed = amended(old, status=event.status)
    if event.status.is_open:
        return next_state(state, event, reservations=put(state.reservations, event.request_id, changed))
    return settle(_with_settled(state, changed), event, config, [old.key.symbol], moves_equity=False)


STEPS: Final[Mapping[type[Event], Step]] = {
    TradeDecided: _decided,
    Filled: _filled,
    ReservationClosed: _reservation_closed,
}
