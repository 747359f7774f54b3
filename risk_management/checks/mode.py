"""Trading modes of the portfolio, the strategy, the bot and the symbol; the strictest wins."""

from __future__ import annotations

from risk_management.core.proposal import Proposal
from risk_management.model.portfolio import Hold, Scope, TradingMode
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
        if _stands_over(hold, p) and (strictest is None or hold.mode.severity > strictest.mode.severity):
            strictest = hold
    if strictest is None or strictest.mode is TradingMode.ACTIVE:
        return own
    return Finding("mode", strictest.mode.name, 0.0, subject=f"{strictest.cause} ({strictest.reason})")


def _stands_over(hold: Hold, p: Proposal) -> bool:
    if hold.scope is Scope.PORTFOLIO:
        return True
    if hold.scope is Scope.STRATEGY and p.bot is not None and hold.name == p.bot.strategy:
        return True  # a bot that names another strategy is of its own all the same
    names = {Scope.STRATEGY: p.request.strategy, Scope.BOT: p.request.bot, Scope.SYMBOL: p.request.symbol}
    return hold.name == names[hold.scope]
