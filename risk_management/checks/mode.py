"""Trading modes of the portfolio, the strategy, the bot and the symbol; the strictest wins."""

from __future__ import annotations

from risk_management.core.proposal import Proposal
from risk_management.model.portfolio import Hold, Scope, TradingMode
from risk_management.model.trade import Finding, TradeRequest

__all__ = ["check"]

_ACTIVE = Finding("mode", "REDUCING")


def check(p: Proposal) -> Finding:
    """Anything but ACTIVE opens nothing."""
    if not p.state.holds:
        return _ACTIVE
    strictest = None
    for hold in p.state.holds.values():
        if _stands_over(hold, p.request) and (
            strictest is None or hold.mode.severity > strictest.mode.severity
        ):
            strictest = hold
    if strictest is None or strictest.mode is TradingMode.ACTIVE:
        return _ACTIVE
    return Finding("mode", strictest.mode.name, 0.0, subject=f"{strictest.cause} ({strictest.reason})")


def _stands_over(hold: Hold, request: TradeRequest) -> bool:
    if hold.scope is Scope.PORTFOLIO:
        return True
    names = {Scope.STRATEGY: request.strategy, Scope.BOT: request.bot, Scope.SYMBOL: request.symbol}
    return hold.name == names[hold.scope]
