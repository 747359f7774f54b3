"""VaR walked forward: no look into the future, the same figures as the calculator, and the known verdicts."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from risk_management.calculators.kelly_optimizer import KellyOptimizer
from risk_management.calculators.method_record import held_against
from risk_management.calculators.var_backtest import backtest_book
from risk_management.calculators.var_calculator import VaRCalculator
from risk_management.calculators.var_methods import VAR_METHODS
from risk_management.calculators.walk_forward import FIRST, WALKED, Forecasts, walk_forward
from risk_management.clock import ManualClock
from risk_management.config.risk_config import RiskManagementConfig, VaRConfig
from risk_management.core.foundation import lay_foundation
from risk_management.errors import (
    InsufficientData,
    InvalidRequest,
    InvalidReturns,
    MarketDataError,
    MeasureError,
)
from risk_management.market_data.sample import sample_history
from risk_management.measures.tail import (
    filtered_historical_es,
    filtered_historical_var,
    historical_es,
    historical_var,
    tails_of_columns,
)
from risk_management.measures.volatility import adaptive_returns

FAST = ("volatility_scaled", "historical", "historical_250", "parametric", "age_weighted")


@pytest.fixture(scope="module")
def spy():
    history = sample_history()
    closes = history.closes[:, history.symbols.index("SPY")]
    known = np.isfinite(closes) & (history.dates < np.datetime64("2022-01-01"))
    closes = closes[known]
    return closes[1:] / closes[:-1] - 1.0


@pytest.fixture(scope="module")
def pair():
    rng = np.random.default_rng(4)
    return 0.01 * rng.standard_t(4, (560, 2)) * np.linspace(1.0, 2.0, 560)[:, None]


BOOKS = np.array([[0.6, 1.0], [0.4, -0.5]])


@pytest.mark.parametrize("method", WALKED)
def test_what_comes_later_changes_no_forecast(method, pair):
    shuffled = pair.copy()
    shuffled[530:] = np.random.default_rng(1).permutation(pair[530:]) * 3.0
    one, other = (walk_forward(values, BOOKS, method) for values in (pair, shuffled))
    np.testing.assert_array_equal(one.var[:, : 530 - FIRST + 1], other.var[:, : 530 - FIRST + 1])
    np.testing.assert_array_equal(one.es[:, : 530 - FIRST + 1], other.es[:, : 530 - FIRST + 1])


def test_plain_history_is_numpy_day_by_day(pair):
    found = walk_forward(pair, BOOKS, "historical", window=510)
    pnl = pair @ BOOKS
    for place in (0, 17, 59):
        known = pnl[max(0, FIRST + place - 510) : FIRST + place]
        for row, confidence in enumerate(found.confidences):
            for book in range(2):
                var, es = (
                    historical_var(known[:, book], confidence),
                    historical_es(known[:, book], confidence),
                )
                assert found.var[row, place, book] == pytest.approx(var, rel=1e-12)
                assert found.es[row, place, book] == pytest.approx(es, rel=1e-12)


def test_the_adaptive_method_is_its_measure_on_each_window(pair):
    """Each window alone, by the public measure; the recursion may have begun earlier: its start has faded."""
    settings = VaRConfig()
    found = walk_forward(pair, BOOKS, "volatility_scaled", settings=settings)
    for place in (0, 30, 59):
        known = pair[: FIRST + place]
        scaled = adaptive_returns(
            known, settings.scaling_decay, settings.downside_weight, settings.long_run_weight
        )
        for book in range(2):
            assert found.var[1, place, book] == pytest.approx(
                historical_var(scaled @ BOOKS[:, book], 0.975), rel=0.02
            )


def test_filtered_history_is_its_measure_on_the_days_of_a_fit(pair):
    found = walk_forward(pair, BOOKS, "filtered_historical")
    for place in (0, 20, 40):
        known = (pair @ BOOKS)[: FIRST + place, 1]
        assert found.var[2, place, 1] == pytest.approx(filtered_historical_var(known, 0.99), rel=1e-9)
        assert found.es[2, place, 1] == pytest.approx(filtered_historical_es(known, 0.99), rel=1e-9)


def test_tails_of_columns_are_those_of_each_column():
    pnl = np.random.default_rng(2).standard_t(3, (321, 4))
    pnl[7, 3] = np.nan
    var, es = tails_of_columns(pnl, (0.9, 0.95, 0.99))
    for row, confidence in enumerate((0.9, 0.95, 0.99)):
        for column in range(3):
            assert var[row, column] == pytest.approx(historical_var(pnl[:, column], confidence), rel=1e-12)
            assert es[row, column] == pytest.approx(historical_es(pnl[:, column], confidence), rel=1e-12)
    assert np.isnan(var[:, 3]).all()
    assert np.isnan(es[:, 3]).all()


@pytest.mark.parametrize(
    "day", ["2001-03-01", "2004-06-15", "2008-11-21", "2020-03-17", "2022-12-28"], ids=str
)
def test_the_figure_of_the_gate_is_the_forecast_that_is_backtested(day):
    """The oracle is the walk over the whole history to that evening: it knows no window of the gate's."""
    evening = datetime.fromisoformat(f"{day}T22:00:00+00:00")
    money = {"SPY": 5_000.0, "AAPL": 3_000.0, "JPM": -1_000.0}
    own = VaRCalculator(clock=ManualClock(evening))
    own.update_positions(money, 10_000.0)
    whole = lay_foundation(as_of=evening).whole_matrix()
    assert whole.dates[-1] == np.datetime64(day)
    values = whole.values[:, [whole.columns[s] for s in money]]
    weights = np.array(list(money.values())) / 10_000.0
    again = np.vstack((values, np.zeros((1, 3))))  # a day to forecast
    walk = walk_forward(again, weights, "volatility_scaled", (0.95,), settings=own.config.var_config)
    said = own.calculate_portfolio_var(methods=(), confidences=(0.95,)).headline
    assert said.var_value == pytest.approx(10_000.0 * walk.var[0, -1, 0], rel=1e-9)
    assert said.es_value == pytest.approx(10_000.0 * walk.es[0, -1, 0], rel=1e-9)
    assert -np.quantile(own.state.totals.pnl, 0.05) == pytest.approx(said.var_value, rel=1e-9)  # the gate's


