"""Methods alone: closed forms, naive loops, other libraries, and a contract over the registry."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from risk_management.calculators.var_methods import VAR_METHODS, HorizonRule, Sample, TailInput
from risk_management.calculators.var_methods._copula import fit_normal_copula, fit_t_copula
from risk_management.calculators.var_methods._runner import Refusal, ask, overlaps, questions
from risk_management.calculators.var_methods.monte_carlo import covariance_root
from risk_management.errors import MeasureError

MEAN = np.array([0.0005, 0.0002, 0.0])
COVARIANCE = np.array([[1.0, 0.6, 0.2], [0.6, 2.0, 0.3], [0.2, 0.3, 0.5]]) * 1e-4
MONEY = np.array([5_000.0, -2_000.0, 3_000.0])
RETURNS = np.random.default_rng(3).multivariate_normal(MEAN, COVARIANCE, size=1_000)
SIMULATED = ["monte_carlo", "monte_carlo_full", "monte_carlo_copula", "monte_carlo_t"]
CONFIDENCES = (0.9, 0.95, 0.975, 0.99)


def question(
    returns=RETURNS,
    exposures=MONEY,
    confidence=0.95,
    horizon=1,
    simulations=10_000,
    seed=(1, 0),
    step=1,
    draws="antithetic",
    margins="empirical",
) -> TailInput:
    sample = Sample(np.asarray(returns), np.asarray(exposures, dtype=float), step)
    return TailInput(sample, sample, sample, confidence, horizon, simulations, seed, draws, margins)


def answer(method: str, **changes):
    return VAR_METHODS.get(method)(question(**changes))


# -- oracles --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("confidence", CONFIDENCES)
@pytest.mark.parametrize("method", ["historical", "volatility_scaled"])
def test_empirical_methods_are_numpy_quantile_and_a_naive_tail(method, confidence):
    found = answer(method, confidence=confidence)
    pnl = [sum(x * r for x, r in zip(MONEY, row, strict=True)) for row in RETURNS]
    assert found.var == pytest.approx(-np.quantile(pnl, 1.0 - confidence), rel=1e-12)
    tail = round((1.0 - confidence) * len(pnl), 9)
    worst = sorted(pnl)
    whole = int(tail)
    naive = (sum(worst[:whole]) + (tail - whole) * worst[whole]) / tail
    assert found.es == pytest.approx(-naive, rel=1e-12)
    assert found.observations == 1_000
    assert found.standard_error is None


@pytest.mark.parametrize("confidence", CONFIDENCES)
def test_parametric_is_the_closed_form_of_the_covariance(confidence):
    found = answer("parametric", confidence=confidence)
    mean = MONEY @ RETURNS.mean(axis=0)
    deviation = math.sqrt(MONEY @ np.cov(RETURNS, rowvar=False, ddof=1) @ MONEY)
    law = stats.norm(mean, deviation)
    assert found.var == pytest.approx(-law.ppf(1.0 - confidence), rel=1e-10)
    tail = law.expect(lambda x: x, ub=law.ppf(1.0 - confidence)) / (1.0 - confidence)
    assert found.es == pytest.approx(-tail, rel=1e-6)


def test_age_weighted_is_a_naive_loop():
    found = answer("age_weighted", confidence=0.95)
    pnl = (RETURNS @ MONEY).tolist()
    weights = [0.99 ** (len(pnl) - 1 - day) for day in range(len(pnl))]
    total = sum(weights)
    reached = loss = 0.0
    var = None
    for profit, weight in sorted(zip(pnl, (w / total for w in weights), strict=True)):
        part = min(weight, 0.05 - reached)
        loss -= part * profit
        reached += part
        if reached >= 0.05 - 1e-12:
            var = -profit
            break
    assert found.var == pytest.approx(var, rel=1e-12)
    assert found.es == pytest.approx(loss / 0.05, rel=1e-9)


def test_student_t_is_scipy_on_a_heavy_tail():
    returns = stats.t.rvs(4, scale=0.01, size=(2_000, 1), random_state=5)
    found = answer("student_t", returns=returns, exposures=[1_000.0], confidence=0.99)
    df, loc, scale = stats.t.fit(1_000.0 * returns[:, 0])
    assert found.var == pytest.approx(-stats.t.ppf(0.01, df, loc, scale), rel=1e-3)
    assert "degrees of freedom" in found.note


def test_cornish_fisher_stands_near_the_normal_on_normal_returns():
    assert answer("cornish_fisher").var == pytest.approx(answer("parametric").var, rel=0.03)


def test_cornish_fisher_refuses_outside_its_domain():
    returns = stats.t.rvs(2.5, scale=0.01, size=(1_000, 1), random_state=1)
    (found,) = ask([VAR_METHODS.get("cornish_fisher")], [question(returns=returns, exposures=[1.0])])
    assert isinstance(found, Refusal)
    assert "kurtosis" in found.reason


@pytest.mark.parametrize("confidence", [0.95, 0.99])
@pytest.mark.parametrize("method", ["monte_carlo", "monte_carlo_full"])
def test_simulations_meet_a_plain_large_simulation(method, confidence):
    """The oracle is numpy's own multivariate normal with 400,000 draws."""
    draws = np.random.default_rng(99).multivariate_normal(
        RETURNS.mean(axis=0), np.cov(RETURNS, rowvar=False, ddof=1), size=400_000
    )
    oracle = -np.quantile(draws @ MONEY, 1.0 - confidence)
    found = answer(method, confidence=confidence, simulations=40_000)
    own_error = found.standard_error / math.sqrt(10.0)  # ten times the draws
    assert abs(found.var - oracle) < 4.0 * math.hypot(found.standard_error, own_error)
    assert found.es > found.var


