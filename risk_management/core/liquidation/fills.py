"""What a broker's word on a liquidation's orders books: whose units, at what price, each once.

Executions are booked one by one. Where a broker says that an order filled and does not tell the executions
in time, the order's own word is booked; an execution that comes after all then moves money alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from risk_management.model.broker import BrokerFill, BrokerOrder
from risk_management.model.events import CashKind, CashMoved, Event, Filled
from risk_management.model.liquidation import Liquidation, Part, SentOrder
from risk_management.model.portfolio import EXTERNAL, SYSTEM, PortfolioState, PositionKey

__all__ = ["Seen", "fill_events", "seen_fills", "told_events"]


@dataclass(frozen=True, slots=True)
class Seen:
    """What the executions of one order add up to: signed ledger units, and fees."""

    units: int = 0
    fee: int = 0


NOTHING = Seen()


def seen_fills(liquidation: Liquidation, fills: Iterable[BrokerFill]) -> dict[str, Seen]:
    """What the executions of each of its orders add up to."""
    seen = {order.client_order_id: NOTHING for order in liquidation.orders}
    for fill in fills:
        old = seen.get(fill.client_order_id)
        if old is not None:
            seen[fill.client_order_id] = Seen(old.units + fill.side * fill.quantity, old.fee + fill.fee)
    return seen


def fill_events(
    state: PortfolioState,
    liquidation: Liquidation,
    fills: Iterable[BrokerFill],
    is_booked: Callable[[str], bool],
) -> Iterator[Event]:
    """What executions change that are not booked yet, in order; the same ones give the same units.

    Parameters
    ----------
    state : PortfolioState
    liquidation : Liquidation
    fills : iterable of BrokerFill
        Every fill of its orders so far, the oldest first; others are left out.
    is_booked : callable
        Whether an execution id is booked.
    """
    orders = {order.client_order_id: order for order in liquidation.orders}
    done: dict[str, int] = {}
    for fill in fills:
        order = orders.get(fill.client_order_id)
        if order is None:
            continue
        before = done.get(fill.client_order_id, 0)
        after = before + fill.side * fill.quantity
        done[fill.client_order_id] = after
        if is_booked(fill.execution_id):
            continue
        if order.told:
            yield from _behind_its_word(state, order, fill, before, after)
            continue
        yield from _given_back(state, order, fill, after)
        yield from _booked(state, order, fill, order.share(before, after))


def told_events(
    state: PortfolioState, order: SentOrder, told: BrokerOrder, seen: Seen, now: datetime
) -> tuple[tuple[Filled, ...], int, int]:
    """Book what an order filled by its own word and not by its executions.

    Returns
    -------
    events : tuple of Filled
        Empty where nobody knows a price.
    units, cost : int
        Signed ledger units, and the money paid for them with fees.
    """
    quote = state.quotes.get(order.symbol)
    price = told.average_price or order.limit_price or (quote.price if quote is not None else None)
    after = told.side * told.filled
    if price is None:
        return (), 0, 0
    fill = BrokerFill(
        f"{order.client_order_id}/told",
        order.client_order_id,
        told.broker_order_id,
        order.symbol,
        told.side,
        told.filled,
        price,
        max(0, told.fee - seen.fee),
        now,
    )
    events = tuple(_booked(state, order, fill, order.share(seen.units, after)))
    return events, after - seen.units, sum(event.cost + event.fee for event in events)


def _booked(
    state: PortfolioState, order: SentOrder, fill: BrokerFill, parts: Iterable[Part]
) -> Iterator[Filled]:
    """One event for each owner."""
    price = fill.price * _unit(state, order)
    fee = fill.fee
    for number, (key, units) in enumerate(parts):
        yield Filled(
            at=fill.at,
            actor=SYSTEM,
            request_id=order.client_order_id,
            execution_id=fill.execution_id if number == 0 else f"{fill.execution_id}/{number}",
            key=key,
            quantity=units,
            cost=round(units * price),
            fee=fee,
            final=True,
            used_opening=0,
            used_closing=0,
            used_quantity=0,
            beside=order.is_hedge,
        )
        fee = 0  # the first owner's: it is one fee


def _behind_its_word(
    state: PortfolioState, order: SentOrder, fill: BrokerFill, before: int, after: int
) -> Iterator[Event]:
    """An execution of an order whose own word is booked: money alone, and units beyond that word."""
    side = 1 if order.filled > 0 else -1
    low, high = (side * max(side * units, side * order.filled) for units in (before, after))
    known = (after - before) - (high - low)
    cost = round(known * fill.price * _unit(state, order)) + fill.fee
    owed = cost - order.told_cost * known // order.told
    key = order.parts[0][0]
    if owed:
        yield CashMoved(fill.at, SYSTEM, key.account_id, CashKind.ADJUSTMENT, -owed, order.symbol)
    rest = order.share(low, high) or ((key, 0),)  # of 0 units: it is known from now on
    yield from _booked(state, order, replace(fill, fee=0), rest)


def _given_back(state: PortfolioState, order: SentOrder, fill: BrokerFill, after: int) -> Iterator[Filled]:
    """What a comparison took for a stranger's, before this execution of an order that was over was told."""
    key = PositionKey(order.parts[0][0].account_id, order.symbol, "", EXTERNAL)
    adopted = state.positions.get(key)
    beyond = abs(after) - abs(order.filled)
    if order.is_open or beyond <= 0 or adopted is None or adopted.quantity * fill.side <= 0:
        return
    units = -fill.side * min(beyond, fill.quantity, abs(adopted.quantity))
    name = f"{fill.execution_id}/back"
    yield Filled(
        at=fill.at,
        actor=SYSTEM,
        request_id=name,
        execution_id=name,
        key=key,
        quantity=units,
        cost=adopted.cost * units // adopted.quantity,
        fee=0,
        final=True,
        used_opening=0,
        used_closing=0,
        used_quantity=0,
        beside=True,
    )


def _unit(state: PortfolioState, order: SentOrder) -> float:
    """Money in the base currency for a price of 1 of one unit."""
    instrument = state.instruments[order.symbol]
    return instrument.multiplier * (state.rate_of(instrument.currency) or 1.0)