def test_the_adaptive_figure_is_the_same_beside_another_default():
    evening = datetime(2020, 3, 17, 22, tzinfo=UTC)
    found = []
    for default in ("volatility_scaled", "historical"):
        config = RiskManagementConfig().update(var_config={"default_method": default})
        own = VaRCalculator(config, clock=ManualClock(evening))
        own.update_positions({"SPY": 5_000.0, "KO": -3_000.0}, 10_000.0)
        summary = own.calculate_portfolio_var(methods=["volatility_scaled"], horizons=[1])
        found.append([result.var_value for result in summary.total_var.values()])
    assert found[0] == pytest.approx(found[1], rel=1e-12)


def test_settings_changed_later_scale_as_those_laid_first(foundation):
    changed = foundation.config.update(var_config={"scaling_decay": 0.97})
    np.testing.assert_array_equal(
        foundation.under(changed).model.scaled, lay_foundation(changed).model.scaled
    )


@pytest.mark.parametrize("method", ["monte_carlo", "monte_carlo_full"])
def test_a_walked_simulation_finds_the_normal_law_of_its_window(method, pair):
    found = walk_forward(pair, BOOKS, method)
    for place in (0, 25):
        day = FIRST + place // 20 * 20  # asked anew every 20 days
        for book in range(2):
            pnl = (pair @ BOOKS)[:day, book]
            exact = -stats.norm.ppf(0.01, pnl.mean(), pnl.std(ddof=1))
            assert found.var[2, place, book] == pytest.approx(exact, rel=0.15)  # 4 errors of 2,000 draws


def test_a_method_of_ones_own_is_walked_too(monkeypatch, pair):
    def worst_day(book):
        loss = -float(book.plain.pnl.min())
        return book.estimate(loss, loss)

    monkeypatch.setitem(VAR_METHODS._parts, "worst_day", worst_day)
    found = walk_forward(pair, BOOKS, "worst_day", window=510)
    assert found.var[0, 45, 1] == -(pair @ BOOKS)[max(0, 540 - 510) : 540, 1].min()
    with pytest.raises(InvalidRequest, match="worst_day"):
        walk_forward(pair, BOOKS, "astrology")


