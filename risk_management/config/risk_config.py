"""Every limit and setting, with its unit and range.

`RiskManagementConfig()` alone reads neither files nor the environment; `load_risk_config()` does.
Money is in the base currency; every limit that is a share is a fraction (0.15 is 15 %) of equity.
"""

from __future__ import annotations

import hashlib
import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, field_validator

from risk_management.config._alerting import AlertConfig
from risk_management.config._base import (
    Fraction,
    Leverage,
    PositiveMoney,
    Settings,
    Symbol,
    readable_errors,
)
from risk_management.config._channels import channel_problems
from risk_management.config._emergencies import (
    EmergencyConfig,
    EmergencyRowConfig,
    HeartbeatConfig,
    LiquidationConfig,
)
from risk_management.config._levels import LEVELS
from risk_management.config._measures import (
    CorrelationConfig,
    DrawdownConfig,
    HeatConfig,
    KellyConfig,
    StressConfig,
    VaRConfig,
)
from risk_management.config._outside import AT_REST, BrokerConfig, MarketDataConfig
from risk_management.config._trading import BotConfig, BudgetConfig, OrderConfig
from risk_management.errors import ConfigurationError
from risk_management.model.alert import AlertChannel

__all__ = [
    "AT_REST",
    "AlertConfig",
    "BotConfig",
    "BrokerConfig",
    "BudgetConfig",
    "CorrelationConfig",
    "DrawdownConfig",
    "EmergencyConfig",
    "EmergencyRowConfig",
    "HeartbeatConfig",
    "HeatConfig",
    "KellyConfig",
    "LiquidationConfig",
    "MarketDataConfig",
    "OrderConfig",
    "PortfolioLimits",
    "RiskLevel",
    "RiskManagementConfig",
    "StressConfig",
    "VaRConfig",
    "load_risk_config",
]


class RiskLevel(StrEnum):
    """How much risk the account takes; sets every limit that was not set by hand."""

    CONSERVATIVE = "conservative"
    MODERATE = "moderate"
    AGGRESSIVE = "aggressive"


class PortfolioLimits(Settings):
    """Limits on what the book may hold, as fractions of equity unless said otherwise."""

    max_single_position: Fraction = 0.15
    """Largest net position in one stock, future or other single name."""
    max_index_fund_position: Leverage = 0.60
    """Largest net position in one broad index fund."""
    max_coin_position: Fraction = 0.10
    """Largest net position in one coin."""
    max_major_coin_position: Fraction = 0.20
    """Largest net position in a coin of `major_coins`."""
    major_coins: tuple[Symbol, ...] = ("BTC", "ETH", "BTC-USD", "ETH-USD", "BTC/USDT", "ETH/USDT")
    """Coins under `max_major_coin_position`."""
    max_sector_exposure: Leverage = 0.35
    """Largest net exposure to one sector; all unknown sectors share one. Broad index funds are no sector."""
    max_cluster_exposure: Leverage = 0.80
    """Largest net exposure to one signed correlation cluster."""
    max_strategy_exposure: Leverage = 0.60
    """Largest gross exposure of one strategy without a budget of its own."""
    strategy_budgets: dict[str, Leverage] = Field(default_factory=dict)
    """Gross exposure that a named strategy may have."""
    max_gross_exposure: Leverage = 1.00
    """Sum of all long and short exposures."""
    max_net_exposure: Leverage = 1.00
    """Absolute sum of signed exposures."""
    max_leverage: Leverage = 1.00
    """Gross exposure of one account over that account's own equity."""
    max_positions: Annotated[int, Field(ge=1, le=10_000)] = 30
    """Number of symbols held or approved."""
    min_cash: Fraction = 0.05
    """Cash that must remain after every approved purchase."""
    allow_shorts: bool = True
    """Whether a position may go below zero."""
    max_risk_per_trade: Fraction = 0.01
    """Open risk that one new trade may add (see the heat page for what open risk is)."""
    allow_symbols: tuple[Symbol, ...] = ()
    """Where not empty, nothing else may be opened."""
    deny_symbols: tuple[Symbol, ...] = ()
    """Never opened."""


PASSWORD = re.compile(r"//[^/@]*:[^/@]*@|password\s*=", re.IGNORECASE)
"""A password in the address of a store."""