def test_standard_error_is_what_other_seeds_change():
    found = [answer("monte_carlo_full", seed=(s, 0), simulations=4_000) for s in range(60)]
    spread = np.std([f.var for f in found], ddof=1)
    assert np.mean([f.standard_error for f in found]) == pytest.approx(spread, rel=0.3)


@pytest.mark.parametrize(
    ("confidence", "simulations"), [(0.95, 4_096), (0.99, 10_000), (0.999, 10_000), (0.9, 100)]
)
@pytest.mark.parametrize("draws", ["antithetic", "sobol"])
@pytest.mark.parametrize("method", ["monte_carlo", "monte_carlo_full"])
def test_two_standard_errors_hold_the_closed_form(method, draws, confidence, simulations):
    """A normal book in closed form, 200 seeds: unbiased, and 95 % within two errors (3 sd of 200 more)."""
    mean = MONEY @ RETURNS.mean(axis=0)
    deviation = math.sqrt(MONEY @ np.cov(RETURNS, rowvar=False, ddof=1) @ MONEY)
    exact = -stats.norm.ppf(1.0 - confidence, mean, deviation)
    book = {"confidence": confidence, "simulations": simulations, "draws": draws}
    found = [answer(method, seed=(s, 0), **book) for s in range(200)]
    errors = np.array([f.var for f in found]) - exact
    said = np.array([f.standard_error for f in found])
    assert abs(errors.mean()) < 0.3 * said.mean()
    assert np.mean(np.abs(errors) <= 2.0 * said) > 0.90
    assert said.mean() > 0.9 * errors.std()
    if method == "monte_carlo_full":  # in one dimension quasi-random points are better than can be said
        assert said.mean() < 1.5 * errors.std()


@pytest.mark.parametrize("draws", ["antithetic", "sobol"])
@pytest.mark.parametrize("method", SIMULATED)
def test_too_few_draws_beyond_are_refused(method, draws):
    """999,999 of a million in 10,000 draws: 367 was said, with an error of 2, where 479 is exact."""
    book = {"draws": draws, "simulations": 16_384}
    assert answer(method, confidence=1.0 - 10.0 / 16_384 - 1e-6, **book).var > 0.0
    for confidence in (0.9995, 0.999999):
        (found,) = ask([VAR_METHODS.get(method)], [question(confidence=confidence, **book)])
        assert isinstance(found, Refusal)
        assert "lie beyond" in found.reason
        needed = int(found.reason.split("monte_carlo_simulations to ")[1].split()[0].replace(",", ""))
        assert needed == math.ceil(10.0 / (1.0 - confidence) - 1e-3)


@pytest.mark.parametrize("method", ["monte_carlo_full", "monte_carlo_t"])
def test_error_falls_with_the_root_of_the_draws(method):
    small, large = (answer(method, simulations=n).standard_error for n in (5_000, 80_000))
    assert small / large == pytest.approx(4.0, rel=0.35)


