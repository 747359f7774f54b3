"""What every open page is told when the book changes: how it stands, on how old data, what is wrong."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

from risk_management.core.reduction import marked
from risk_management.dashboard.bots import mode_of_bot
from risk_management.dashboard.freshness import feeds
from risk_management.dashboard.plain import Plain, plain
from risk_management.dashboard.present import present_alerts
from risk_management.dashboard.snapshot import Snapshot, headline, limit_row
from risk_management.model.money import SCALE
from risk_management.model.portfolio import TradingMode

if TYPE_CHECKING:
    from risk_management.core.risk_manager import AdvancedRiskManager

__all__ = ["pulse_view"]

MOST_ALERTS: Final = 50


def pulse_view(seen: Snapshot, manager: AdvancedRiskManager, now: datetime) -> Plain:
    """The row of vital signs with limits, holds, alerts that fire, bots and the age of every feed.

    Parameters
    ----------
    seen : Snapshot
    manager : AdvancedRiskManager
    now : datetime
        Of the engine's clock; ages count from it.
    """
    state, drawdown = seen.state, seen.state.drawdown
    active = manager.alert_manager.active
    moved = drawdown.value - drawdown.day_start
    said: Plain = plain(
        {
            "now": now,
            "day": {
                "began": drawdown.day,
                "pnl": moved * drawdown.units if seen.equity == seen.equity else None,
                "pnl_pct": moved / drawdown.day_start if drawdown.day_start > 0.0 else None,
            },
            "limits": [limit_row(use, seen.scenarios) for use in seen.assessment.limits],
            "metrics": dict(seen.assessment.metrics),
            "holds": list(state.holds.values()),
            "drawdown": seen.assessment.drawdown,
            "feeds": [feed._asdict() for feed in feeds(state, seen.config, now)],
            "unpriced": sorted(state.totals.unpriced),
            "alerts": present_alerts(active[:MOST_ALERTS], seen, now),
            "alerts_active": len(active),
            "bots": _bots(seen),
            "positions": len(state.positions),
            "exposure": sum(abs(marked(state, held)) for held in state.positions.values()) / SCALE,
            "pending": len(state.reservations),
            "store": {"kept": manager.book.journal is not None, "outage": manager.book.outage},
        }
    )
    return {**headline(seen), **said}


def _bots(seen: Snapshot) -> Plain:
    """Who may open positions, as far as modes go, and why others may not."""
    bots = seen.state.bots.values()
    held = {bot.name for bot in bots if mode_of_bot(seen.state, bot) is not TradingMode.ACTIVE}
    return {
        "known": len(bots),
        "may_open": sum(bot.enabled and bot.name not in held for bot in bots),
        "held": sorted(held),
        "disabled": {bot.name: bot.disabled_reason for bot in bots if not bot.enabled},
    }
