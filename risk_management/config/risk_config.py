"""Every limit and setting, with its unit and range.

`RiskManagementConfig()` alone reads neither files nor the environment; `load_risk_config()` does.
Money is in the base currency; every limit that is a share is a fraction (0.15 is 15 %) of equity.
"""

from __future__ import annotations

import hashlib
from datetime import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, Field, ValidationError

from risk_management.config._alerting import AlertConfig
from risk_management.config._base import (
    Fraction,
    Leverage,
    LocalTime,
    PositiveMoney,
    Seconds,
    Settings,
    ZoneName,
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

VaRMethod = Literal[
    "historical",
    "volatility_scaled",
    "filtered_historical",
    "age_weighted",
    "extreme_value",
    "parametric",
    "cornish_fisher",
    "student_t",
    "monte_carlo",
    "monte_carlo_full",
    "monte_carlo_copula",
    "monte_carlo_t",
]
"""The methods that ship; the names stand in result keys such as ``historical_0.95_1d``."""


def _checked_tiers(tiers: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
    shares, multipliers = [t[0] for t in tiers], [t[1] for t in tiers]
    fine = shares == sorted(set(shares)) and multipliers == sorted(set(multipliers), reverse=True)
    inside = all(0 < s <= 1 for s in shares) and all(0 <= m < 1 for m in multipliers)
    if not (tiers and fine and inside):
        raise ValueError("tiers need rising shares in (0, 1] with falling multipliers in [0, 1)")
    return tiers


Tiers = Annotated[tuple[tuple[float, float], ...], AfterValidator(_checked_tiers)]
"""Pairs of a rising share and a falling multiplier."""


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
    major_coins: tuple[str, ...] = ("BTC", "ETH", "BTC-USD", "ETH-USD", "BTC/USDT", "ETH/USDT")
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
    allow_symbols: tuple[str, ...] = ()
    """Where not empty, nothing else may be opened."""
    deny_symbols: tuple[str, ...] = ()
    """Never opened."""


class OrderConfig(Settings):
    """Limits on a single order and on the flow of orders."""

    min_trade_size: Annotated[float, Field(ge=0.0, le=1e13)] = 25.0
    """Smallest opening order, in money."""
    max_order_size: Leverage = 0.60
    """Largest opening order, as a fraction of equity."""
    max_order_quantity: PositiveMoney = 1e12
    """Largest opening order, in units of the instrument."""
    max_volume_share: Fraction = 0.01
    """Largest opening order as a share of the average daily volume, where that is known."""
    price_collar: Fraction = 0.05
    """Largest distance of a limit price from our own price; also the tolerance of fills in money."""
    max_orders_per_minute: Annotated[int, Field(ge=1, le=100_000)] = 20
    """Requests of one bot in any 60 seconds; refused ones count, closing ones do not."""
    max_orders_per_minute_total: Annotated[int, Field(ge=1, le=1_000_000)] = 200
    """Requests of all bots in any 60 seconds."""
    runaway_multiple: Annotated[float, Field(gt=1.0, le=1000.0)] = 3.0
    """Multiple of `max_orders_per_minute` at which a bot is switched off until a person puts it back."""
    duplicate_window: Seconds = 10.0
    """Seconds in which the same bot, symbol, side and size is one intent."""
    reservation_life: Seconds = 300.0
    """Seconds for which an approval may be sent to the broker."""
    self_match: Literal["report", "deny"] = "report"
    """What happens to an order that meets a working order of another bot of the account."""


class VaRConfig(Settings):
    """Value at risk and expected shortfall."""

    daily_var_limit: Fraction = 0.02
    """One-day VaR at 95 % by `default_method`."""
    daily_es_limit: Fraction = 0.035
    """One-day expected shortfall at 97.5 % by `default_method`."""
    default_method: Literal["historical", "volatility_scaled"] = "volatility_scaled"
    """The method of the gate and of the headline; works on a matrix of scenarios."""
    methods: tuple[VaRMethod, ...] = (
        "historical",
        "volatility_scaled",
        "parametric",
        "monte_carlo",
        "monte_carlo_t",
    )
    """Methods of the full report."""
    confidence_levels: tuple[Annotated[float, Field(gt=0.5, lt=1.0)], ...] = (0.95, 0.975, 0.99)
    """Confidence levels of the full report."""
    horizons: tuple[Annotated[int, Field(ge=1, le=250)], ...] = (1, 5, 10)
    """Horizons of the full report, in trading days."""
    scaling_decay: Annotated[float, Field(gt=0.5, lt=1.0)] = 0.88
    """Decay a day of the variances that `volatility_scaled` brings history to the present by."""
    downside_weight: Annotated[float, Field(ge=0.0, le=10.0)] = 2.0
    """Additional weight of a loss in those variances."""
    long_run_weight: Annotated[float, Field(ge=0.0, le=1.0)] = 0.1
    """Share of the whole window's mean square in those variances."""
    ewma_decay: Annotated[float, Field(gt=0.5, lt=1.0)] = 0.94
    """Decay a day of the volatilities that are shown and that stops are measured by."""
    backtest_multiplier: bool = True
    """Whether VaR and ES count for more while the live backtest stands in the yellow or red zone."""
    monte_carlo_simulations: Annotated[int, Field(ge=100, le=10_000_000)] = 10_000
    """Draws of one simulation."""
    draws: Literal["antithetic", "sobol"] = "antithetic"
    """Random draws with their mirror images, or scrambled quasi-random points."""
    margins: Literal["empirical", "student_t"] = "empirical"
    """Margins of a copula: each name's own returns, or a t law fitted to them, which reaches further."""
    seed: Annotated[int, Field(ge=0, le=2**63 - 1)] = 20_220_228
    """Seed of every simulation, together with the version of the state."""


class KellyConfig(Settings):
    """Position sizing by the growth of capital."""

    default_kelly_fraction: Fraction = 0.25
    """Share of the growth-optimal exposure that is used."""
    min_trades: Annotated[int, Field(ge=2, le=1_000_000)] = 50
    """Closed trades of a bot before its own record binds."""
    lower_bound: Annotated[float, Field(gt=0.0, lt=0.5)] = 0.25
    """Confidence bound of the bot's Kelly that is used."""
    test_share: Fraction = 0.25
    """Share of its maximum that a bot without a proven edge keeps, so that its record can change."""
    max_exposure: Leverage = 1.0
    """Largest exposure that an optimisation may give one asset."""
    max_leverage: Leverage = 1.0
    """Largest sum of absolute weights of an optimised portfolio."""
    allow_shorts: bool = False
    """Whether an optimised portfolio may hold shorts."""
    mean_shrinkage: Fraction = 0.5
    """Weight of the common mean in the estimated means; 1 ignores each asset's own."""


class DrawdownConfig(Settings):
    """Limits on losses from the high-water mark and over calendar spans."""

    max_portfolio_drawdown: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.15
    """Drawdown at which nothing is opened and the book is trimmed; the tiers scale with it."""
    tiers: Tiers = ((1 / 3, 0.75), (8 / 15, 0.50), (11 / 15, 0.25), (1.0, 0.0))
    """Pairs of share of `max_portfolio_drawdown` and position multiplier from there on."""
    hysteresis: Fraction = 0.02
    """How far back inside a tier the drawdown must come before its multiplier is lifted."""
    daily_loss_limit: Fraction = 0.03
    """Loss since the start of the trading day that turns the mode to REDUCING."""
    weekly_loss_limit: Fraction = 0.06
    """Loss since the start of the trading week."""
    rolling_loss_limit: Fraction = 0.10
    """Loss over the last `rolling_days` trading days."""
    rolling_days: Annotated[int, Field(ge=2, le=250)] = 20
    """Length of the rolling span, in trading days."""
    max_bot_drawdown: Fraction = 0.15
    """Loss of a bot from its peak, as a fraction of what it may hold, that disables its entries."""
    max_strategy_drawdown: Fraction = 0.15
    """The same for a strategy."""
    quarantine_jump: Fraction = 0.10
    """Change of equity in one step, without fills, cash or prices to explain it, that is not believed."""
    timezone: ZoneName = "America/New_York"
    """Zone of the trading day."""
    day_roll: LocalTime = time(18, 0)
    """Local time at which a trading day ends; closes of 21:00 UTC then belong to it all year round."""
    trades_weekends: bool = False
    """Whether Saturday and Sunday are trading days of their own; else they belong to Monday."""
    recovery_wait_days: Annotated[int, Field(ge=1, le=1000)] = 20
    """Trading days in a stop before the recovery tranche may open."""
    recovery_size: Fraction = 0.25
    """Multiplier of the first recovery tranche."""
    recovery_loss_budget: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.05
    """Loss from the tranche's start that closes it; every such gain doubles the tranche."""

    def tier_levels(self) -> tuple[tuple[float, float], ...]:
        """Pairs of drawdown (a fraction) and position multiplier, rising."""
        return tuple((share * self.max_portfolio_drawdown, multiplier) for share, multiplier in self.tiers)


class CorrelationConfig(Settings):
    """Correlations, clusters, and what counts as a spike."""

    method: Literal["sample", "ewma", "ledoit_wolf"] = "ledoit_wolf"
    """Estimator of the matrix."""
    window: Annotated[int, Field(ge=30, le=5000)] = 250
    """Returns that the estimate sees, in trading days."""
    overlap_days: Annotated[int, Field(ge=1, le=20)] = 1
    """Days over which returns are summed before they are correlated: 2 or 3 where markets close apart."""
    min_overlap: Annotated[int, Field(ge=10, le=5000)] = 60
    """Fewest common returns for a correlation."""
    ewma_decay: Annotated[float, Field(gt=0.5, lt=1.0)] = 0.97
    """Decay of the EWMA estimator."""
    cluster_threshold: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.70
    """Correlation above which names form one cluster."""
    warning_pair: Fraction = 0.85
    """Correlation of two held names that raises a warning."""
    spike_window: Annotated[int, Field(ge=20, le=250)] = 60
    """Returns of a short correlation, in trading days."""
    spike_pair: Fraction = 0.90
    """A pair spikes above this correlation ..."""
    spike_rise: Fraction = 0.15
    """... when it also stands this far above its own median of 250 days ..."""
    spike_weight: Fraction = 0.10
    """... and the pair is more than this fraction of equity."""
    spike_average: Fraction = 0.70
    """The weighted average of the book spikes above this, and above its own 99th percentile."""
    volatility_spike: Annotated[float, Field(gt=1.0, le=20.0)] = 2.0
    """Ratio of the book's present EWMA volatility to its own median that counts as a spike."""


class StressConfig(Settings):
    """Scenario losses."""

    max_stress_loss: Fraction = 0.25
    """Largest loss in any one- or ten-day gate scenario; a scenario above it is not passed."""
    critical_loss: Fraction = 0.50
    """Loss in any scenario, whole crises included, that is a critical failure."""
    scenario_dir: Path | None = None
    """Folder with a user's own scenario files."""
    unknown_beta: Annotated[float, Field(ge=1.0, le=5.0)] = 1.5
    """Beta to the market of a symbol of which nothing is known."""


class HeatConfig(Settings):
    """Portfolio heat: open risk over its budget."""

    max_open_risk: Fraction = 0.08
    """Open risk that is heat 100, as a fraction of equity."""
    warning_heat: Annotated[float, Field(ge=0.0, le=100.0)] = 60.0
    """Heat that raises a warning, 0 to 100."""
    critical_heat: Annotated[float, Field(ge=0.0, le=100.0)] = 80.0
    """Heat that raises a critical alert, 0 to 100."""
    volatility_multiple: Annotated[float, Field(gt=0.0, le=20.0)] = 3.0
    """Daily volatilities that a position without a stop is taken to risk."""
    min_risk: Fraction = 0.05
    """Least share of the notional that a position without a stop is taken to risk."""
    min_risk_crypto: Fraction = 0.10
    """The same for coins."""


class BotConfig(Settings):
    """What a bot may do unless its registration says otherwise."""

    register_unknown: bool = True
    """Whether a bot that asks for the first time is registered with these limits, or refused."""
    max_bots: Annotated[int, Field(ge=1, le=100_000)] = 1000
    """Bots that may be known; beyond them one that asks for the first time is refused."""
    max_exposure: Leverage = 0.25
    """Gross exposure of one bot."""
    probation_share: Fraction = 0.5
    """Share of its exposure that a bot may use before it has `kelly_config.min_trades` closed trades."""
    full_confidence: Fraction = 0.70
    """Confidence from which a request is taken at its full size."""
    min_confidence: Fraction = 0.40
    """Confidence below which a request is refused."""
    low_confidence_multiplier: Fraction = 0.5
    """Multiplier at `min_confidence`; linear in between."""
    max_losses_in_a_row: Annotated[int, Field(ge=0, le=10_000)] = 0
    """Closed trades with a loss in a row that switch a bot off until a person puts it back; 0: never."""
    max_rejects_in_a_row: Annotated[int, Field(ge=0, le=10_000)] = 10
    """Approved orders in a row that were reported as not filled, the same; 0: never."""
    max_errors_in_a_row: Annotated[int, Field(ge=0, le=10_000)] = 50
    """Malformed requests in a row of a registered bot, the same; 0: never."""


class BudgetConfig(Settings):
    """A risk budget split over strategies."""

    method: Literal["off", "equal", "inverse_volatility", "risk_parity", "sharpe", "fixed"] = "off"
    """How the budget is split by itself, on the first look and then every `rebalance_days`."""
    measure: Literal["var", "es", "drawdown"] = "es"
    """What is split: one-day VaR at 95 %, expected shortfall at 97.5 %, or loss from each strategy's peak."""
    limit_share: Leverage = 1.0
    """The whole budget, as a multiple of the portfolio's own limit on that measure."""
    fixed_shares: dict[str, Fraction] = Field(default_factory=dict)
    """Shares of the method ``fixed``, by strategy; the others split what these leave."""
    borrowing: Literal["none", "unused", "pro_rata"] = "none"
    """Whether a strategy may use what others leave: first come first served, or each in proportion."""
    borrow_cap: Leverage = 0.5
    """Most that a strategy may borrow, as a multiple of its own budget."""
    drawdown_tiers: Tiers = (
        (1 / 3, 0.75),
        (8 / 15, 0.50),
        (11 / 15, 0.25),
        (1.0, 0.0),
    )
    """Pairs of share of `drawdown_config.max_strategy_drawdown` and the budget's multiplier from there on."""
    hysteresis: Fraction = 0.02
    """How far back inside a tier a strategy's drawdown must come before its multiplier is lifted."""
    min_days: Annotated[int, Field(ge=20, le=250)] = 60
    """Days of its own that a strategy needs before its record is measured; else its present positions are."""
    rebalance_days: Annotated[int, Field(ge=1, le=1000)] = 20
    """Trading days from one split to the next."""


AT_REST: Final = frozenset({"sample", "files"})
"""Sources that have no newer prices, and are not polled."""


class MarketDataConfig(Settings):
    """Where prices come from and how old they may be."""

    source: Annotated[str, Field(min_length=1)] = "sample"
    """Name of a source: sample, files, yahoo, exchange, or one of an extension."""
    path: Path | None = None
    """File or folder of the source ``files``."""
    exchange: str | None = None
    """Exchange of the source ``exchange``, in ccxt's words."""
    window: Annotated[int, Field(ge=60, le=10_000)] = 1250
    """Daily returns that the measures see."""
    min_observations: Annotated[int, Field(ge=20, le=10_000)] = 120
    """Fewest own returns of a symbol; below, a proxy or a stand-in serves."""
    max_gap: Annotated[int, Field(ge=0, le=60)] = 5
    """Trading days without a price that a return may span."""
    proxies: dict[str, str] = Field(default_factory=dict)
    """Symbol whose returns serve for another's."""
    sectors: dict[str, str] = Field(default_factory=dict)
    """Sector of a symbol, before the map that ships."""
    asset_classes: dict[str, str] = Field(default_factory=dict)
    """Class of a symbol: equity, index_fund, crypto, ..., before the map that ships."""
    stale_days: Annotated[int, Field(ge=1, le=60)] = 4
    """Calendar days after which a daily series is stale."""
    quote_age: dict[str, Seconds] = Field(
        default_factory=lambda: {"equity": 60.0, "index_fund": 60.0, "crypto": 15.0, "other": 60.0}
    )
    """Seconds after which a quote authorises nothing, by asset class."""
    poll_interval: Seconds = 15.0
    """Seconds between two pulls of a living source's prices while monitoring runs; 0 leaves it to others."""
    quote_jump: Annotated[float, Field(gt=0.0, le=100.0)] = 0.5
    """Change of a price in one step, as a fraction, that a second quote must confirm."""
    stand_in_volatility: dict[str, PositiveMoney] = Field(
        default_factory=lambda: {"equity": 0.60, "index_fund": 0.40, "crypto": 1.20, "other": 0.80}
    )
    """Least annual volatility of the stand-in for a symbol without history, by asset class."""


class BrokerConfig(Settings):
    """The broker through which the risk system itself acts; bots send their orders themselves.

    Keys come from the environment: ``ALPACA_API_KEY`` and ``ALPACA_SECRET_KEY``, or ``EXCHANGE_API_KEY``,
    ``EXCHANGE_SECRET`` and ``EXCHANGE_PASSWORD``.
    """

    name: Annotated[str, Field(min_length=1)] | None = None
    """Name of a broker: paper, alpaca, ccxt, or one of an extension; None works without one."""
    environment: Literal["paper", "live"] = "paper"
    """``live`` trades money: it has to be said here and in the book's own `environment`."""
    account_id: str | None = None
    """Account of the book that it keeps, by default the book's `account_id`."""
    symbols: dict[str, str] = Field(default_factory=dict)
    """The broker's name by ours, where they differ and can't be derived."""
    poll_interval: Annotated[float, Field(ge=1.0, le=3600.0)] = 30.0
    """Seconds between two reconciliations while monitoring runs."""
    cash_tolerance: Annotated[float, Field(ge=0.0, le=0.05)] = 0.001
    """Share of equity by which cash may differ, all of a trading day together, without a hold."""
    timeout: Annotated[float, Field(gt=0.0, le=120.0)] = 10.0
    """Seconds to wait for an answer."""
    options: dict[str, Any] = Field(default_factory=dict)
    """What this broker alone understands, see docs/brokers.md."""


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
    """Address of a durable store; None keeps the state in memory."""
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
    return [
        (
            limits.max_single_position > limits.max_gross_exposure,
            "portfolio_limits.max_single_position is larger than max_gross_exposure; lower it, "
            "or it can never bind",
        ),
        (
            limits.max_net_exposure > limits.max_gross_exposure,
            "portfolio_limits.max_net_exposure is larger than max_gross_exposure; lower it, "
            "or it can never bind",
        ),
        (
            bool(set(limits.allow_symbols) & set(limits.deny_symbols)),
            "portfolio_limits.allow_symbols and deny_symbols share a symbol; take it out of one",
        ),
        (
            drawdown.max_portfolio_drawdown > emergency.liquidation_drawdown,
            "drawdown_config.max_portfolio_drawdown is larger than emergency_config.liquidation_drawdown; "
            "entries must stop before the book is closed",
        ),
        (
            drawdown.weekly_loss_limit < drawdown.daily_loss_limit,
            "drawdown_config.weekly_loss_limit is smaller than daily_loss_limit; raise it",
        ),
        (
            config.var_config.daily_es_limit < config.var_config.daily_var_limit,
            "var_config.daily_es_limit is smaller than daily_var_limit; expected shortfall is the larger one",
        ),
        (
            emergency.var_release >= emergency.var_halt,
            "emergency_config.var_release must be smaller than var_halt",
        ),
        (
            sum(config.budget_config.fixed_shares.values()) > 1.0 + 1e-9,
            "budget_config.fixed_shares add up to more than 1; lower them",
        ),
        (
            config.heat_config.warning_heat > config.heat_config.critical_heat,
            "heat_config.warning_heat is larger than critical_heat; lower it",
        ),
        (
            config.bot_config.min_confidence > config.bot_config.full_confidence,
            "bot_config.min_confidence is larger than full_confidence; lower it",
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
