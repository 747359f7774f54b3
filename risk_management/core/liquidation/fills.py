"""What a broker's fills of a liquidation's orders book: whose units, at what price, each once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from risk_management.core.evolve import rate_of
from risk_management.model.broker import BrokerFill
from risk_management.model.events import Filled
from risk_management.model.liquidation import Liquidation, SentOrder
from risk_management.model.portfolio import SYSTEM, PortfolioState

__all__ = ["booked_units", "fill_events"]


def fill_events(
    state: PortfolioState, liquidation: Liquidation, fills: Iterable[BrokerFill]
) -> Iterator[Filled]:
    """One event for each owner of each fill, in order; the same fills give the same ids and units.

    Parameters
    ----------
    state : PortfolioState
    liquidation : Liquidation
    fills : iterable of BrokerFill
        Every fill of its orders so far, the oldest first; others are left out.
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
        yield from _of(state, order, fill, before, after)


def booked_units(liquidation: Liquidation, fills: Iterable[BrokerFill]) -> dict[str, int]:
    """Signed ledger units that the fills of each of its orders add up to."""
    own = {order.client_order_id for order in liquidation.orders}
    units: dict[str, int] = {}
    for fill in fills:
        if fill.client_order_id in own:
            units[fill.client_order_id] = units.get(fill.client_order_id, 0) + fill.side * fill.quantity
    return units


def _of(
    state: PortfolioState, order: SentOrder, fill: BrokerFill, before: int, after: int
) -> Iterator[Filled]:
    instrument = state.instruments[order.symbol]
    price = fill.price * instrument.multiplier * (rate_of(state, instrument.currency) or 1.0)
    fee = fill.fee
    for number, (key, units) in enumerate(order.share(before, after)):
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
        )
        fee = 0  # the first owner's: it is one fee
