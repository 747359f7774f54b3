"""Names under which the system itself alerts: no rule of a user may be called so."""

from __future__ import annotations

from typing import Final

from risk_management.alerts.room import BLIND, CROWDED, UNJUDGED
from risk_management.core.alert_book import STORM
from risk_management.model.codes import Code

__all__ = ["reserved"]

_FAMILIES: Final = frozenset(
    {
        *("bot_off", "channel", "emergency", "heartbeat", "liquidation", "strategy_drawdown"),
        STORM.removesuffix(":"),
    }
)
"""What stands before the colon in a key that names somebody."""
_WORDS: Final = frozenset(
    {
        *(BLIND, CROWDED, UNJUDGED),
        *("broker", "broker_entries", "emergency_stop", "equity", "feed", "ledger"),
        *("monitoring_behind", "store"),
        *("summary", "system_error", "telegram_commands"),
    }
)


def reserved(rule_id: str) -> str:
    """Why a rule can't be called so, in a sentence; empty where it can.

    Else a silence meant for the rule would keep the system's own alert from people.
    """
    if rule_id.partition(":")[0] in _FAMILIES or rule_id in _WORDS or rule_id in Code.__members__:
        return f"rule_id {rule_id!r} is one under which the system itself alerts; choose another"
    return ""
