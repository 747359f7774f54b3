"""Gross exposure of one bot: its own maximum, half of it while on probation."""

from __future__ import annotations

from risk_management.checks._limit import gross_used, in_money
from risk_management.core.bot_room import is_on_probation, maximum
from risk_management.core.fills import ACCOUNT_WIDE
from risk_management.core.proposal import Proposal
from risk_management.model.trade import Finding

__all__ = ["check"]

_NO_BOT = Finding("bot_exposure", "BOT_LIMIT")


def check(p: Proposal) -> Finding:
    """The bot that asks, scaled by drawdown and confidence."""
    if p.request.bot in ACCOUNT_WIDE:
        return _NO_BOT
    limit, code = maximum(p.bot, p.config, p.equity) * p.limit_scale, "BOT_LIMIT"
    if is_on_probation(p.request.bot, p.bot, p.config):
        limit, code = limit * p.config.bot_config.probation_share, "BOT_PROBATION"
    used = gross_used(p, p.state.totals.bots.get(p.request.bot, 0))
    return in_money("bot_exposure", code, p, used, limit, p.request.bot)