def test_plain_history_of_a_year_fails_on_the_index_and_the_default_holds(spy):
    """numbers.md: 88 exceptions at 99 % where 56 are expected, in clusters, 15 in a year."""
    plain = walk_forward(spy[:, None], np.ones(1), "historical_250", (0.99,), first=250)
    (record,) = held_against(plain, spy)
    assert record.kupiec.reject
    assert record.coverage.reject
    assert record.exceptions > 1.4 * record.expected
    assert record.worst_year >= 15
    (ours,) = held_against(walk_forward(spy[:, None], np.ones(1), "volatility_scaled", (0.99,)), spy)
    assert ours.kupiec.p_value > 0.04  # 68 for 53: at the edge on this one series
    assert ours.worst_year <= 9
    assert ours.joint_loss < record.joint_loss - 0.1


def test_a_record_is_a_naive_count(pair):
    forecasts = walk_forward(pair, BOOKS, "historical")
    pnl = (pair @ BOOKS)[:, 0]
    record = held_against(forecasts, pnl)[0]
    naive = sum(value < -bound for value, bound in zip(pnl[FIRST:], forecasts.var[0, :, 0], strict=True))
    assert record.exceptions == naive == record.light.exceptions
    assert record.days == 60
    assert record.expected == pytest.approx(3.0)


def _forecasts(var, es):
    return Forecasts("made", (0.95,), 0, np.asarray(var)[None, :, None], np.asarray(es)[None, :, None])


def test_a_day_without_a_figure_stays_in_the_calendar():
    """The oracle counts day by day: exceptions in 250 days of the calendar, pairs of days running."""
    rng = np.random.default_rng(8)
    pnl, var = rng.normal(size=900), np.full(900, 1.3)
    var[rng.random(900) < 0.2] = np.nan
    (record,) = held_against(_forecasts(var, var + 0.5), pnl)
    known = [not np.isnan(v) for v in var]
    hit = [k and p < -v for k, p, v in zip(known, pnl, var, strict=True)]
    assert (record.days, record.refused) == (sum(known), 900 - sum(known))
    assert record.exceptions == sum(hit)
    assert record.worst_year == max(sum(hit[end - 250 : end]) for end in range(250, 901))
    assert (record.light.exceptions, record.light.observations) == (sum(hit[-250:]), sum(known[-250:]))
    pairs = [(hit[t - 1], hit[t]) for t in range(1, 900) if known[t - 1] and known[t]]
    counts = np.array([[pairs.count((a, b)) for b in (False, True)] for a in (False, True)], dtype=float)
    ratio = stats.chi2_contingency(counts, correction=False, lambda_="log-likelihood")
    assert record.independence.statistic == pytest.approx(ratio.statistic, rel=1e-9)
    assert record.coverage.statistic == pytest.approx(ratio.statistic + record.kupiec.statistic, rel=1e-9)


@pytest.mark.parametrize(
    ("silent", "late", "early"),
    [(0, "green", "green"), (2, "green", "green"), (3, "yellow", "green"), (6, "yellow", "yellow")],
)
def test_a_method_that_falls_silent_is_not_green(silent, late, early):
    """More than 1 % of the last 250 days, or of all 500, without a figure."""
    var = np.full(500, 9.0)
    var[500 - silent :] = np.nan
    for told, zone in ((var, late), (var[::-1], early)):
        (record,) = held_against(_forecasts(told, told), np.zeros(500))
        assert (record.refused, record.light.zone) == (silent, zone)
    var[200:] = np.nan
    (record,) = held_against(_forecasts(var, var), np.zeros(500))
    assert (record.light.zone, record.light.observations) == ("yellow", 0)


