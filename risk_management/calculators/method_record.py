"""How one method did on one book: its forecasts held against the P&L that came."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from risk_management.calculators.walk_forward import YEAR, Forecasts
from risk_management.errors import InsufficientData, InvalidReturns, MeasureError, shown
from risk_management.measures._inputs import vector
from risk_management.measures.backtest import (
    BacktestResult,
    TrafficLight,
    acerbi_szekely_z2,
    christoffersen_independence,
    conditional_coverage,
    joint_loss,
    kupiec_pof,
    quantile_loss,
    traffic_light,
)

__all__ = ["MethodRecord", "held_against"]

Float = NDArray[np.float64]

REFUSED: Final = 0.01
"""Share of days without a figure above which no record is green: a method that falls silent in a crash has
not been tested there."""


@dataclass(frozen=True, slots=True)
class MethodRecord:
    """How one method did on one book.

    Parameters
    ----------
    method : str
    confidence : float
    days, exceptions : int
        Days with a VaR, and those whose loss passed it.
    refused : int
        Days on which the method gave none; they are in no other figure.
    expected : float
        Exceptions that the confidence promises.
    kupiec, independence, coverage : BacktestResult or None
        Whether their number, their independence and both together can be right; None where a test is
        not defined. Independence is judged on pairs of days running.
    worst_year : int
        Most exceptions in any 250 days of the calendar.
    light : TrafficLight
        Of the last 250 days of the calendar. Never green where more than `REFUSED` of them, or of all days,
        have no VaR.
    z2 : BacktestResult or None
        Acerbi and Szekely's second test of the expected shortfall; None where a day has no finite one.
    quantile_loss, joint_loss : float
        Mean losses of VaR, and of VaR and ES together (NaN where undefined); less is better.
    """

    method: str
    confidence: float
    days: int
    refused: int
    exceptions: int
    expected: float
    kupiec: BacktestResult | None
    independence: BacktestResult | None
    coverage: BacktestResult | None
    worst_year: int
    light: TrafficLight
    z2: BacktestResult | None
    quantile_loss: float
    joint_loss: float


def held_against(forecasts: Forecasts, pnl: ArrayLike, book: int = 0) -> tuple[MethodRecord, ...]:
    """Hold a method's forecasts against the P&L that came, one record a confidence.

    A day without a VaR is counted as refused. It stays in the calendar, so that years and pairs of days
    are what they say.

    Parameters
    ----------
    forecasts : Forecasts
    pnl : array_like of shape (T,)
        Returns of the book on all days, the ones before the first forecast too.
    book : int
        Column of the book in the forecasts.

    Raises
    ------
    InsufficientData
        No day has a forecast.
    InvalidReturns
        The P&L has other days than the forecasts, or there is no such book.
    """
    whole = vector(pnl, "pnl", 1)
    days, books = forecasts.var.shape[1:]
    if len(whole) != forecasts.first + days:
        raise InvalidReturns(
            f"pnl must have {forecasts.first + days} days, those before the first forecast too; "
            f"it has {len(whole)}"
        )
    if not 0 <= book < books:
        raise InvalidReturns(f"book must be one of the {books} columns, not {shown(book)}")
    came = whole[forecasts.first :]
    return tuple(
        _record(forecasts.method, confidence, came, forecasts.var[row, :, book], forecasts.es[row, :, book])
        for row, confidence in enumerate(forecasts.confidences)
    )


def _record(method: str, confidence: float, came: Float, var: Float, es: Float) -> MethodRecord:
    known = np.isfinite(var)
    if not known.any():
        raise InsufficientData(f"{method} gave no forecast at {confidence:g}")
    days = came < -var  # a day without a figure is no exception, and keeps its place
    adjacent = np.diff(np.flatnonzero(known)) == 1
    hits, came, var, es = days[known], came[known], var[known], es[known]
    counted = np.concatenate(([0], np.cumsum(days)))
    year = min(YEAR, len(days))
    whole = bool(np.isfinite(es).all())
    return MethodRecord(
        method=method,
        confidence=confidence,
        days=len(hits),
        refused=len(days) - len(hits),
        exceptions=int(hits.sum()),
        expected=len(hits) * (1.0 - confidence),
        kupiec=_tried(lambda: kupiec_pof(hits, confidence)),
        independence=_tried(lambda: christoffersen_independence(hits, adjacent)),
        coverage=_tried(lambda: conditional_coverage(hits, confidence, adjacent)),
        worst_year=int((counted[year:] - counted[:-year]).max()),
        light=_light(days, known, confidence),
        z2=_tried(lambda: acerbi_szekely_z2(came, var, es, confidence)) if whole else None,
        quantile_loss=quantile_loss(came, var, confidence),
        joint_loss=_loss(came, var, es, confidence) if whole else float("nan"),
    )


def _light(days: NDArray[np.bool_], known: NDArray[np.bool_], confidence: float) -> TrafficLight:
    """Of the last year's days with a VaR; yellow at best where too many days have none."""
    recent, told = days[-YEAR:], known[-YEAR:]
    silent = any(int((~some).sum()) > REFUSED * len(some) for some in (known, told))
    if not told.any():
        return TrafficLight("yellow", 0, 0, float("nan"))
    light = traffic_light(recent[told], confidence)
    return replace(light, zone="yellow") if silent and light.zone == "green" else light


def _tried(test: Callable[[], BacktestResult]) -> BacktestResult | None:
    try:
        return test()
    except MeasureError:
        return None


def _loss(came: Float, var: Float, es: Float, confidence: float) -> float:
    try:
        return joint_loss(came, var, es, confidence)
    except MeasureError:
        return float("nan")
