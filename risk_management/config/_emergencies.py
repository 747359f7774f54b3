"""What the system does by itself: emergency rows, heartbeats, liquidations."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from risk_management.config._base import Fraction, Seconds, Settings

__all__ = ["EmergencyConfig", "EmergencyRowConfig", "HeartbeatConfig", "LiquidationConfig"]


class EmergencyRowConfig(Settings):
    """A user's own emergency: when `metric` reaches `threshold`, do `action`."""

    name: Annotated[str, Field(min_length=1, max_length=64)]
    metric: Annotated[str, Field(min_length=1, max_length=64)]
    """A word of the vocabulary, such as ``drawdown`` or ``var_utilization``."""
    threshold: float
    action: Literal[
        "warn",
        "scale_down",
        "halt_new_risk",
        "reduce_only",
        "cancel_open_orders",
        "reduce_correlated",
        "reduce_cluster",
        "trim",
        "halt",
        "liquidate",
    ]
    confirmations: Annotated[int, Field(ge=1, le=100)] = 1
    """Fresh assessments in a row that must show it, or trading days with `by_day`."""
    scope: Literal["portfolio", "strategy", "bot", "symbol"] = "portfolio"
    """What is measured and acted on."""
    subject: Annotated[str, Field(max_length=128)] = ""
    """Name of the strategy, bot or symbol; empty: each one for itself."""
    amount: Annotated[float | None, Field(ge=0.0, le=20.0)] = None
    """Multiplier of ``scale_down``; the fraction of equity that ``trim`` and ``reduce_cluster`` cut to."""
    cooldown: Seconds = 0.0
    """Seconds after it acted in which it does not act again."""
    release: float | None = None
    """It ends below this; by default below `threshold`."""
    release_after: Annotated[int, Field(ge=1, le=100)] = 1
    """Assessments, or trading days with `by_day`, in a row below `release`."""
    by_day: bool = False
    """Count trading days instead of assessments."""
    once_a_day: bool = False
    """Once it acted, it waits for the next trading day."""


class EmergencyConfig(Settings):
    """The automatic emergency protocols."""

    liquidation_drawdown: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.25
    """Drawdown at which the book is closed."""
    confirmations: Annotated[int, Field(ge=1, le=100)] = 3
    """Fresh assessments in a row before a liquidation; 1 on daily bars."""
    var_halt: Annotated[float, Field(gt=0.0, le=2.0)] = 0.95
    """Use of the VaR limit at which nothing that increases VaR is approved."""
    var_release: Annotated[float, Field(gt=0.0, le=2.0)] = 0.85
    """Use of the VaR limit below which that ends, after `var_release_days`."""
    var_release_days: Annotated[int, Field(ge=1, le=100)] = 2
    """Trading days below `var_release`."""
    var_trim: Annotated[float, Field(ge=1.0, le=10.0)] = 1.20
    """Use of the VaR limit at which the book is trimmed, after `var_trim_days`."""
    var_trim_days: Annotated[int, Field(ge=1, le=100)] = 3
    """Trading days above `var_trim`."""
    max_check_errors: Annotated[int, Field(ge=1, le=1000)] = 5
    """Failures of a check in a row that stop all trading."""
    rows: tuple[EmergencyRowConfig, ...] = ()
    """Further rows."""


class HeartbeatConfig(Settings):
    """The dead man's switch: seconds of silence after which only closing passes; 0 watches nobody."""

    bots: dict[str, Seconds] = Field(default_factory=dict)
    """By name of the bot, or ``*`` for all; a bot's requests are heartbeats."""
    feeds: Seconds = 60.0
    """Of a feed that sent a heartbeat once; from then on its prices are heartbeats too."""
    engine: Seconds = 60.0
    """Of the monitoring, once it was started."""
    halt_after: Annotated[float, Field(ge=1.0, le=1000.0)] = 3.0
    """Multiple of those seconds after which nothing passes any more until a person puts it back."""
    cancel_timer: Seconds = 0.0
    """Seconds after which the broker itself cancels all orders unless the monitoring goes on; 0: no timer."""


class LiquidationConfig(Settings):
    """How positions are closed when an emergency or a person wants them closed."""

    volume_share: Annotated[float, Field(gt=0.0, le=1.0)] = 0.10
    """Share of a symbol's volume that is taken while it is closed, spread over its trading day."""
    max_slices: Annotated[int, Field(ge=1, le=1000)] = 20
    """Most slices of one symbol."""
    crypto_slices: Annotated[int, Field(ge=1, le=1000)] = 4
    """Least slices of one coin, where each is more than the smallest order."""
    widest_spread: Annotated[float, Field(ge=1.0, le=1000.0)] = 5.0
    """Multiple of a symbol's normal spread from which on it waits."""
    half_spread: dict[str, Fraction] = Field(
        default_factory=lambda: {"equity": 0.0005, "index_fund": 0.0002, "crypto": 0.0010, "other": 0.0010}
    )
    """Half the spread that is reckoned with where none is told, a fraction of the price by asset class."""
    impact: Annotated[float, Field(ge=0.0, le=10.0)] = 1.0
    """Impact in daily volatilities of an order as large as a day's volume; it falls with the square root."""
    hedge_symbol: Annotated[str, Field(max_length=32)] = ""
    """Sold or bought against what can't be traded now; empty: nothing is hedged."""
    limit_tries: Annotated[int, Field(ge=0, le=100)] = 2
    """Orders at the price collar that may fill nothing before a market order is sent."""
    max_tries: Annotated[int, Field(ge=1, le=1000)] = 8
    """Orders of one symbol in a row that may fill nothing before people are called; it goes on, slower."""
    order_patience: Annotated[float, Field(gt=0.0, le=86_400.0)] = 10.0
    """Seconds that an order may fill nothing before it is cancelled and planned anew."""
    slow_pause: Annotated[float, Field(gt=0.0, le=86_400.0)] = 60.0
    """Seconds between two tries of a symbol after `max_tries`."""
