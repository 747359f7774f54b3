"""A bot's own record: the lower confidence bound of its Kelly exposure, times its share."""

from __future__ import annotations

from risk_management.checks._limit import at_equity, gross_used
from risk_management.core.proposal import Proposal
from risk_management.model.trade import Finding

__all__ = ["check"]


def check(p: Proposal) -> Finding:
    """Binds from `min_trades` closed trades on; before, probation does."""
    bound = None if p.bot is None else p.bot.record.kelly_bound
    if p.bot is None or bound is None:
        return Finding("kelly", "KELLY_LIMIT", subject=p.request.bot)
    share = p.bot.kelly_fraction
    if share is None:
        share = p.config.kelly_config.default_kelly_fraction
    used = gross_used(p, p.state.totals.bots.get(p.request.bot, 0))
    return at_equity("kelly", "KELLY_LIMIT", p, used, bound * share, p.request.bot)
