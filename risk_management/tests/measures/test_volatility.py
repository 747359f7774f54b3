import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from risk_management.errors import InsufficientData, InvalidReturns, MeasureError, UndefinedMeasure
from risk_management.measures.volatility import (
    ewma_forecasts,
    ewma_volatility,
    realised_volatility,
    volatility_scaled_returns,
)
from risk_management.tests.measures.bad_inputs import NOT_A_SERIES


def returns(n=300, columns=3, seed=0):
    return 0.01 * np.random.default_rng(seed).standard_t(5, (n, columns))


def loop(series, decay):
    """The documented recursion, one return after the other."""
    state, out = 0.0, []
    for t, r in enumerate(series, start=1):
        state += max(1.0 - decay, 1.0 / t) * (r * r - state)
        out.append(state**0.5)
    return out


class TestEwma:
    @pytest.mark.parametrize("decay", [0.5, 0.9, 0.94, 0.97, 0.99])
    @pytest.mark.parametrize("n", [1, 2, 16, 17, 18, 80, 81, 300])
    def test_is_the_recursion(self, decay, n):
        values = returns(n)
        result = ewma_volatility(values, decay)
        for column in range(3):
            np.testing.assert_allclose(result[:, column], loop(values[:, column], decay), rtol=1e-12)

    def test_settles_on_the_riskmetrics_recursion(self):
        values = returns(700)[:, 0]
        variance = values[0] ** 2
        for r in values[1:]:
            variance = 0.94 * variance + 0.06 * r * r
        assert ewma_volatility(values)[-1] == pytest.approx(variance**0.5, rel=1e-12)

    @pytest.mark.parametrize(("decay", "days"), [(0.94, 74), (0.97, 151)])
    def test_riskmetrics_effective_days(self, decay, days):
        # RiskMetrics Technical Document, table 5.7: days that carry 99 % of the weight
        impulse = np.zeros(1000)
        impulse[400] = 1.0
        weights = ewma_volatility(impulse, decay)[400:] ** 2
        reached = np.cumsum(weights / weights.sum())
        assert int(np.argmax(reached >= 0.99)) + 1 in {days, days + 1}

    def test_one_column_is_a_matrix_of_one(self):
        values = returns()
        np.testing.assert_array_equal(ewma_volatility(values[:, 0]), ewma_volatility(values[:, :1])[:, 0])

    def test_column_major_gives_the_same(self):
        values = returns()
        np.testing.assert_allclose(
            ewma_volatility(np.asfortranarray(values)), ewma_volatility(values), rtol=1e-14
        )

    def test_forecasts_start_from_nothing_and_look_one_row_on(self):
        values = returns()
        forecasts = ewma_forecasts(values)
        assert forecasts.shape == (301, 3)
        np.testing.assert_array_equal(forecasts[0], np.zeros(3))
        np.testing.assert_array_equal(forecasts[1:], ewma_volatility(values))

    @pytest.mark.parametrize("row", [1, 5, 17, 100, 299])
    def test_forecasts_never_look_ahead(self, row):
        values = returns()
        changed = values.copy()
        changed[row:] *= 7.0
        np.testing.assert_array_equal(ewma_forecasts(values)[: row + 1], ewma_forecasts(changed)[: row + 1])
        assert not np.array_equal(ewma_forecasts(values)[row + 1], ewma_forecasts(changed)[row + 1])

    @pytest.mark.parametrize("decay", [0.0, 1.0, 1.1, float("nan"), "0.9", None])
    def test_refuses_other_decays(self, decay):
        for measure in (ewma_volatility, ewma_forecasts, volatility_scaled_returns):
            with pytest.raises(MeasureError, match="decay"):
                measure(returns(), decay)


