"""Whether the bot is known and enabled."""

from __future__ import annotations

import math

from risk_management.core.fills import ACCOUNT_WIDE
from risk_management.core.proposal import Proposal
from risk_management.model.trade import Finding

__all__ = ["check"]

_NO_BOT = Finding("bot", "BOT_DISABLED")


def check(p: Proposal) -> Finding:
    """A disabled or unknown bot opens nothing; its exits pass."""
    name = p.request.bot
    if name in ACCOUNT_WIDE:
        return _NO_BOT
    if p.bot is None:
        settings = p.config.bot_config
        may_come = settings.register_unknown and len(p.state.bots) < settings.max_bots
        cap = math.inf if may_come else 0.0
        return Finding("bot", "UNKNOWN_BOT", cap, subject=name)
    return Finding("bot", "BOT_DISABLED", math.inf if p.bot.enabled else 0.0, subject=name)
