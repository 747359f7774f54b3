"""Closes that others asked for beside a liquidation: together they trade no more than is held."""

from __future__ import annotations

from collections.abc import Iterable

from risk_management.core.fills import ACCOUNT_WIDE
from risk_management.model.liquidation import Part
from risk_management.model.portfolio import PortfolioState, Reservation
from risk_management.model.trade import TradeRequest

__all__ = ["closes_in_the_way", "working_closes"]


def closes_in_the_way(state: PortfolioState, parts: Iterable[Part]) -> tuple[Reservation, ...]:
    """Approved closes that with what is to be traded would trade more than their owner holds.

    Parameters
    ----------
    state : PortfolioState
    parts : iterable of (PositionKey, int)
        Signed ledger units that a liquidation trades.
    """
    found: dict[str, Reservation] = {}
    cut: dict[tuple[str, str, str, int], int] = {}
    for key, units in parts:
        if units:
            owner = (key.account_id, key.symbol, key.bot, 1 if units > 0 else -1)
            cut[owner] = cut.get(owner, 0) + abs(units)
    for (account, symbol, bot, side), units in cut.items():
        closes = [
            r
            for r in state.reservations.values()
            if r.closing_quantity
            and (r.key.account_id, r.key.symbol, r.side) == (account, symbol, side)
            and (r.key.bot == bot or r.key.bot in ACCOUNT_WIDE)
        ]
        if (
            closes
            and sum(r.closing_quantity for r in closes) > _held(state, account, symbol, bot, side) - units
        ):
            found.update((r.request_id, r) for r in closes)
    return tuple(found.values())


def _held(state: PortfolioState, account: str, symbol: str, bot: str, side: int) -> int:
    """Units of an owner that orders of a side close."""
    wanted = (account, symbol, bot)
    held = (p for k, p in state.positions.items() if (k.account_id, k.symbol, k.bot) == wanted)
    return sum(abs(p.quantity) for p in held if p.quantity * side < 0)


def working_closes(state: PortfolioState, request: TradeRequest) -> tuple[int, int]:
    """Units that orders of liquidations close on a request's side while they may fill.

    Returns
    -------
    all_of_them, of_its_bot : int
        Ledger units in the request's account, and of those what its own bot holds.
    """
    everybody = mine = 0
    for one in state.liquidations.values():
        if not one.is_open:
            continue
        for order in one.orders:
            if order.symbol != request.symbol or not order.is_open or order.is_hedge:
                continue
            for key, units in order.parts:
                if units * request.side > 0 and key.account_id == request.account_id:
                    everybody += abs(units)
                    mine += abs(units) * (key.bot == request.bot)
    return everybody, mine