def test_a_var_without_a_finite_shortfall_is_held_against_what_came():
    """Student-t with one degree of freedom or fewer: its VaR is finite, and was wrong 23 times in 60 days."""
    rng = np.random.default_rng(2)
    returns = rng.standard_t(4, (760, 3)) * 0.01 * (1.0 + np.sin(np.arange(760) / 80.0))[:, None]
    returns[690:] = rng.normal(size=(70, 3)) * 0.2 - 0.05
    book = np.array([0.5, -0.3, 0.4])
    forecasts = walk_forward(returns, book, "student_t", window=400, first=500)
    assert np.isinf(forecasts.es).any()
    record = held_against(forecasts, returns @ book)[2]
    came = (returns @ book)[500:]
    assert (record.days, record.refused) == (260, 0)
    assert record.exceptions == sum(p < -v for p, v in zip(came, forecasts.var[2, :, 0], strict=True)) > 2
    assert record.light.zone != "green"
    assert record.z2 is None
    assert np.isnan(record.joint_loss)
    assert np.isfinite(record.quantile_loss)
    df, loc, scale = stats.t.fit((returns @ book)[340:740])
    assert df < 1.0
    assert forecasts.var[2, 240, 0] == pytest.approx(-stats.t.ppf(0.01, df, loc, scale), rel=1e-3)


def test_the_order_of_names_and_the_size_of_a_book_change_no_verdict(pair):
    one = walk_forward(pair, BOOKS[:, 0], "volatility_scaled")
    turned = walk_forward(pair[:, ::-1], BOOKS[::-1, 0], "volatility_scaled")
    twice = walk_forward(pair, 2.0 * BOOKS[:, 0], "volatility_scaled")
    np.testing.assert_allclose(one.var, turned.var, rtol=1e-9)
    np.testing.assert_allclose(twice.var, 2.0 * one.var, rtol=1e-9)


def test_a_book_of_the_calculator(foundation):
    own = VaRCalculator(foundation.config)
    own.update_positions({"KO": 6_000.0, "PG": -2_000.0, "NEWCO": 1_000.0}, 10_000.0)
    told = []
    found = own.backtest(FAST, years=4, progress=lambda done, total: told.append((done, total)))
    assert len(found.dates) == len(found.pnl) == 1_000
    assert set(found.records) == set(FAST)
    assert found.left_out == {"NEWCO": pytest.approx(0.1)}
    assert told[-1] == (5_000, 5_000)
    assert any("sample data" in said for said in found.leans_on)
    for method, records in found.records.items():
        for record in records:
            assert found.exceptions(method, record.confidence).sum() == record.exceptions


def test_a_price_that_stands_still_is_left_out_and_said():
    """Its P&L would be that of a stand-in, which nobody holds."""
    rng = np.random.default_rng(3)
    days = pd.bdate_range("2019-01-01", periods=700)
    moves = 1.0 + 0.01 * rng.normal(size=(700, 2))
    prices = pd.DataFrame(100.0 * moves.cumprod(axis=0), index=days, columns=["AAA", "BBB"])
    prices["CCC"] = 20.0
    own = VaRCalculator(prices=prices)
    own.update_positions({"AAA": 5_000.0, "CCC": 3_000.0}, 10_000.0)
    found = own.backtest(["historical"])
    assert found.left_out == {"CCC": pytest.approx(0.3)}
    assert found.lacking == {"CCC": "a price that stands still"}
    np.testing.assert_allclose(found.pnl, 0.5 * (moves[-len(found.pnl) :, 0] - 1.0), rtol=1e-9)
    own.update_positions({"CCC": 3_000.0}, 10_000.0)
    with pytest.raises(InvalidRequest, match="CCC has a price that stands still"):
        own.backtest()
    assert any("CCC has a price that stands still" in said for said in own.leans_on)
    with pytest.raises(MarketDataError, match="CCC has a price that stands still"):
        KellyOptimizer(prices=prices).optimize_portfolio_kelly(["AAA", "CCC"])


def test_an_executor_finds_the_same(foundation):
    own = VaRCalculator(foundation.config)
    own.update_positions({"KO": 6_000.0, "PG": -2_000.0}, 10_000.0)
    told = []
    alone = own.backtest(FAST, years=2)
    with ThreadPoolExecutor(2) as pool:
        found = own.backtest(FAST, years=2, executor=pool, progress=lambda *done: told.append(done))
    assert found.records == alone.records
    assert told == [(n, len(FAST)) for n in range(1, len(FAST) + 1)]


