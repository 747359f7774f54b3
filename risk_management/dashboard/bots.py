"""A card for every bot: its record, its limits and their use, and whether it may open positions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from risk_management.calculators.risk_budget import risk_budget
from risk_management.core.assessment import LimitUse
from risk_management.core.bot_room import is_on_probation, kelly_limit, kelly_share, maximum, may_hold
from risk_management.core.reduction import marked
from risk_management.dashboard.budgets import budget_view
from risk_management.dashboard.plain import Plain, plain
from risk_management.dashboard.snapshot import Snapshot, headline
from risk_management.model.money import SCALE
from risk_management.model.portfolio import Scope, TradingMode

if TYPE_CHECKING:
    from risk_management.model.portfolio import Bot, PortfolioState

__all__ = ["bots_view", "mode_of_bot"]


def bots_view(seen: Snapshot) -> Plain:
    """All registered bots in the order of their registration, and owners that are no bots."""
    state = seen.state
    shares = seen.assessment.heat.by_bot
    budget = None if state.budget is None else budget_view(risk_budget(state, seen.config, state.budget))
    by_strategy = {} if budget is None else {row["strategy"]: row for row in budget["strategies"]}
    return {
        **headline(seen),
        "bots": [
            {**_card(seen, bot), "budget": by_strategy.get(bot.strategy)} for bot in state.bots.values()
        ],
        "budget": budget,
        "others": {owner: plain(share) for owner, share in shares.items() if owner not in state.bots},
    }


def _card(seen: Snapshot, bot: Bot) -> Plain:
    state, record = seen.state, bot.record
    held = [p for p in state.positions.values() if p.key.bot == bot.name]
    open_profit = sum(marked(state, position) - position.cost for position in held) / SCALE
    total = record.realised / SCALE + open_profit
    card: Plain = plain(
        {
            "name": bot.name,
            "strategy": bot.strategy,
            "enabled": bot.enabled,
            "disabled_reason": bot.disabled_reason,
            "mode": mode_of_bot(seen.state, bot),
            "registered_at": bot.registered_at,
            "auto_registered": bot.auto_registered,
            "last_seen": record.last_seen,
            "decisions": {"approved": record.approved, "cut": record.cut, "refused": record.refused},
            "profit": {
                "realised": record.realised / SCALE,
                "open": open_profit,
                "total": total,
                "peak": record.peak / SCALE,
                "below_peak": max(0.0, record.peak / SCALE - total),
            },
            "trades": {"closed": record.closed_trades, "wins": record.wins, "win_rate": record.win_rate},
            "positions": len(held),
            "pending": sum(r.key.bot == bot.name for r in state.reservations.values()),
        }
    )
    return {**card, "limits": _limits(seen, bot)}


def _limits(seen: Snapshot, bot: Bot) -> Plain:
    """What the bot may hold, in money, as the gate has it for an order of full confidence."""
    budget = maximum(bot, seen.config, seen.equity)
    size = seen.state.drawdown.effective_multiplier
    limit = may_hold(bot.name, bot, seen.config, seen.equity, size)
    used = seen.state.totals.bots.get(bot.name, 0) / SCALE
    row: Plain = plain(
        {
            "max_exposure": budget,
            "limit": limit,
            "used": used,
            "use": used / limit if limit > 0.0 else None,
            "room": max(0.0, limit - used),
            "level": LimitUse("bot", bot.name, used, limit, "money", breach=budget).level,
            "on_probation": is_on_probation(bot.name, bot, seen.config),
            "trades_until_full": max(0, seen.config.kelly_config.min_trades - bot.record.closed_trades),
            "kelly_fraction": kelly_share(bot, seen.config),
            "kelly_limit": kelly_limit(bot, seen.config, seen.equity),
        }
    )
    return row


def mode_of_bot(state: PortfolioState, bot: Bot) -> TradingMode:
    """The strictest of the portfolio's, the strategy's and the bot's own mode."""
    modes = [
        state.mode,
        state.mode_of(Scope.STRATEGY, bot.strategy),
        state.mode_of(Scope.BOT, bot.name),
    ]
    return max(modes, key=lambda mode: mode.severity)