@pytest.mark.parametrize("method", SIMULATED)
def test_quasi_random_points_find_the_same_figure(method):
    plain = answer(method, simulations=200_000)
    quasi = answer(method, simulations=16_384, draws="sobol")
    assert abs(quasi.var - plain.var) < 4.0 * math.hypot(plain.standard_error, quasi.standard_error)
    assert quasi.es == pytest.approx(plain.es, rel=0.05)
    assert "quasi-random" in quasi.note
    assert answer(method, simulations=4_096, draws="sobol") == answer(
        method, simulations=4_096, draws="sobol"
    )


@pytest.mark.parametrize("method", SIMULATED)
def test_quasi_random_points_err_less(method):
    """The spread over seeds, which is what an error is, beside random draws of the same number."""
    found = {
        draws: np.std([answer(method, seed=(s, 0), simulations=4_096, draws=draws).var for s in range(24)])
        for draws in ("antithetic", "sobol")
    }
    assert found["sobol"] < 0.7 * found["antithetic"]


def test_a_normal_copula_on_normal_margins_is_the_normal_law():
    returns = np.random.default_rng(12).multivariate_normal(MEAN, COVARIANCE, size=20_000)
    copula = answer("monte_carlo_copula", returns=returns, simulations=200_000)
    law = answer("parametric", returns=returns)
    assert copula.var == pytest.approx(law.var, rel=0.02)
    assert copula.es == pytest.approx(law.es, rel=0.03)


def test_a_t_copula_crashes_together_more_often_than_a_normal_one():
    draws = 0.01 * stats.multivariate_t.rvs(shape=np.full((4, 4), 0.3) + 0.7 * np.eye(4), df=3, size=4_000)
    book = {"returns": draws, "exposures": [1.0] * 4, "confidence": 0.99, "simulations": 100_000}
    assert answer("monte_carlo_copula", **book).es < answer("monte_carlo_t", **book).es


def test_fitted_margins_reach_further_than_what_has_been():
    draws = 0.01 * stats.t.rvs(3, size=(500, 1), random_state=7)
    book = {"returns": draws, "exposures": [1_000.0], "confidence": 0.999, "simulations": 400_000}
    empirical = answer("monte_carlo_t", **book)
    fitted = answer("monte_carlo_t", margins="student_t", **book)
    assert empirical.es <= -1_000.0 * draws.min() + 1e-9
    df, loc, scale = stats.t.fit(draws[:, 0])
    assert fitted.var == pytest.approx(-1_000.0 * stats.t.ppf(0.001, df, loc, scale), rel=0.1)
    assert "fitted t margins" in fitted.note


def test_root_reproduces_the_covariance_even_if_singular():
    twice = np.column_stack((RETURNS, RETURNS[:, 0]))
    root = covariance_root(Sample(twice, np.ones(4)))
    np.testing.assert_allclose(root @ root.T, np.cov(twice, rowvar=False), atol=1e-15)


def test_one_name_under_a_copula_is_its_own_history():
    """The margins are empirical, so with one name nothing is left but the historical quantile."""
    one = {"returns": RETURNS[:, :1], "exposures": [1_000.0]}
    plain, found = answer("historical", **one), answer("monte_carlo_t", simulations=100_000, **one)
    assert abs(found.var - plain.var) < 4.0 * found.standard_error
    assert found.es == pytest.approx(plain.es, rel=0.03)


def test_copula_finds_the_law_it_was_drawn_from():
    shape = np.array([[1.0, 0.7], [0.7, 1.0]])
    draws = stats.multivariate_t.rvs(shape=shape, df=4, size=4_000, random_state=2)
    # margins of another kind must not matter
    fit = fit_t_copula(Sample(np.column_stack((np.expm1(0.01 * draws[:, 0]), draws[:, 1] ** 3)), np.ones(2)))
    assert 3.0 < fit.df < 5.5
    np.testing.assert_allclose(fit.root @ fit.root.T, shape, atol=0.05)


def _with_ties(rows=1_000):
    """Two independent names that stand still on 85 % of days, and one that moves with the first."""
    rng = np.random.default_rng(7)
    moves = np.where(rng.random((rows, 2)) < 0.85, 0.0, 0.01 * rng.normal(size=(rows, 2)))
    return np.column_stack((moves, moves[:, 0] + 0.002 * rng.normal(size=rows)))