def test_what_cannot_be_walked_is_said(foundation, pair):
    with pytest.raises(InvalidRequest, match="UNKNOWN_METHOD"):
        walk_forward(pair, BOOKS, "astrology")
    with pytest.raises(InsufficientData, match="more than 500"):
        walk_forward(pair[:400], BOOKS, "historical")
    with pytest.raises(InvalidReturns, match="NaN"):
        walk_forward(np.where(pair == pair[3, 0], np.nan, pair), BOOKS, "historical")
    own = VaRCalculator(foundation.config)
    with pytest.raises(InvalidRequest, match="the book is empty"):
        own.backtest()
    own.add_position("SPY", 10.0, 100.0, strategy="a")
    own.add_position("SPY", -10.0, 100.0, strategy="b")
    with pytest.raises(InvalidRequest, match="offset each other"):
        own.backtest()
    with pytest.raises(InvalidRequest, match="EMPTY_BOOK"):
        backtest_book(foundation.whole_matrix(), {"?equity": 0.5}, VaRConfig())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"books": BOOKS[:1]}, "a row for each of the 2 names"),
        ({"books": np.ones((3, 2))}, "a row for each of the 2 names"),
        ({"books": np.ones(3)}, "a row for each of the 2 names"),
        ({"books": np.ones((2, 2, 2))}, "shape"),
        ({"books": [np.nan, 1.0]}, "NaN"),
        ({"window": 0}, "at least 20; got 0"),
        ({"window": 250.0}, "whole number of days"),
        ({"first": 3}, "at least 20; got 3"),
        ({"confidences": 0.95}, "several numbers"),
        ({"confidences": ()}, "0.5, 1"),
        ({"confidences": (0.4,)}, "0.5, 1"),
        ({"confidences": (1e-300,)}, "0, 1"),
    ],
)
def test_a_walk_that_means_nothing_is_refused(pair, changes, said):
    asked = {"returns": pair, "books": BOOKS, "method": "historical", **changes}
    with pytest.raises((InvalidRequest, MeasureError), match=said):
        walk_forward(**asked)


def test_a_book_of_one_row_a_name_is_not_reshaped(pair):
    """(K, N) = (2, 3) names would have been read as three books of two."""
    wide = np.column_stack((pair, pair[:, 0]))
    with pytest.raises(InvalidReturns):
        walk_forward(wide, np.ones((2, 3)), "historical")


def test_what_cannot_be_held_against_is_refused(pair):
    forecasts = walk_forward(pair, BOOKS, "historical")
    pnl = (pair @ BOOKS)[:, 0]
    for wrong in (pnl[FIRST:], pnl[:-1], np.append(pnl, 0.0)):
        with pytest.raises(InvalidReturns, match="560 days"):
            held_against(forecasts, wrong)
    for book in (2, -1):
        with pytest.raises(InvalidReturns, match="one of the 2 columns"):
            held_against(forecasts, pnl, book)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda c: c.backtest(years="a"), "years must be a number"),
        (lambda c: c.backtest(years=float("nan")), "finite"),
        (lambda c: c.backtest(years=float("inf")), "finite"),
        (lambda c: c.backtest(years=-1), "above 0"),
        (lambda c: c.backtest(5), "methods must be several"),
        (lambda c: c.calculate_portfolio_var(confidences=0.95), "confidences must be several"),
        (lambda c: c.calculate_portfolio_var(horizons=5), "horizons must be several"),
        (lambda c: c.calculate_portfolio_var(methods=5), "methods must be several"),
    ],
)
def test_settings_of_a_report_that_mean_nothing_are_refused(foundation, call, said):
    own = VaRCalculator(foundation.config)
    own.update_positions({"KO": 6_000.0}, 10_000.0)
    with pytest.raises(InvalidRequest, match=said):
        call(own)


def test_one_method_may_be_named_alone(foundation):
    own = VaRCalculator(foundation.config)
    own.update_positions({"KO": 6_000.0}, 10_000.0)
    assert set(own.backtest("historical", years=2).records) == {"historical"}
