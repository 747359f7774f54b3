"""What may still be closed at the paper account: what an owner holds, less what closes it already."""

from __future__ import annotations

from collections.abc import Iterable

from risk_management.core.fills import ACCOUNT_WIDE
from risk_management.model.portfolio import PortfolioState, PositionKey, Reservation
from risk_management.model.totals import EMPTY_NAME

__all__ = ["close_of", "closes_of_liquidations", "closes_within"]

Part = tuple[PositionKey, int]
"""Whose position an order works on, and signed ledger units of the order."""


def closes_within(state: PortfolioState, approval: Reservation, at_work: Iterable[Part]) -> int:
    """Ledger units that an approval may close now.

    As at the decision: a bot closes its own, an operator the account's; in no case more than the account
    holds on that side less all closes that work.
    """
    key, side = approval.key, approval.side
    account = own = 0
    for held in state.totals.names.get(key.symbol, EMPTY_NAME).keys:
        units = -side * state.positions[held].quantity
        if held.account_id == key.account_id and units > 0:
            account += units
            own += units * (held.bot == key.bot)
    for owner, units in at_work:
        if (owner.account_id, owner.symbol) == (key.account_id, key.symbol) and units * side > 0:
            account -= abs(units)
            own -= abs(units) * (owner.bot == key.bot)
    return max(0, account if key.bot in ACCOUNT_WIDE else min(account, own))


def close_of(approval: Reservation, units: int) -> Part:
    """What of an approval's order of so many units closes."""
    return approval.key, approval.side * min(units, approval.closing_quantity)


def closes_of_liquidations(state: PortfolioState) -> list[Part]:
    """What orders of liquidations may still fill."""
    return [
        part
        for one in state.liquidations.values()
        if one.is_open
        for order in one.working
        if not order.is_hedge
        for part in order.share(order.filled, order.quantity)
    ]
