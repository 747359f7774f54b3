"""What a bot may hold: its own maximum, a share of it while it is on probation."""

from __future__ import annotations

from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.fills import ACCOUNT_WIDE
from risk_management.model.portfolio import Bot

__all__ = ["is_on_probation", "maximum", "may_hold"]


def maximum(bot: Bot | None, config: RiskManagementConfig, equity: float) -> float:
    """Money: the bot's own maximum, or the configured share of equity."""
    if bot is not None and bot.max_exposure is not None:
        return bot.max_exposure
    return config.bot_config.max_exposure * equity


def is_on_probation(name: str, bot: Bot | None, config: RiskManagementConfig) -> bool:
    """Whether a bot, known or not, has closed fewer trades than its record needs to speak for it."""
    if name in ACCOUNT_WIDE:
        return False
    return bot is None or bot.record.closed_trades < config.kelly_config.min_trades


def may_hold(name: str, bot: Bot | None, config: RiskManagementConfig, equity: float) -> float:
    """Money that an order of full confidence may lead to, before a drawdown makes it smaller."""
    share = config.bot_config.probation_share if is_on_probation(name, bot, config) else 1.0
    return maximum(bot, config, equity) * share
