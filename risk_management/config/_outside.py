"""Where prices come from, and the broker through which the system itself acts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from risk_management.config._base import PositiveMoney, Seconds, Settings

__all__ = ["AT_REST", "BrokerConfig", "MarketDataConfig"]

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
    sure_move: Annotated[float, Field(gt=0.0, le=1.0)] = 0.05
    """Change of a price in one step, as a fraction, beyond which it moves marks alone until the next quote; a
    rate is refused beyond it unless it is confirmed."""
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
