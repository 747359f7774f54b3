"""What an order, a bot and a strategy may do."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from risk_management.config._base import Fraction, Leverage, PositiveMoney, Seconds, Settings
from risk_management.config._measures import Tiers

__all__ = ["BotConfig", "BudgetConfig", "OrderConfig"]


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
