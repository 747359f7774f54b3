"""A bot's own record: the lower confidence bound of its Kelly exposure, times its share."""

from __future__ import annotations

from risk_management.checks._limit import bot_maximum, gross_used, in_money
from risk_management.core.proposal import Proposal
from risk_management.model.trade import Finding

__all__ = ["check"]


def check(p: Proposal) -> Finding:
    """Binds from `min_trades` closed trades on; before, probation does.

    A bot without a proven edge keeps `test_share` of its maximum: at zero its record could never change.
    """
    bound = None if p.bot is None else p.bot.record.kelly_bound
    if p.bot is None or bound is None:
        return Finding("kelly", "KELLY_LIMIT", subject=p.request.bot)
    share = p.bot.kelly_fraction
    if share is None:
        share = p.config.kelly_config.default_kelly_fraction
    limit = max(bound * share * p.equity, p.config.kelly_config.test_share * bot_maximum(p))
    used = gross_used(p, p.state.totals.bots.get(p.request.bot, 0))
    return in_money("kelly", "KELLY_LIMIT", p, used, limit, p.request.bot)
