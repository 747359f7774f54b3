"""Correlations against pandas and plain loops; spikes where history had them, and none in calm."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
import pandas as pd
import pytest

from risk_management.config.risk_config import RiskManagementConfig, load_risk_config
from risk_management.core.correlation_monitor import (
    CorrelationMetrics,
    CorrelationMonitor,
    correlation_metrics,
)
from risk_management.core.foundation import Foundation, lay_foundation
from risk_management.core.risk_model import book_correlation
from risk_management.errors import InvalidRequest, SharedBookError
from risk_management.tests.measures.test_dependence import loop_ledoit_wolf
from risk_management.tests.monitors.fronts import front

STOCKS = ("AAPL", "BAC", "CVX", "GE", "JNJ", "JPM", "KO", "MSFT", "PEP", "PFE", "PG", "XOM")
WEIGHTS = dict.fromkeys(STOCKS, 0.08)
STAPLES = dict.fromkeys(("PG", "JNJ", "KO", "PEP", "WMT"), 0.1)
SAMPLE = RiskManagementConfig(correlation_config={"method": "sample"})


@pytest.fixture(scope="module")
def ages() -> Foundation:
    """The whole sample, so that a model of any day can be made."""
    return lay_foundation(RiskManagementConfig(market_data_config={"window": 10_000}))


def on_day(ages: Foundation, day: str, weights: dict[str, float], config=None):
    """The state that holds `weights` on the model of a past day."""
    config = config or RiskManagementConfig()
    preparation = dataclasses.replace(ages.preparation, config=config)
    rows = int(np.searchsorted(preparation.matrix.dates, np.datetime64(day), side="right"))
    monitor = front(CorrelationMonitor, ages, config)
    monitor.update_positions(weights)
    model = preparation.model(rows)
    # a model of another day has other clusters: the book is built on it anew
    laid = dataclasses.replace(monitor._foundation, model=model)
    monitor = front(CorrelationMonitor, laid, config)
    monitor.update_positions(weights)
    return monitor.state, config


def naive_spike(state, weights: dict[str, float]) -> tuple[str, set[str], float, float] | None:
    """The policy, word for word, with pandas: kind, pair, correlation, what is usual."""
    model = state.model
    returns = pd.DataFrame(model.matrix.values, columns=model.matrix.symbols)
    found = []
    for a, b in itertools.combinations(weights, 2):
        i, j = model.columns[a], model.columns[b]
        side = math.copysign(1, weights[a]) * math.copysign(1, weights[b])
        together = model.cluster[i] == model.cluster[j]
        aligned = side * model.cluster_sign[i] * model.cluster_sign[j] > 0
        if not (together and aligned and abs(weights[a]) + abs(weights[b]) > 0.10):
            continue
        rolling = side * returns[a].rolling(60).corr(returns[b])
        now, usual = rolling.iloc[-1], rolling.iloc[-250:].median()
        if now > 0.90 and now - usual >= 0.15:
            found.append((now - usual, "pair", {a, b}, now, usual))
    if found:
        return max(found, key=lambda item: item[0])[1:]
    history = naive_averages(returns, weights)
    usual = np.quantile(history[:-1], 0.99)
    if history[-1] > 0.70 and history[-1] > usual:
        return "average", set(), history[-1], usual
    return None


def naive_averages(returns: pd.DataFrame, weights: dict[str, float]) -> list[float]:
    values, money = returns[list(weights)].to_numpy(), list(weights.values())
    said = []
    for end in range(60, len(values) + 1):
        rho = np.corrcoef(values[end - 60 : end], rowvar=False)
        total = size = 0.0
        for i, j in itertools.combinations(range(len(money)), 2):
            total += money[i] * money[j] * rho[i, j]
            size += abs(money[i] * money[j])
        said.append(total / size)
    return said


@pytest.mark.parametrize(
    ("day", "weights", "kind"),
    [
        ("2005-06-01", WEIGHTS, None),
        ("2007-09-12", WEIGHTS, "pair"),
        ("2008-10-09", STAPLES, "average"),
        ("2008-12-01", STAPLES, "average"),
        ("2008-10-10", WEIGHTS, None),
        ("2011-08-23", WEIGHTS, "pair"),
        ("2011-09-22", WEIGHTS, "average"),
        ("2011-09-22", {**WEIGHTS, "CVX": -0.08, "GE": -0.08, "JPM": -0.1}, None),
        ("2013-06-03", WEIGHTS, None),
        ("2017-06-01", STAPLES, None),
        ("2020-03-12", WEIGHTS, "pair"),
        ("2020-04-01", WEIGHTS, "pair"),
        ("2022-10-10", WEIGHTS, "pair"),
    ],
)
def test_spikes_are_the_policy_word_for_word(ages, day, weights, kind):
    state, config = on_day(ages, day, weights)
    spike = correlation_metrics(state, config).spike
    expected = naive_spike(state, weights)
    assert (spike.kind if spike else None) == kind == (expected[0] if expected else None)
    if spike is not None and expected is not None:
        assert spike.correlation == pytest.approx(expected[2], abs=1e-9)
        assert spike.usual == pytest.approx(expected[3], abs=1e-9)
        assert set(spike.pair) == (expected[1] or set(spike.pair))
        assert spike.exposure == pytest.approx(sum(abs(weights[s]) for s in spike.pair))
        assert spike.cut in spike.pair
        assert f"{spike.correlation:.2f}" in spike.explain()


def test_calm_years_have_no_spike(ages):
    for day in pd.date_range("2016-12-01", "2017-12-01", freq="30D"):
        state, config = on_day(ages, str(day.date()), WEIGHTS)
        assert correlation_metrics(state, config).spike is None


def test_the_smaller_contributor_is_named(ages):
    weights = {**WEIGHTS, "AAPL": 0.20}
    del weights["PEP"]  # with KO it has risen more
    state, config = on_day(ages, "2020-03-12", weights)
    metrics = correlation_metrics(state, config)
    assert metrics.spike is not None
    assert set(metrics.spike.pair) == {"AAPL", "MSFT"}
    columns = [state.model.columns[s] for s in metrics.symbols]
    deviation = state.model.volatility[columns]
    contribution = {}
    for i, one in enumerate(metrics.symbols):
        contribution[one] = sum(
            weights[one] * weights[other] * metrics.matrix[i, j] * deviation[i] * deviation[j]
            for j, other in enumerate(metrics.symbols)
        )
    assert metrics.spike.cut == min(metrics.spike.pair, key=contribution.__getitem__) == "MSFT"
    assert "AAPL and MSFT" in metrics.spike.explain()


def measured(foundation, weights, config=SAMPLE, **more) -> CorrelationMetrics:
    monitor = front(CorrelationMonitor, foundation, config)
    monitor.update_positions(weights, **more)
    return monitor.analyze_correlations()


BOOK = {"SPY": 0.3, "AAPL": -0.2, "JPM": 0.15, "BTC": 0.05}


def test_matrix_is_that_of_pandas(foundation):
    metrics = measured(foundation, BOOK)
    matrix = foundation.model.matrix
    returns = pd.DataFrame(matrix.values, columns=matrix.symbols).iloc[-250:][list(BOOK)]
    assert metrics.symbols == tuple(BOOK)
    np.testing.assert_allclose(metrics.matrix, returns.corr().to_numpy(), atol=1e-12)
    assert (metrics.method, metrics.window, metrics.observations) == ("sample", 250, 250)
    with pytest.raises(ValueError, match="read-only"):
        metrics.matrix[0, 0] = 0.0


def test_the_shrunken_matrix_is_that_of_standardised_returns(foundation):
    """The oracle is the naive loop of Ledoit and Wolf on z-scores; scikit-learn gives 0.95833 for SPY/QQQ."""
    book = {"SPY": 0.3, "AAPL": -0.2, "JPM": 0.15, "XOM": 0.05}
    metrics = measured(foundation, book, RiskManagementConfig())
    matrix = foundation.model.matrix
    returns = matrix.values[-250:, [matrix.columns[s] for s in book]]
    expected, _ = loop_ledoit_wolf((returns - returns.mean(axis=0)) / returns.std(axis=0))
    np.testing.assert_allclose(metrics.matrix, expected, atol=1e-10)
    pair = measured(foundation, {"SPY": 0.3, "QQQ": 0.2}, RiskManagementConfig())
    assert pair.matrix[0, 1] == pytest.approx(0.958330, abs=1e-6)


def test_no_stand_in_and_no_wild_name_pulls_a_correlation(foundation):
    config = RiskManagementConfig()
    pair = measured(foundation, {"SPY": 0.3, "QQQ": 0.2}, config)
    unknown = {"SPY": 0.3, "QQQ": 0.2, "NEWCO": 0.1, "OTHERCO": 0.1}
    beside = measured(foundation, unknown, config)
    assert beside.matrix[0, 1] == pytest.approx(pair.matrix[0, 1], rel=1e-12)
    assert beside.matrix[2, 3] > 0.95  # one stand-in serves both
    matrix = foundation.model.matrix
    values = matrix.values[:, [matrix.columns[s] for s in ("SPY", "QQQ", "BTC")]]
    known = np.ones(3, dtype=bool)
    tame, wild = (book_correlation(values * [1.0, 1.0, k], config, known) for k in (1.0, 30.0))
    np.testing.assert_allclose(tame, wild, atol=1e-12)


def test_pairs_count_by_the_sides_held(foundation):
    metrics = measured(foundation, BOOK)
    total = size = 0.0
    signed = {}
    for (i, a), (j, b) in itertools.combinations(enumerate(BOOK), 2):
        signed[a, b] = metrics.matrix[i, j] * np.sign(BOOK[a] * BOOK[b])
        total += signed[a, b] * abs(BOOK[a] * BOOK[b])
        size += abs(BOOK[a] * BOOK[b])
    assert metrics.average_correlation == pytest.approx(total / size)
    assert metrics.max_pair == max(signed, key=signed.__getitem__)
    assert metrics.max_pairwise_correlation == pytest.approx(max(signed.values()))


def test_a_hedge_counts_negative(foundation):
    metrics = measured(foundation, {"SPY": 0.3, "QQQ": -0.2})
    assert metrics.max_pairwise_correlation < -0.9
    assert metrics.average_correlation == metrics.max_pairwise_correlation
    (cluster,) = metrics.clusters
    assert cluster.net == pytest.approx(0.1)
    assert cluster.gross == pytest.approx(0.5)
    assert metrics.spike is None


def test_every_held_name_is_in_one_cluster(foundation):
    metrics = measured(foundation, {**BOOK, "QQQ": 0.1})
    members = [s for cluster in metrics.clusters for s in cluster.symbols]
    assert sorted(members) == sorted(metrics.symbols)
    assert sum(c.gross for c in metrics.clusters) == pytest.approx(0.8)
    model = foundation.model
    for cluster in metrics.clusters:
        assert {model.cluster[model.columns[s]] for s in cluster.symbols} == {cluster.label}
        assert math.isnan(cluster.max_correlation) is (len(cluster.symbols) == 1)


def test_volatility_ratio_is_a_plain_recursion(foundation):
    metrics = measured(foundation, BOOK)
    matrix = foundation.model.matrix
    book = sum(w * matrix.values[:, matrix.columns[s]] for s, w in BOOK.items())
    squares, variance, said = book**2, 0.0, []
    for t, square in enumerate(squares, start=1):
        gain = max(1.0 - 0.94, 1.0 / t)
        variance += gain * (square - variance)
        said.append(math.sqrt(variance))
    assert metrics.volatility_ratio == pytest.approx(said[-1] / np.median(said), rel=1e-9)


def test_money_and_fractions_are_the_same_book(foundation):
    fractions = measured(foundation, BOOK)
    money = measured(foundation, {s: 10_000 * w for s, w in BOOK.items()}, portfolio_value=10_000)
    assert money.average_correlation == pytest.approx(fractions.average_correlation)
    assert [c.net for c in money.clusters] == pytest.approx([c.net for c in fractions.clusters])


@pytest.mark.parametrize("weights", [{}, {"SPY": 0.5}, {"SPY": 0.5, "QQQ": 0.0}])
def test_fewer_than_two_names_have_no_correlation(foundation, weights):
    metrics = measured(foundation, weights)
    for value in (
        metrics.max_pairwise_correlation,
        metrics.average_correlation,
        metrics.absorption_ratio,
        metrics.diversification_ratio,
        metrics.effective_bets,
    ):
        assert math.isnan(value)
    assert metrics.spike is None
    assert metrics.max_pair == ()
    assert "fewer than two" in metrics.notes[0]
    assert math.isnan(metrics.volatility_ratio) is (not weights)


@pytest.mark.parametrize("bad", [math.nan, math.inf, "0.3", None])
def test_weights_that_mean_nothing_change_nothing(foundation, bad):
    monitor = front(CorrelationMonitor, foundation)
    monitor.update_positions(BOOK)
    before = monitor.state
    with pytest.raises(InvalidRequest):
        monitor.update_positions({"SPY": bad})
    assert monitor.state is before


def test_a_shared_front_refuses(foundation):
    shared = CorrelationMonitor.on(foundation, foundation.new_book())
    with pytest.raises(SharedBookError, match="add_position"):
        shared.update_positions(BOOK)


def made_prices(usual: float, now: float, sign: float = 1.0, seed: int = 7) -> pd.DataFrame:
    """A and B that correlate by `usual`, over the last 60 days by `now`; C apart; D moved long ago."""
    rng = np.random.default_rng(seed)
    shape = 800
    common = rng.standard_normal(shape)
    strength = np.where(np.arange(shape) < shape - 60, usual, now)
    a = np.sqrt(strength) * common + np.sqrt(1 - strength) * rng.standard_normal(shape)
    b = np.sqrt(strength) * common + np.sqrt(1 - strength) * rng.standard_normal(shape)
    moves = {"A": a, "B": sign * b, "C": rng.standard_normal(shape)}
    moves["D"] = np.where(np.arange(shape) < 200, rng.standard_normal(shape), 0.0)
    dates = pd.bdate_range("2018-01-01", periods=shape + 1)
    closes = {s: 100 * np.cumprod(np.concatenate([[1.0], 1 + 0.01 * m])) for s, m in moves.items()}
    return pd.DataFrame(closes, index=dates)


@pytest.fixture(scope="module")
def made() -> Foundation:
    return lay_foundation(SAMPLE, prices=made_prices(0.78, 0.985))


@pytest.fixture(scope="module")
def mirrored() -> Foundation:
    return lay_foundation(SAMPLE, prices=made_prices(0.78, 0.985, sign=-1.0))


def test_a_made_pair_spikes(made):
    spike = measured(made, {"A": 0.10, "B": 0.05, "C": 0.3}).spike
    assert spike is not None
    assert (spike.kind, set(spike.pair), spike.cut) == ("pair", {"A", "B"}, "B")
    assert spike.exposure == pytest.approx(0.15)


def test_a_small_pair_does_not(made):
    assert measured(made, {"A": 0.06, "B": 0.03, "C": 0.3}).spike is None
    assert measured(made, {"A": 0.07, "B": 0.031, "C": 0.3}).spike is not None


def test_a_hedged_pair_does_not(made):
    assert measured(made, {"A": 0.2, "B": -0.2}).spike is None


def test_a_mirror_image_spikes_when_it_is_held_short(mirrored):
    assert measured(mirrored, {"A": 0.2, "B": 0.1}).spike is None
    spike = measured(mirrored, {"A": 0.2, "B": -0.1}).spike
    assert spike is not None
    assert spike.correlation > 0.9
    assert spike.cut == "B"


def test_a_pair_that_is_always_close_does_not():
    always = lay_foundation(SAMPLE, prices=made_prices(0.985, 0.985))
    metrics = measured(always, {"A": 0.2, "B": 0.2})
    assert metrics.max_pairwise_correlation > 0.9
    assert metrics.spike is None


def test_a_pair_that_hedges_the_rest_is_not_cut(ages):
    """Under a large short both lower the variance: without either the book would be riskier."""
    state, config = on_day(ages, "2020-03-12", {"AAPL": 0.10, "MSFT": 0.05, "QQQ": -0.5})
    spike = correlation_metrics(state, config).spike
    assert spike is not None
    assert set(spike.pair) == {"AAPL", "MSFT"}
    assert spike.cut == ""


def test_a_name_that_stands_still_is_undefined_not_zero(made):
    metrics = measured(made, {"A": 0.2, "C": 0.2, "D": 0.2})
    d = metrics.symbols.index("D")
    assert np.isnan(metrics.matrix[d]).all()
    assert np.isfinite(metrics.average_correlation)
    assert np.isfinite(metrics.diversification_ratio)
    assert any("D did not move" in note for note in metrics.notes)


def test_a_perfect_hedge_has_no_diversification_ratio(foundation):
    """Two unknown names of one class share a stand-in: their sum does not move."""
    metrics = measured(foundation, {"ZZZA": 0.2, "ZZZB": -0.2})
    assert math.isnan(metrics.diversification_ratio)
    assert metrics.max_pairwise_correlation == pytest.approx(-1.0)
    assert any("ZZZA" in said for said in metrics.leans_on)


def test_the_specified_snippet():
    config = load_risk_config()
    corr_monitor = CorrelationMonitor(config)
    corr_monitor.update_positions({"SPY": 0.3, "QQQ": 0.2, "AAPL": 0.15})
    metrics = corr_monitor.analyze_correlations()
    assert f"Max Correlation: {metrics.max_pairwise_correlation:.2%}".endswith("%")
    assert 0.9 < metrics.max_pairwise_correlation < 1.0
    assert f"Clusters Found: {len(metrics.clusters)}" == "Clusters Found: 1"
