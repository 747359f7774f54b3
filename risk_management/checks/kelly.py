"""A bot's own record: the lower confidence bound of its Kelly exposure, times its share."""

from __future__ import annotations

from risk_management.checks._limit import gross_used, in_money
from risk_management.core.bot_room import kelly_limit
from risk_management.core.proposal import Proposal
from risk_management.model.trade import Finding

__all__ = ["check"]


def check(p: Proposal) -> Finding:
    """Binds from `min_trades` closed trades on; before, probation does."""
    limit = kelly_limit(p.bot, p.config, p.equity)
    if limit is None:
        return Finding("kelly", "KELLY_LIMIT", subject=p.request.bot)
    used = gross_used(p, p.state.totals.bots.get(p.request.bot, 0))
    return in_money("kelly", "KELLY_LIMIT", p, used, limit, p.request.bot)
