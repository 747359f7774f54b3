"""GARCH(1,1) and filtered historical simulation, against naive loops and against arch's own model."""

from __future__ import annotations

import numpy as np
import pytest
from arch import arch_model
from hypothesis import given, settings
from hypothesis import strategies as st

from risk_management.errors import InsufficientData, InvalidReturns, MeasureError, UndefinedMeasure
from risk_management.market_data.sample import sample_history
from risk_management.measures.tail import (
    filtered_historical_es,
    filtered_historical_var,
    historical_es,
    historical_var,
)
from risk_management.measures.volatility import (
    GarchFit,
    filtered_returns,
    fit_garch,
    garch_forecasts,
    garch_volatility,
)
from risk_management.tests.measures.bad_inputs import NOT_A_CONFIDENCE, NOT_A_SERIES


@pytest.fixture(scope="module")
def spy():
    history = sample_history()
    closes = history.closes[:, history.symbols.index("SPY")]
    closes = closes[np.isfinite(closes)]
    return (closes[1:] / closes[:-1] - 1.0)[-1250:]


@pytest.fixture(scope="module")
def fit(spy):
    return fit_garch(spy)


def loop(values, fit):
    """The recursion of the docstring, one return after the other."""
    variances = [fit.omega + (fit.alpha + fit.beta) * fit.start]
    for value in values:
        variances.append(fit.omega + fit.alpha * (value - fit.mu) ** 2 + fit.beta * variances[-1])
    return np.sqrt(variances)


def log_likelihood(values, fit):
    """Normal log density of every return at its forecast, term by term."""
    total = 0.0
    for value, deviation in zip(values, loop(values, fit), strict=False):
        total += -0.5 * (np.log(2.0 * np.pi) + 2.0 * np.log(deviation) + ((value - fit.mu) / deviation) ** 2)
    return total


def moved(fit, **changes):
    facts = {name: getattr(fit, name) for name in GarchFit.__slots__}
    return GarchFit(**(facts | changes))


def simulated(omega, alpha, beta, rows, seed):
    rng = np.random.default_rng(seed)
    variance, out = omega / (1.0 - alpha - beta), []
    for shock in rng.standard_normal(rows):
        out.append(shock * variance**0.5)
        variance = omega + alpha * out[-1] ** 2 + beta * variance
    return np.array(out)


def test_forecasts_are_the_recursion(spy, fit):
    np.testing.assert_allclose(garch_forecasts(spy, fit), loop(spy, fit), rtol=1e-12)
    np.testing.assert_array_equal(garch_volatility(spy, fit), garch_forecasts(spy, fit)[1:])


def test_a_forecast_knows_nothing_of_what_comes_later(spy, fit):
    other = np.concatenate((spy[:700], np.random.default_rng(1).permutation(spy[700:])))
    np.testing.assert_array_equal(garch_forecasts(other, fit)[:701], garch_forecasts(spy, fit)[:701])


def test_agrees_with_the_library_on_the_index(spy, fit):
    model = arch_model(100.0 * spy, mean="Constant", vol="GARCH", p=1, q=1, rescale=False)
    theirs = model.fit(disp="off")
    ours = np.array([fit.mu * 100.0, fit.omega * 1e4, fit.alpha, fit.beta])
    np.testing.assert_allclose(ours, theirs.params.to_numpy(), rtol=0.05)
    np.testing.assert_allclose(
        garch_forecasts(spy, fit)[20:-1], theirs.conditional_volatility[20:] / 100.0, rtol=0.02
    )


def test_no_parameters_near_by_are_likelier(spy, fit):
    best = log_likelihood(spy, fit)
    assert fit.log_likelihood == pytest.approx(best, rel=1e-6)
    for name in ("mu", "omega", "alpha", "beta"):
        for factor in (0.9, 0.97, 1.03, 1.1):
            assert log_likelihood(spy, moved(fit, **{name: getattr(fit, name) * factor})) <= best + 1e-3


