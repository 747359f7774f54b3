"""What a fill does to positions, cash and records: whose position it closes, and what was earned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from risk_management.config.risk_config import KellyConfig
from risk_management.errors import MeasureError
from risk_management.measures.growth import kelly_bounds
from risk_management.model.amend import amended
from risk_management.model.events import Filled
from risk_management.model.instrument import ContractKind
from risk_management.model.portfolio import (
    EXTERNAL,
    OPERATOR,
    SYSTEM,
    Bot,
    BotRecord,
    PortfolioState,
    Position,
    PositionKey,
)
from risk_management.model.totals import EMPTY_NAME

__all__ = ["ACCOUNT_WIDE", "Booked", "book_fill"]

ACCOUNT_WIDE: Final = frozenset({OPERATOR, SYSTEM, EXTERNAL})
"""Owners whose orders close the account's positions, not only their own."""
KEPT_RETURNS: Final = 500


@dataclass(frozen=True, slots=True)
class Booked:
    """What a fill changes: positions (None is flat), cash, profit by strategy and bot records."""

    positions: Mapping[PositionKey, Position | None]
    cash: int
    realised: Mapping[str, int]
    bots: Mapping[str, Bot]


def book_fill(state: PortfolioState, fill: Filled, settings: KellyConfig) -> Booked:
    """Split a fill over the positions that it closes and the one that it opens.

    A bot closes what is its own; an operator, the system and a broker's own fills close what the
    account holds. What is left over opens a position of the fill's owner. Fees go to the first part.
    An operator's order closes no more than was approved as closing: the rest of what a bot holds may
    have that bot's own close at work.
    """
    positions: dict[PositionKey, Position | None] = {}
    realised: dict[str, int] = {}
    bots: dict[str, Bot] = {}
    left, cost_left, fee = fill.quantity, fill.cost, fill.fee
    for position in _closable(state, fill):
        room = _closing_room(fill, position, left)
        if room == 0:
            continue
        part = _toward_zero(room, -position.quantity)
        paid = cost_left if part == left else fill.cost * part // fill.quantity
        kept, profit = _reduced(position, part, paid, fee)
        positions[position.key] = kept
        realised[position.key.strategy] = realised.get(position.key.strategy, 0) + profit
        bot = bots.get(position.key.bot) or state.bots.get(position.key.bot)
        if bot is not None:
            flat = None if kept is not None else (position.realised + profit, position.turnover)
            bots[bot.name] = amended(bot, record=_with_profit(bot.record, profit, flat, settings))
        left, cost_left, fee = left - part, cost_left - paid, 0
    if left:
        known = positions.get(fill.key, state.positions.get(fill.key))
        positions[fill.key] = _enlarged(known, fill, left, cost_left, fee)
        realised[fill.key.strategy] = realised.get(fill.key.strategy, 0) - fee
        owner = bots.get(fill.key.bot) or state.bots.get(fill.key.bot)
        if owner is not None and fee:
            bots[owner.name] = amended(owner, record=_with_profit(owner.record, -fee, None, settings))
    instrument = state.instruments[fill.key.symbol]
    if instrument.kind is ContractKind.LINEAR:
        # a contract settles its profit in cash, not its notional
        return Booked(positions, sum(realised.values()), realised, bots)
    return Booked(positions, -fill.cost - fill.fee, realised, bots)


def _closable(state: PortfolioState, fill: Filled) -> Iterator[Position]:
    keys = state.totals.names.get(fill.key.symbol, EMPTY_NAME).keys
    opposite = [state.positions[key] for key in keys if state.positions[key].quantity * fill.quantity < 0]
    mine = [p for p in opposite if p.key.account_id == fill.key.account_id]
    if fill.beside:
        mine = [p for p in mine if p.key == fill.key]
    elif fill.key.bot not in ACCOUNT_WIDE:
        mine = [p for p in mine if p.key.bot == fill.key.bot]
    return iter(sorted(mine, key=lambda p: (p.key != fill.key, -abs(p.quantity), p.key)))


def _closing_room(fill: Filled, position: Position, left: int) -> int:
    """Units of what is left of a fill that may close a position."""
    if fill.key.bot != OPERATOR or position.key == fill.key:
        return left
    opening = abs(fill.quantity) - fill.used_quantity
    closing_left = max(0, abs(left) - opening)
    return closing_left if left > 0 else -closing_left


def _toward_zero(wanted: int, available: int) -> int:
    return wanted if abs(wanted) <= abs(available) else available


def _reduced(position: Position, part: int, paid: int, fee: int) -> tuple[Position | None, int]:
    """What is left of a position after `part` units (of the other sign) for `paid`, and the profit."""
    left = position.quantity + part
    cost_left = position.cost * left // position.quantity if left else 0
    profit = -paid - (position.cost - cost_left) - fee
    if left == 0:
        return None, profit
    stop = position.stop_risk * left // position.quantity
    kept = amended(
        position, quantity=left, cost=cost_left, stop_risk=stop, realised=position.realised + profit
    )
    return kept, profit


def _enlarged(known: Position | None, fill: Filled, quantity: int, cost: int, fee: int) -> Position:
    if known is None:
        return Position(
            fill.key,
            quantity,
            cost,
            fill.at,
            fill.stop_risk,
            fill.has_stop,
            realised=-fee,
            turnover=abs(cost),
        )
    return amended(
        known,
        quantity=known.quantity + quantity,
        cost=known.cost + cost,
        stop_risk=known.stop_risk + fill.stop_risk,
        has_stop=known.has_stop and fill.has_stop,
        realised=known.realised - fee,
        turnover=max(known.turnover, abs(known.cost + cost)),
    )


def _with_profit(
    record: BotRecord, profit: int, closed: tuple[int, int] | None, settings: KellyConfig
) -> BotRecord:
    """The record after a profit; `closed` is the round trip's profit and turnover when it went flat."""
    record = amended(record, realised=record.realised + profit)
    if closed is None or closed[1] == 0:
        return record
    result = closed[0] / closed[1]
    returns = (*record.returns, result)[-KEPT_RETURNS:]
    return amended(
        record,
        returns=returns,
        closed_trades=record.closed_trades + 1,
        wins=record.wins + (result > 0),
        kelly_bound=_kelly_bound(returns, settings),
    )


def _kelly_bound(returns: tuple[float, ...], settings: KellyConfig) -> float | None:
    """Lower confidence bound of mean / variance of a bot's own trades; None while there are too few.

    0 where no edge is left, or no spread that a bet could be sized by.
    """
    if len(returns) < settings.min_trades:
        return None
    try:
        return kelly_bounds(np.array(returns), settings.lower_bound)[0]
    except MeasureError:
        return 0.0
