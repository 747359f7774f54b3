"""What it costs to trade at once: half the spread, and the square-root law of impact."""

from __future__ import annotations

import math

from risk_management.config.risk_config import LiquidationConfig
from risk_management.model.instrument import Instrument

__all__ = ["assumed_half_spread", "impact_cost", "seconds_for", "spread_cost"]

SESSION_SECONDS = {"24/7": 86_400.0}
"""Length of a trading day; six and a half hours where a calendar is not named here."""
STOCK_SESSION = 23_400.0


def assumed_half_spread(instrument: Instrument, settings: LiquidationConfig) -> float:
    """Half the spread that is reckoned with where no market tells it, as a fraction of the price."""
    known = settings.half_spread
    return known.get(instrument.asset_class, known.get("other", 0.0))


def spread_cost(notional: float, half_spread: float) -> float:
    """Money lost to half the spread.

    Parameters
    ----------
    notional : float
        Money, 0 or more.
    half_spread : float
        Fraction of the price.
    """
    return notional * half_spread


def impact_cost(
    notional: float, units: float, daily_volume: float, daily_volatility: float, coefficient: float
) -> float:
    """Money lost to one's own impact: coefficient x volatility x sqrt(units / daily volume).

    It is the whole order's impact at its end, charged to all of it: an upper figure, as the average price of
    an order under this law loses two thirds of it.

    Parameters
    ----------
    notional : float
        Money, 0 or more.
    units, daily_volume : float
        Units of the instrument; the volume above 0.
    daily_volatility : float
        Of the instrument's returns.
    coefficient : float
        Of order one in equities, futures and coins alike.

    References
    ----------
    Toth, Lemperiere, Deremble, de Lataillade, Kockelkoren, Bouchaud (2011), "Anomalous price impact and the
    critical nature of liquidity in financial markets", Physical Review X 1, 021006, eq. (1).
    """
    return notional * coefficient * daily_volatility * math.sqrt(units / daily_volume)


def seconds_for(units: float, daily_volume: float | None, share: float, calendar: str) -> float:
    """Seconds until a share of the usual volume is `units`; 0 where no volume is known.

    Parameters
    ----------
    units : float
    daily_volume : float or None
    share : float
        In (0, 1].
    calendar : str
        The instrument's: its trading day is 24 or six and a half hours long.
    """
    if not daily_volume:
        return 0.0
    return SESSION_SECONDS.get(calendar, STOCK_SESSION) * units / (share * daily_volume)