def test_recovers_the_parameters_of_a_simulation():
    found = fit_garch(simulated(2e-6, 0.08, 0.90, 20_000, seed=3), mean="zero")
    assert found.mu == 0.0
    assert found.alpha == pytest.approx(0.08, abs=0.01)
    assert found.beta == pytest.approx(0.90, abs=0.015)
    assert found.long_run_volatility == pytest.approx(0.01, rel=0.1)
    assert found.converged


@pytest.mark.parametrize("scale", [1e-4, 100.0, 1e6])
def test_the_unit_of_the_returns_does_not_matter(spy, scale):
    one, other = fit_garch(spy), fit_garch(scale * spy)
    assert other.alpha == pytest.approx(one.alpha, rel=1e-4)
    assert other.omega == pytest.approx(one.omega * scale**2, rel=1e-3)
    assert other.log_likelihood == pytest.approx(one.log_likelihood - len(spy) * np.log(scale), rel=1e-6)
    assert filtered_historical_var(scale * spy, 0.99) == pytest.approx(
        scale * filtered_historical_var(spy, 0.99), rel=1e-3
    )


@pytest.mark.parametrize("factor", [7.0, 100.0, 1.0 / 3.0, 1e-3])
def test_the_unit_does_not_lead_the_fit_where_there_is_no_arch(factor):
    """The likelihood is flat there, and the optimiser used to stop where the last digits sent it."""
    values = 0.01 * np.random.default_rng(19).standard_t(30, 600)
    assert filtered_historical_var(factor * values, 0.99) == pytest.approx(
        factor * filtered_historical_var(values, 0.99), rel=1e-12
    )


def test_filtered_history_is_the_tail_of_scaled_residuals(spy):
    found = fit_garch(spy, mean="zero")
    deviations = loop(spy, found)
    scaled = [value / before * deviations[-1] for value, before in zip(spy, deviations, strict=False)]
    np.testing.assert_allclose(filtered_returns(spy), scaled, rtol=1e-9)
    for confidence in (0.95, 0.975, 0.99):
        assert filtered_historical_var(spy, confidence) == pytest.approx(historical_var(scaled, confidence))
        assert filtered_historical_es(spy, confidence) == pytest.approx(historical_es(scaled, confidence))


def test_it_rises_when_the_market_shakes(spy):
    shaken = np.concatenate((spy, 0.05 * np.array([-1.0, 1.0, -1.0])))
    assert filtered_historical_var(shaken, 0.99) > 1.5 * filtered_historical_var(spy, 0.99)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0.9, 0.95, 0.975, 0.99]))
def test_shortfall_is_no_smaller_than_var(seed, confidence):
    values = 0.01 * np.random.default_rng(seed).standard_t(4, 300)
    assert filtered_historical_es(values, confidence) >= filtered_historical_var(values, confidence)


@pytest.mark.parametrize("values", NOT_A_SERIES.values(), ids=NOT_A_SERIES.keys())
def test_what_is_no_series_is_refused(values):
    for measure in (fit_garch, garch_volatility, lambda v: filtered_historical_var(v, 0.99)):
        with pytest.raises((InvalidReturns, InsufficientData)):
            measure(values)


@pytest.mark.parametrize("confidence", NOT_A_CONFIDENCE)
def test_what_is_no_confidence_is_refused(spy, confidence):
    with pytest.raises(MeasureError):
        filtered_historical_var(spy, confidence)


def test_too_few_and_still_series_are_refused(spy):
    with pytest.raises(InsufficientData, match="250"):
        fit_garch(spy[:249])
    with pytest.raises(UndefinedMeasure):
        fit_garch(np.full(500, 0.01))
    with pytest.raises(UndefinedMeasure, match="mean"):
        fit_garch(spy, mean="median")


@pytest.mark.parametrize(
    "values",
    [
        np.concatenate((np.zeros(499), [0.5])),
        np.concatenate((np.zeros(400), np.tile([0.01, -0.01], 50))),
        np.tile([1.0, -1.0], 300),
        np.linspace(0.0, 1e-9, 300),
    ],
    ids=["one jump", "long asleep", "two values", "a line"],
)
def test_a_strange_series_gets_a_finite_figure_or_a_typed_refusal(values):
    try:
        figure = filtered_historical_var(values, 0.99)
    except MeasureError:
        return
    assert np.isfinite(figure)
