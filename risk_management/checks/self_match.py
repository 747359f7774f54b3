"""Working orders of other bots of the same account on the other side."""

from __future__ import annotations

import math

from risk_management.core.proposal import Proposal
from risk_management.model.money import SCALE
from risk_management.model.trade import Finding

__all__ = ["check"]

_NONE = Finding("self_match", "SELF_MATCH")


def check(p: Proposal) -> Finding:
    """Reported, or refused where the settings say so."""
    for account, _, bot, sides in p.name.owners:
        working = sides.sells if p.request.side > 0 else sides.buys
        if working and account == p.request.account_id and bot != p.request.bot:
            cap = 0.0 if p.config.order_config.self_match == "deny" else math.inf
            return Finding("self_match", "SELF_MATCH", cap, working / SCALE, 0.0, "money", bot)
    return _NONE
