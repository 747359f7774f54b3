"""Trading modes of the portfolio, the strategy, the bot and the symbol; the strictest wins."""

from __future__ import annotations

from risk_management.core.proposal import Proposal
from risk_management.model.portfolio import TradingMode
from risk_management.model.trade import Finding

__all__ = ["check"]

_ACTIVE = Finding("mode", "REDUCING")


def check(p: Proposal) -> Finding:
    """Anything but ACTIVE opens nothing; neither does a request that says so itself."""
    own = (
        Finding("mode", "NOTHING_TO_CLOSE", 0.0, subject=p.request.symbol)
        if p.request.reduce_only
        else _ACTIVE
    )
    if not p.state.holds:
        return own
    strictest = None
    for hold in p.state.holds.values():
        if hold.stands_over(p.request, p.bot) and (
            strictest is None or hold.mode.severity > strictest.mode.severity
        ):
            strictest = hold
    if strictest is None or strictest.mode is TradingMode.ACTIVE:
        return own
    return Finding("mode", strictest.mode.name, 0.0, subject=f"{strictest.cause} ({strictest.reason})")
