"""`run_demo`: every period in every arm, and what was measured."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np

from risk_management.core.foundation import Foundation
from risk_management.demo.accounting import CostModel
from risk_management.demo.gate import GatedRun, prepare, run_gated
from risk_management.demo.market import PERIODS, PROXIES, Market, Period
from risk_management.demo.records import DemoResult, PeriodResult
from risk_management.demo.simulation import (
    Path,
    at_exposure,
    buy_and_hold,
    run_ungated,
    run_volatility_target,
)
from risk_management.demo.statistics import arm_result, by_bot, forgone, refusals, survivorship

__all__ = ["CAPITAL", "Progress", "days_of", "run_demo", "run_period"]

CAPITAL = 10_000.0
START_VOLATILITY = 0.01

Progress = Callable[[Period, int, int], None]
"""Told the period, the days of it that are done, and all days of it."""


def run_demo(
    periods: Sequence[Period] = PERIODS,
    *,
    capital: float = CAPITAL,
    progress: Progress | None = None,
    market: Market | None = None,
    costs: CostModel | None = None,
) -> DemoResult:
    """Four bots through each period, with and without the gate.

    Parameters
    ----------
    periods : sequence of Period
        Each starts afresh.
    capital : float
        Money at the start of each.
    progress : callable, optional
    market : Market, optional
        The embedded sample without one.
    costs : CostModel, optional

    Returns
    -------
    DemoResult
    """
    began = time.perf_counter()
    market = market or Market.sample()
    costs = costs or CostModel()
    foundation = prepare(market, capital)
    results = tuple(run_period(market, foundation, one, capital, costs, progress) for one in periods)
    notes = dict.fromkeys(i.note for i in market.history.info.values() if i.note)
    return DemoResult(
        capital=capital,
        periods=results,
        survivorship=survivorship(market),
        commission=costs.commission,
        half_spread=costs.half_spread,
        daily_volume=costs.daily_volume,
        decisions=sum(r.asked + r.exits for r in results),
        seconds=time.perf_counter() - began,
        leans_on=("sample data, for demonstration", *notes),
    )


def run_period(
    market: Market,
    foundation: Foundation,
    period: Period,
    capital: float,
    costs: CostModel,
    progress: Progress | None = None,
) -> PeriodResult:
    """One period in all its arms."""
    rows = market.rows(period)

    def seen(row: int) -> None:
        if progress is not None:
            progress(period, row - rows[0] + 1, len(rows))

    gated = run_gated(market, foundation, rows, capital, costs, seen=seen)
    arms = (gated.path, *_reference_arms(market, rows, capital, costs, float(gated.path.exposure.mean())))
    return _result(market, period, rows, gated, arms, capital)


def days_of(periods: Sequence[Period], market: Market) -> int:
    """Trading days of several periods together."""
    return sum(len(market.rows(period)) for period in periods)


def _reference_arms(
    market: Market, rows: range, capital: float, costs: CostModel, exposure: float
) -> tuple[Path, ...]:
    """Ungated; ungated and volatility target at an average exposure; the stocks held."""
    bots = run_ungated(market, rows, capital, costs)

    def scaled(share: float) -> Path:
        return run_ungated(market, rows, capital, costs, share=share, name="same exposure")

    def targeted(volatility: float) -> Path:
        return run_volatility_target(market, rows, capital, costs, bots, volatility)

    whole = max(float(bots.exposure.mean()), 1e-9)
    return (
        bots,
        at_exposure(scaled, exposure, exposure / whole),
        at_exposure(targeted, exposure, START_VOLATILITY),
        buy_and_hold(market, rows, capital, costs),
    )


def _result(
    market: Market,
    period: Period,
    rows: range,
    gated: GatedRun,
    arms: Sequence[Path],
    capital: float,
) -> PeriodResult:
    entries = [d for d in gated.decisions if d.side > 0]
    exits = [d for d in gated.decisions if d.side < 0]
    outcomes = [d.outcome for d in entries]
    index = market.history.closes[:, market.history.symbols.index(PROXIES[0])]
    return PeriodResult(
        name=period.name,
        start=str(market.dates[rows[0]]),
        end=str(market.dates[rows[-1]]),
        calm=period.calm,
        days=len(rows),
        arms=tuple(arm_result(path, capital) for path in arms),
        asked=len(entries),
        approved=outcomes.count("approved"),
        cut=outcomes.count("cut"),
        refused=outcomes.count("refused"),
        exits=len(exits),
        exits_refused=sum(d.outcome != "approved" for d in exits),
        by_bot=by_bot(entries),
        refusals=refusals(entries),
        forgone=forgone(market, entries),
        events=gated.events,
        alerts=gated.alerts,
        measures=gated.measures,
        mode_days=gated.mode_days,
        cancelled=gated.cancelled,
        protective=gated.protective,
        closed_days=gated.closed_days,
        index_return=float(np.divide(index[rows[-1]], index[rows[0]])) - 1.0,
    )
