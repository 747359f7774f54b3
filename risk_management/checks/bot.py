"""Whether the bot is known and enabled, and asks for its own strategy."""

from __future__ import annotations

import math

from risk_management.core.fills import ACCOUNT_WIDE
from risk_management.core.proposal import Proposal
from risk_management.model.trade import Finding

__all__ = ["check"]

_NO_BOT = Finding("bot", "BOT_DISABLED")


def check(p: Proposal) -> Finding:
    """A disabled or unknown bot opens nothing, and no bot for another strategy; exits pass.

    Else a bot could spend what another strategy may use, by its name.
    """
    name = p.request.bot
    if name in ACCOUNT_WIDE:
        return _NO_BOT
    if p.bot is None:
        settings = p.config.bot_config
        may_come = settings.register_unknown and len(p.state.bots) < settings.max_bots
        cap = math.inf if may_come else 0.0
        return Finding("bot", "UNKNOWN_BOT", cap, subject=name)
    own = p.bot.strategy
    if own and p.bot.enabled and p.request.strategy != own:
        return Finding("bot", "OTHER_STRATEGY", 0.0, subject=f"{name} belongs to {own}")
    return Finding("bot", "BOT_DISABLED", math.inf if p.bot.enabled else 0.0, subject=name)