class TestScaledReturns:
    def test_is_the_loop_beyond_the_warm_up(self):
        values = returns(400)
        scaled = volatility_scaled_returns(values, 0.94, floor=1e-6)
        for column in range(3):
            forecast = loop(values[:, column], 0.94)
            for t in range(16, 400):
                expected = values[t, column] / forecast[t - 1] * forecast[-1]
                assert scaled[t, column] == pytest.approx(expected, rel=1e-10)
            for t in range(16):  # no forecast yet: the root mean square up to the row itself
                expected = values[t, column] / np.sqrt(np.mean(values[: t + 1, column] ** 2)) * forecast[-1]
                assert scaled[t, column] == pytest.approx(expected, rel=1e-10)

    @pytest.mark.parametrize("row", [1, 17, 60, 299])
    def test_never_looks_ahead_but_for_the_common_factor(self, row):
        values = returns()
        changed = values.copy()
        changed[row:] *= 3.0
        factor = ewma_volatility(changed)[-1] / ewma_volatility(values)[-1]
        before = volatility_scaled_returns(values, floor=1e-6)[:row]
        np.testing.assert_allclose(volatility_scaled_returns(changed, floor=1e-6)[:row], factor * before)

    def test_a_column_of_zeros_stays_zero(self):
        values = returns()
        values[:, 1] = 0.0
        scaled = volatility_scaled_returns(values)
        np.testing.assert_array_equal(scaled[:, 1], np.zeros(300))
        np.testing.assert_allclose(scaled[:, 0], volatility_scaled_returns(values[:, 0]))

    def test_a_jump_after_standing_still_grows_by_the_floor_only(self):
        values = np.concatenate([np.zeros(50), [0.05], 0.01 * np.ones(50)])
        now = ewma_volatility(values)[-1]
        scaled = volatility_scaled_returns(values, floor=0.25)
        assert scaled[50] == pytest.approx(0.05 / 0.25)
        assert now > 0.0

    @given(
        hnp.arrays(
            np.float64, st.tuples(st.integers(2, 60), st.integers(1, 3)), elements=st.floats(-0.5, 0.5)
        )
    )
    def test_keeps_shape_and_sign_and_stays_finite(self, values):
        scaled = volatility_scaled_returns(values)
        assert scaled.shape == values.shape
        assert np.isfinite(scaled).all()
        assert (scaled * values >= 0.0).all()
        assert (np.abs(scaled) <= 10.0 * np.abs(values) * (1 + 1e-12)).all()

    def test_constant_volatility_changes_nothing(self):
        values = 0.01 * np.resize([1.0, -1.0], 200)
        np.testing.assert_allclose(volatility_scaled_returns(values), values, rtol=1e-12)

    @pytest.mark.parametrize("floor", [0.0, -1.0, 1.5, float("nan"), None])
    def test_refuses_other_floors(self, floor):
        with pytest.raises(MeasureError, match="floor"):
            volatility_scaled_returns(returns(), 0.94, floor)


class TestRealised:
    def test_is_the_standard_deviation_of_the_window(self):
        values = returns()
        for column in range(3):
            recent = list(values[-21:, column])
            mean = sum(recent) / 21
            expected = (sum((r - mean) ** 2 for r in recent) / 20 * 252) ** 0.5
            assert realised_volatility(values[:, column]) == pytest.approx(expected)
            assert realised_volatility(values)[column] == pytest.approx(expected)

    def test_periods_and_window(self):
        values = returns()[:, 0]
        assert realised_volatility(values, 10, 365) == pytest.approx(
            np.std(values[-10:], ddof=1) * np.sqrt(365)
        )

    def test_needs_its_window(self):
        with pytest.raises(InsufficientData, match="21"):
            realised_volatility(returns(20))

    @pytest.mark.parametrize("window", [1, 0, -3, 2.5, "5", None])
    def test_refuses_other_windows(self, window):
        with pytest.raises(MeasureError, match="window"):
            realised_volatility(returns(), window)

    @pytest.mark.parametrize("periods", [0, -252, float("nan"), "252"])
    def test_refuses_other_years(self, periods):
        with pytest.raises(MeasureError, match="periods_per_year"):
            realised_volatility(returns(), 21, periods)


@pytest.mark.parametrize(
    "measure",
    [ewma_volatility, ewma_forecasts, volatility_scaled_returns, lambda r: realised_volatility(r, 2)],
    ids=["ewma", "forecasts", "scaled", "realised"],
)
@pytest.mark.parametrize("bad", NOT_A_SERIES.values(), ids=NOT_A_SERIES)
def test_refuses_what_is_no_series(measure, bad):
    with pytest.raises((InvalidReturns, UndefinedMeasure)):
        measure(bad)
    with pytest.raises(InsufficientData):
        measure([])