def test_a_copula_ranks_as_scipy_does_and_sees_no_correlation_in_ties():
    returns = _with_ties()
    oracle = 2.0 * np.sin(np.pi / 6.0 * stats.spearmanr(returns).statistic)
    for fit in (fit_normal_copula, fit_t_copula):
        root = fit(Sample(returns, np.ones(3))).root
        np.testing.assert_allclose(root @ root.T, oracle, atol=1e-12)
        assert abs((root @ root.T)[0, 1]) < 0.1


@pytest.mark.parametrize("method", ["monte_carlo_copula", "monte_carlo_t"])
def test_the_order_of_days_changes_no_copula(method):
    returns = _with_ties()
    shuffled = np.random.default_rng(2).permutation(returns)
    one, other = (answer(method, returns=r) for r in (returns, shuffled))
    assert other.var == pytest.approx(one.var, rel=1e-9)
    assert other.es == pytest.approx(one.es, rel=1e-9)


def test_the_degrees_of_freedom_on_ties_are_those_of_the_naive_likelihood():
    returns = np.round(0.01 * stats.multivariate_t.rvs(df=5, shape=np.eye(2), size=400, random_state=3), 2)
    fit = fit_t_copula(Sample(returns, np.ones(2)))
    probabilities = (stats.rankdata(returns, axis=0) - 0.5) / 400

    def likelihood(df):
        scores = stats.t.ppf(probabilities, df)
        joint = stats.multivariate_t.logpdf(scores, shape=fit.root @ fit.root.T, df=df)
        return (joint - stats.t.logpdf(scores, df).sum(axis=1)).mean()

    grid = np.exp(np.linspace(np.log(2.0), np.log(100.0), 200))
    assert likelihood(fit.df) >= max(map(likelihood, grid)) - 1e-6


def test_a_name_that_stands_still_is_independent_in_a_copula():
    returns = np.column_stack((RETURNS[:, 0], np.zeros(1_000)))
    found = answer("monte_carlo_copula", returns=returns, exposures=[1_000.0, 5_000.0], simulations=100_000)
    alone = answer("historical", returns=RETURNS[:, :1], exposures=[1_000.0])
    assert abs(found.var - alone.var) < 4.0 * found.standard_error


def test_copula_sees_joint_crashes_that_the_normal_law_does_not():
    draws = 0.01 * stats.multivariate_t.rvs(shape=np.eye(4), df=3, size=3_000, random_state=4)
    book = {"returns": draws, "exposures": [1.0] * 4, "confidence": 0.99}
    historical, copula, normal = (
        answer(m, **book) for m in ("historical", "monte_carlo_t", "monte_carlo_full")
    )
    assert normal.es < 0.9 * copula.es
    assert copula.es == pytest.approx(historical.es, rel=0.15)


# -- horizons -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "confidence", "horizon", "enough"),
    [
        (1_004, 0.95, 5, True),
        (1_003, 0.95, 5, False),
        (2_009, 0.95, 10, True),
        (2_008, 0.95, 10, False),
        (1_000, 0.99, 1, True),
        (999, 0.99, 2, False),
    ],
)
def test_overlapping_needs_ten_horizons_in_the_tail(rows, confidence, horizon, enough):
    assert overlaps(rows, confidence, horizon) is enough


def test_overlapping_returns_compound():
    sample = Sample(RETURNS, MONEY).over(5)
    for start in (0, 17, 995):
        one = [np.prod([1.0 + RETURNS[start + day, j] for day in range(5)]) - 1.0 for j in range(3)]
        np.testing.assert_allclose(sample.returns[start], one, rtol=1e-9)
    assert sample.observations == 996


def test_square_root_of_time_is_said_and_taken():
    plain = Sample(RETURNS, MONEY)
    asked = questions(plain, plain, [(0.99, 1), (0.99, 10), (0.9, 5)], 1_000, (1,))
    one, ten, five = ask([VAR_METHODS.get("historical")] * 3, asked)
    assert [f.horizon_rule for f in (one, ten, five)] == [
        HorizonRule.ONE_DAY,
        HorizonRule.SQUARE_ROOT,
        HorizonRule.OVERLAPPING,
    ]
    assert ten.var == pytest.approx(math.sqrt(10.0) * one.var)
    assert ten.es == pytest.approx(math.sqrt(10.0) * one.es)
    assert (ten.observations, five.observations) == (1_000, 996)
    assert five.var == pytest.approx(-np.quantile(plain.over(5).pnl, 0.1))  # not scaled once more


