"""What equity owes to prices that moved far in one tick and are not sure yet."""

from __future__ import annotations

from risk_management.model.portfolio import PortfolioState
from risk_management.model.totals import Totals

__all__ = ["unsure_gain"]


def unsure_gain(state: PortfolioState, totals: Totals) -> int | None:
    """What held prices that are not sure add to equity beyond the last sure ones; None while all are sure.

    Parameters
    ----------
    state : PortfolioState
        Its quotes; its own sums may be of before them.
    totals : Totals
        The sums at those quotes.

    Returns
    -------
    int or None
        Ledger units, below zero for a loss.
    """
    if not state.unsure:
        return None
    gains = []
    for symbol in state.unsure:
        name, quote = totals.names.get(symbol), state.quotes[symbol]
        if name is not None and name.keys and quote.anchor is not None:
            gains.append(round(name.sides.net * (1.0 - quote.anchor / quote.price)))
    return sum(gains) if gains else None
