"""What a bot may hold: its own maximum, a share of it while it is on probation, what its record allows."""

from __future__ import annotations

from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.fills import ACCOUNT_WIDE
from risk_management.model.portfolio import Bot

__all__ = ["is_on_probation", "kelly_limit", "kelly_share", "maximum", "may_hold"]


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


def kelly_share(bot: Bot | None, config: RiskManagementConfig) -> float:
    """Fraction of the Kelly exposure that a bot may use: its own, or the configured one."""
    own = None if bot is None else bot.kelly_fraction
    return config.kelly_config.default_kelly_fraction if own is None else own


def kelly_limit(bot: Bot | None, config: RiskManagementConfig, equity: float) -> float | None:
    """Money: the lower confidence bound of its Kelly exposure times its share; None before it binds.

    A bot without a proven edge keeps `test_share` of its maximum: at zero its record could never change.
    """
    bound = None if bot is None else bot.record.kelly_bound
    if bound is None:
        return None
    least = config.kelly_config.test_share * maximum(bot, config, equity)
    return max(bound * kelly_share(bot, config) * equity, least)


def may_hold(
    name: str, bot: Bot | None, config: RiskManagementConfig, equity: float, size: float = 1.0
) -> float:
    """Money that an order of full confidence may lead to; `size` is what a drawdown leaves of it, 0 to 1."""
    share = config.bot_config.probation_share if is_on_probation(name, bot, config) else 1.0
    allowed = maximum(bot, config, equity) * share * size
    proven = kelly_limit(bot, config, equity)
    return allowed if proven is None else min(allowed, proven)