def test_student_t_without_variance_takes_no_square_root():
    returns = stats.t.rvs(1.5, scale=0.001, size=(300, 1), random_state=6)
    with pytest.raises(MeasureError, match="square root of time"):
        answer("student_t", returns=returns, exposures=[1.0], horizon=10)


@pytest.mark.parametrize(
    ("method", "heavy"),
    [
        ("student_t", stats.t.rvs(0.8, scale=0.001, size=(900, 1), random_state=6)),
        ("extreme_value", -(1.0 / np.random.default_rng(1).uniform(size=(3_000, 1)) ** 1.6)),
    ],
)
def test_a_tail_without_a_mean_keeps_its_var_and_is_refused_with_a_reason(method, heavy):
    asked = question(returns=heavy, exposures=[1.0], confidence=0.99)
    found = VAR_METHODS.get(method)(asked)
    assert found.es == math.inf
    assert found.var == pytest.approx(-np.quantile(heavy, 0.01), rel=0.3)
    (said,) = ask([VAR_METHODS.get(method)], [asked])
    assert isinstance(said, Refusal)
    assert "shortfall is infinite" in said.reason


# -- a contract over the registry -----------------------------------------------------------------------

ALL = VAR_METHODS.names()


@pytest.mark.parametrize("method", ALL)
def test_es_is_never_below_var_and_both_rise_with_confidence(method):
    found = [answer(method, confidence=c) for c in CONFIDENCES]
    assert all(f.es >= f.var for f in found)
    for low, high in pairwise(found):
        assert low.var <= high.var
        assert low.es <= high.es


@pytest.mark.parametrize("method", ALL)
def test_twice_the_book_is_twice_the_loss(method):
    one, two = answer(method), answer(method, exposures=2.0 * MONEY)
    assert two.var == pytest.approx(2.0 * one.var, rel=1e-6)
    assert two.es == pytest.approx(2.0 * one.es, rel=1e-6)


@pytest.mark.parametrize("method", ALL)
def test_same_seed_same_answer(method):
    assert answer(method) == answer(method)


@pytest.mark.parametrize("method", [m for m in ALL if m.startswith("monte_carlo")])
def test_another_seed_another_draw(method):
    assert answer(method).var != answer(method, seed=(1, 1)).var


@pytest.mark.parametrize("method", ALL)
def test_few_rows_give_a_reason_or_a_figure_and_never_an_exception(method):
    for rows in (1, 5, 19, 25, 60):
        for confidence in (0.95, 0.999):
            asked = question(returns=RETURNS[:rows], confidence=confidence)
            (found,) = ask([VAR_METHODS.get(method)], [asked])
            if isinstance(found, Refusal):
                assert found.reason
            else:
                assert rows >= 20
                assert math.isfinite(found.var)


@pytest.mark.parametrize("method", ALL)
def test_a_book_that_never_moves_loses_nothing_or_is_refused(method):
    still = np.zeros((200, 2))
    (found,) = ask([VAR_METHODS.get(method)], [question(returns=still, exposures=[1_000.0, -500.0])])
    assert isinstance(found, Refusal) or (found.var, found.es) == (0.0, 0.0)


@pytest.mark.parametrize("method", ALL)
def test_a_short_book_loses_when_prices_rise(method):
    rising = RETURNS[:, :1] + 0.02
    long = answer(method, returns=rising, exposures=[1_000.0])
    short = answer(method, returns=rising, exposures=[-1_000.0])
    assert long.var < 0.0 < short.var


def test_a_failing_computation_is_a_reason():
    def broken(_):
        raise np.linalg.LinAlgError("no convergence")

    def unbounded(book):
        return replace(book.estimate(0.0, 0.0), es=math.inf)

    found = ask([broken, unbounded], [question(), question()])
    assert [type(f) for f in found] == [Refusal, Refusal]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.floats(-5_000, 5_000), min_size=3, max_size=3),
    st.lists(st.floats(-5_000, 5_000), min_size=3, max_size=3),
    st.sampled_from(CONFIDENCES),
)
def test_expected_shortfall_of_a_sum_is_at_most_the_sum(first, second, confidence):
    for method in ("historical", "parametric"):
        parts = [answer(method, exposures=np.array(x), confidence=confidence).es for x in (first, second)]
        whole = answer(method, exposures=np.array(first) + np.array(second), confidence=confidence).es
        assert whole <= sum(parts) + 1e-6
