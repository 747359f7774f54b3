"""Correlations beside their own past: naive loops, a planted change of regime, markets that close apart."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from risk_management.calculators.kelly_optimizer import KellyOptimizer
from risk_management.calculators.var_calculator import VaRCalculator
from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.correlation_monitor import CorrelationMonitor
from risk_management.errors import InvalidRequest, InvalidReturns, UndefinedMeasure
from risk_management.measures.dependence import ledoit_wolf, matrix_distance


def monitor_of(returns, weights, **settings):
    closes = 100.0 * np.cumprod(1.0 + np.vstack((np.zeros(returns.shape[1]), returns)), axis=0)
    names = [f"N{n}" for n in range(returns.shape[1])]
    days = pd.bdate_range(end="2020-06-30", periods=len(closes))
    config = RiskManagementConfig().update(correlation_config={"method": "sample", **settings})
    monitor = CorrelationMonitor(config, prices=pd.DataFrame(closes, index=days, columns=names))
    monitor.update_positions(dict(zip(names, weights, strict=True)))
    return monitor


def test_the_distance_of_matrices():
    one, other = np.array([[1.0, 0.9], [0.9, 1.0]]), np.array([[1.0, -0.9], [-0.9, 1.0]])
    assert matrix_distance(one, one) == pytest.approx(0.0, abs=1e-12)
    assert matrix_distance(one, 3.0 * one) == pytest.approx(0.0, abs=1e-12)
    naive = 1.0 - np.trace(one @ other) / (np.linalg.norm(one) * np.linalg.norm(other))
    assert matrix_distance(one, other) == pytest.approx(naive)
    assert matrix_distance(np.diag([1.0, 0.0]), np.diag([0.0, 1.0])) == 1.0
    with pytest.raises(InvalidReturns):
        matrix_distance(one, np.eye(3))
    with pytest.raises(UndefinedMeasure):
        matrix_distance(one, np.zeros((2, 2)))


def test_every_point_is_numpy_on_its_window():
    returns = (
        0.01
        * np.random.default_rng(1).standard_normal((400, 3))
        @ np.array([[1.0, 0.5, 0.2], [0.0, 1.0, 0.3], [0.0, 0.0, 1.0]])
    )
    weights = np.array([0.5, 0.3, -0.2])
    study = monitor_of(returns, weights).study()
    values = returns[-study.observations :]
    assert len(study.dates) == (len(values) - study.span) // 20 + 1
    for point, end in ((-1, len(values)), (-4, len(values) - 60)):
        rho = np.corrcoef(values[end - study.span : end], rowvar=False)
        across = [(i, j) for i in range(3) for j in range(i + 1, 3)]
        total = sum(weights[i] * weights[j] * rho[i, j] for i, j in across)
        scale = sum(abs(weights[i] * weights[j]) for i, j in across)
        assert study.average_correlation[point] == pytest.approx(total / scale, abs=1e-9)
    worst = np.argsort(values.mean(axis=1))[: round(0.1 * len(values))]
    chosen = values[worst]
    cosine = chosen[:, 0] @ chosen[:, 1] / np.linalg.norm(chosen[:, 0]) / np.linalg.norm(chosen[:, 1])
    assert study.crisis_matrix[0, 1] == pytest.approx(cosine, abs=1e-9)
    assert (study.crisis_days, study.market) == (len(worst), "the held names")


def test_unlike_volatilities_leave_a_correlation_as_it_is():
    """A calm and a wild series that move as one: 0.99, and raw shrinkage over 60 days makes it 0.6."""
    rng = np.random.default_rng(4)
    common = rng.standard_normal((400, 1))
    returns = (common + 0.1 * rng.standard_normal((400, 2))) * np.array([0.002, 0.04])
    monitor = monitor_of(returns, [0.5, 0.5], method="ledoit_wolf")
    study, metrics = monitor.study(), monitor.analyze_correlations()
    values = monitor.state.model.matrix.values
    columns = [monitor.state.model.columns[s] for s in ("N0", "N1")]
    for found, days in ((study.average_correlation[-1], study.span), (metrics.average_correlation, 250)):
        recent = values[-days:][:, columns]
        rho = np.corrcoef(recent.T)[0, 1]
        # of two series as one the squared length has the fourth moment of 12: an intensity of 4 / days
        assert found == pytest.approx(rho * (1.0 - 4.0 / days), abs=0.02)
        raw = ledoit_wolf(recent).covariance
        assert raw[0, 1] / np.sqrt(raw[0, 0] * raw[1, 1]) < found - 0.1


def test_a_small_distance_is_not_said_to_be_none():
    rng = np.random.default_rng(5)
    study = monitor_of(
        0.01 * rng.standard_normal((600, 2)) + 0.02 * rng.standard_normal((600, 1)), [0.5, 0.5]
    ).study()
    assert 0.0 < study.distance[-1] < 0.005
    assert " 0.00 " not in study.explain()
    assert f"over {study.span} days" in study.explain()


def test_a_change_of_regime_is_seen():
    rng = np.random.default_rng(2)
    calm, shock = (
        rng.standard_normal((600, 4)),
        rng.standard_normal((70, 1)) + 0.1 * rng.standard_normal((70, 4)),
    )
    study = monitor_of(0.01 * np.vstack((calm, shock)), [0.25] * 4).study()
    assert study.regime_percentile == 1.0
    assert study.distance[-1] > 3.0 * np.median(study.distance[:-1])
    assert study.effective_bets[-1] < 0.5 * np.median(study.effective_bets[:-1])
    assert study.average_correlation[-1] > 0.9


def test_diversification_was_worth_less_in_the_crises_of_the_sample():
    monitor = CorrelationMonitor()
    monitor.update_positions({"SPY": 0.2, "AAPL": 0.2, "XOM": 0.2, "JNJ": 0.2, "JPM": 0.2})
    study = monitor.study()
    assert study.crisis_average > study.usual_average + 0.05
    assert study.market == "SPY and QQQ"
    assert "worst days" in study.explain()


def test_markets_that_close_apart_are_correlated_over_more_days():
    rng = np.random.default_rng(3)
    world = rng.standard_normal(601)
    early = 0.01 * (world[:-1] + 0.1 * rng.standard_normal(600))
    late = 0.01 * (world[1:] + 0.1 * rng.standard_normal(600))  # the same news a day later
    returns = np.column_stack((early, late))
    found = {
        days: monitor_of(returns, [0.5, 0.5], overlap_days=days).analyze_correlations().average_correlation
        for days in (1, 5)
    }
    assert abs(found[1]) < 0.25
    assert found[5] == pytest.approx(0.8, abs=0.12)


@pytest.mark.parametrize("weights", [{}, {"SPY": 0.5}])
def test_less_than_two_names_are_no_study(weights):
    monitor = CorrelationMonitor()
    if weights:
        monitor.update_positions(weights)
    with pytest.raises(InvalidRequest, match="two held names"):
        monitor.study()


@pytest.mark.parametrize("rate", [0.0, 0.0005])
def test_a_window_in_which_a_name_stands_still_has_no_correlation(rate):
    """Constant is not only zero: a fund of the money market earns the same every day."""
    returns = 0.01 * np.random.default_rng(4).standard_normal((400, 3))
    returns[200:300, 1] = rate
    study = monitor_of(returns, [0.3, 0.3, 0.3]).study()
    for date, average, distance in zip(study.dates, study.average_correlation, study.distance, strict=True):
        end = len(pd.bdate_range(date, "2020-06-30")) - 1
        window = returns[400 - end - study.span : 400 - end, 1]
        still = np.all(np.abs(window - rate) < 1e-12)
        assert np.isnan(average) == np.isnan(distance) == still
    assert np.isnan(study.average_correlation).sum() == 3
    assert np.isfinite(study.regime_percentile)
    ended = monitor_of(returns[:290], [0.3, 0.3, 0.3]).study()
    assert np.isnan(ended.regime_percentile)
    assert "stands still" in ended.explain()


def test_a_steady_rate_of_interest_stops_no_front():
    """The oracle of the VaR is numpy on the name that moves: the fund adds its .0005 every day."""
    returns = 0.01 * np.random.default_rng(5).standard_normal((400, 3))
    returns[:, 2] = 0.0005
    monitor = monitor_of(returns, [0.3, 0.3, 0.3])
    metrics = monitor.analyze_correlations()
    assert np.isnan(metrics.matrix[2]).all()
    assert np.isfinite(metrics.matrix[:2, :2]).all()
    assert any("N2 did not move" in note for note in metrics.notes)
    closes = 100.0 * np.cumprod(1.0 + np.vstack((np.zeros(3), returns)), axis=0)
    days = pd.bdate_range(end="2020-06-30", periods=401)
    prices = pd.DataFrame(closes, index=days, columns=["N0", "N1", "N2"])
    calculator = VaRCalculator(prices=prices)
    calculator.update_positions({"N0": 1_000.0, "N2": 2_000.0}, 10_000.0)
    found = calculator.calculate_portfolio_var(["historical"], [0.95], [1]).total_var["historical_0.95_1d"]
    assert found.var_value == pytest.approx(-np.quantile(1_000.0 * returns[:, 0] + 1.0, 0.05), rel=1e-9)
    assert KellyOptimizer(prices=prices).calculate_kelly_single_asset("N0").symbol == "N0"