class RiskManagementConfig(Settings):
    """All settings. `check()` holds them against each other; `digest()` names this set of them."""

    risk_level: RiskLevel = RiskLevel.MODERATE
    portfolio_value: PositiveMoney = 10_000.0
    """Initial capital, in the base currency; the first high-water mark."""
    base_currency: Annotated[str, Field(pattern=r"^[A-Z]{3,5}$")] = "USD"
    account_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.@-]{1,64}$")] = "main"
    environment: Literal["paper", "live", "replay"] = "paper"
    shadow_mode: bool = False
    """Decide and record, but block nothing."""
    store: str | None = None
    """Path of a durable store, or postgresql://user@host/database; None keeps the state in memory."""
    portfolio_limits: PortfolioLimits = Field(default_factory=PortfolioLimits)
    order_config: OrderConfig = Field(default_factory=OrderConfig)
    var_config: VaRConfig = Field(default_factory=VaRConfig)
    kelly_config: KellyConfig = Field(default_factory=KellyConfig)
    drawdown_config: DrawdownConfig = Field(default_factory=DrawdownConfig)
    correlation_config: CorrelationConfig = Field(default_factory=CorrelationConfig)
    stress_config: StressConfig = Field(default_factory=StressConfig)
    heat_config: HeatConfig = Field(default_factory=HeatConfig)
    bot_config: BotConfig = Field(default_factory=BotConfig)
    budget_config: BudgetConfig = Field(default_factory=BudgetConfig)
    emergency_config: EmergencyConfig = Field(default_factory=EmergencyConfig)
    heartbeat_config: HeartbeatConfig = Field(default_factory=HeartbeatConfig)
    liquidation_config: LiquidationConfig = Field(default_factory=LiquidationConfig)
    alert_config: AlertConfig = Field(default_factory=AlertConfig)
    market_data_config: MarketDataConfig = Field(default_factory=MarketDataConfig)
    broker_config: BrokerConfig = Field(default_factory=BrokerConfig)
    extensions: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Settings of third-party parts, by name."""

    @field_validator("store")
    @classmethod
    def _no_password(cls, store: str | None) -> str | None:
        """Settings are shown and written down."""
        if store is not None and PASSWORD.search(store):
            raise ValueError("leave the password out of the address; PGPASSWORD or ~/.pgpass holds it")
        return store

    def model_post_init(self, _context: Any) -> None:
        """Apply the level to everything that was not given."""
        self.adjust_for_risk_level()

    def adjust_for_risk_level(self) -> None:
        """Set every limit that was not set by hand to the value of `risk_level`.

        Calling it twice changes nothing; what was set explicitly beats the level.
        """
        index = list(RiskLevel).index(self.risk_level)
        for (section, name), values in LEVELS.items():
            group: Settings = getattr(self, section)
            if name in group.model_fields_set:
                continue
            value = values[index]
            current = group.__dict__[name]
            # merged so that a level never takes a class of asset away that the user added
            group.__dict__[name] = {**current, **value} if isinstance(value, dict) else value

    def update(self, **changes: Any) -> Self:
        """A checked copy with some settings changed; this object stays as it is.

        Parameters
        ----------
        **changes
            Top-level fields, or a dict of fields for a section:
            ``config.update(var_config={"daily_var_limit": 0.015})``.

        Raises
        ------
        ConfigurationError
            All mistakes at once.
        """
        copy = self.model_copy(deep=True)
        for name, value in changes.items():
            if name not in type(self).model_fields:
                raise ConfigurationError(f"{name}: no such setting, see 'risk config show'")
            group = getattr(copy, name)
            if isinstance(group, Settings) and isinstance(value, dict):
                for key, item in value.items():
                    setattr(group, key, item)
            else:
                setattr(copy, name, value)
        copy.adjust_for_risk_level()
        copy.check()
        return copy

    def check(self) -> None:
        """Hold the settings against each other.

        Raises
        ------
        ConfigurationError
            All contradictions at once, each with the remedy.
        """
        problems = [text for broken, text in _contradictions(self) if broken]
        problems += channel_problems(self.alert_config)
        if problems:
            raise ConfigurationError("; ".join(problems))

    def as_text(self) -> str:
        """JSON of all settings that a decision may depend on: no channels, no store, no broker."""
        return self.model_dump_json(exclude={"alert_config", "broker_config", "store"})

    def digest(self) -> str:
        """First 16 hexadecimal digits of the SHA-256 of `as_text`."""
        return hashlib.sha256(self.as_text().encode()).hexdigest()[:16]


def _unknown_channels(alerts: AlertConfig) -> list[str]:
    """Names that routes, escalation and summaries go to and that are no channel."""
    known = {*AlertChannel, *alerts.named_urls()}
    named = [name for route in alerts.routes for name in route.channels]
    return [
        name for name in (*named, *alerts.escalation_channels, *alerts.summary_channels) if name not in known
    ]


def _waits_too_long(config: RiskManagementConfig) -> bool:
    """Whether a feed that is polled as the settings say is silent for longer than they allow."""
    prices, allowed = config.market_data_config, config.heartbeat_config.feeds
    return prices.source not in AT_REST and 0.0 < allowed <= prices.poll_interval


def _contradictions(config: RiskManagementConfig) -> list[tuple[bool, str]]:
    unknown = _unknown_channels(config.alert_config)
    limits, drawdown, emergency = config.portfolio_limits, config.drawdown_config, config.emergency_config
    tail = config.var_config
    return [
        (
            limits.max_single_position > limits.max_gross_exposure,
            f"portfolio_limits.max_single_position ({limits.max_single_position:g}) is larger than "
            f"max_gross_exposure ({limits.max_gross_exposure:g}); lower it, or it can never bind",
        ),
        (
            limits.max_net_exposure > limits.max_gross_exposure,
            f"portfolio_limits.max_net_exposure ({limits.max_net_exposure:g}) is larger than "
            f"max_gross_exposure ({limits.max_gross_exposure:g}); lower it, or it can never bind",
        ),
        (
            bool(set(limits.allow_symbols) & set(limits.deny_symbols)),
            "portfolio_limits.allow_symbols and deny_symbols share a symbol; take it out of one",
        ),
        (
            drawdown.max_portfolio_drawdown > emergency.liquidation_drawdown,
            f"drawdown_config.max_portfolio_drawdown ({drawdown.max_portfolio_drawdown:g}) is larger than "
            f"emergency_config.liquidation_drawdown ({emergency.liquidation_drawdown:g}); "
            "entries must stop before the book is closed",
        ),
        (
            drawdown.weekly_loss_limit < drawdown.daily_loss_limit,
            f"drawdown_config.weekly_loss_limit ({drawdown.weekly_loss_limit:g}) is smaller than "
            f"daily_loss_limit ({drawdown.daily_loss_limit:g}); raise it",
        ),
        (
            tail.daily_es_limit < tail.daily_var_limit,
            f"var_config.daily_es_limit ({tail.daily_es_limit:g}) is smaller than daily_var_limit "
            f"({tail.daily_var_limit:g}); expected shortfall is the larger one",
        ),
        (
            emergency.var_release >= emergency.var_halt,
            f"emergency_config.var_release ({emergency.var_release:g}) must be smaller than var_halt "
            f"({emergency.var_halt:g})",
        ),
        (
            sum(config.budget_config.fixed_shares.values()) > 1.0 + 1e-9,
            "budget_config.fixed_shares add up to more than 1; lower them",
        ),
        (
            config.heat_config.warning_heat > config.heat_config.critical_heat,
            f"heat_config.warning_heat ({config.heat_config.warning_heat:g}) is larger than critical_heat "
            f"({config.heat_config.critical_heat:g}); lower it",
        ),
        (
            config.bot_config.min_confidence > config.bot_config.full_confidence,
            f"bot_config.min_confidence ({config.bot_config.min_confidence:g}) is larger than "
            f"full_confidence ({config.bot_config.full_confidence:g}); lower it",
        ),
        (
            config.market_data_config.source == "files" and config.market_data_config.path is None,
            "market_data_config.path is missing; the source 'files' needs a file or a folder",
        ),
        (
            _waits_too_long(config),
            f"market_data_config.poll_interval of {config.market_data_config.poll_interval:g} s is not "
            f"shorter than heartbeat_config.feeds, {config.heartbeat_config.feeds:g} s: a sound feed would "
            "stop trading; poll more often, or allow a longer silence",
        ),
        (
            bool(unknown),
            f"alert_config.routes, escalation_channels and summary_channels name {', '.join(unknown)}, "
            "which are no channels; there are "
            f"{', '.join((*AlertChannel, *config.alert_config.named_urls()))}",
        ),
        (
            config.broker_config.name is not None and config.broker_config.environment != config.environment,
            f"broker_config.environment is {config.broker_config.environment!r} and the book's environment "
            f"{config.environment!r}; say the same in both, a paper fill never reaches a live book",
        ),
    ]


def load_risk_config(path: str | Path | None = None, **overrides: Any) -> RiskManagementConfig:
    """Settings from, in this order: keywords, flat environment names, nested ones, TOML, defaults.

    Parameters
    ----------
    path : str or Path, optional
        A TOML file; without one the file that ``RISK_CONFIG`` names, if any.
    **overrides
        Top-level fields, or a dict of fields for a section.

    Raises
    ------
    ConfigurationError
        Every mistake with its key and source; values of secrets are not shown.

    Notes
    -----
    Nested names are ``RISK__<SECTION>__<FIELD>``, such as ``RISK__VAR_CONFIG__DAILY_VAR_LIMIT``.
    """
    from risk_management.config._sources import gather  # noqa: PLC0415 - pydantic-settings is read late

    values, names = gather(RiskManagementConfig, path, overrides)
    try:
        config = RiskManagementConfig.model_validate(values)
    except ValidationError as problem:
        raise ConfigurationError("\n".join(readable_errors(problem, names=names))) from None
    try:
        config.check()
    except ConfigurationError as problem:
        raise ConfigurationError(_with_sources(str(problem), names)) from None
    return config


def _with_sources(text: str, names: dict[str, str]) -> str:
    """The same problems, each setting of the environment with its variable: there it can be changed."""
    for key, source in names.items():
        if source.endswith("(environment)"):
            text = text.replace(f"{key}:", f"{key}, from {source}:")
    return text
