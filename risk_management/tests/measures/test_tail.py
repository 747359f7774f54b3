import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from risk_management.errors import InsufficientData, InvalidReturns, MeasureError, UndefinedMeasure
from risk_management.measures import tail
from risk_management.tests.measures.bad_inputs import NOT_A_CONFIDENCE, NOT_A_SERIES

SAMPLES = hnp.arrays(
    np.float64,
    st.integers(2, 80),
    elements=st.floats(-0.9, 0.9).map(lambda x: round(x, 6)),
)
CONFIDENCES = st.sampled_from([0.5, 0.75, 0.9, 0.95, 0.975, 0.99, 0.999])

# Hull, Options, Futures, and Other Derivatives: the worst losses (thousands) of 500 scenarios, by number
HULL = {
    494: 477.841, 339: 345.435, 349: 282.204, 329: 277.041, 487: 253.385, 227: 217.974, 131: 202.256,
    238: 201.389, 473: 191.269, 306: 191.050, 477: 185.127, 495: 184.450, 376: 182.707, 237: 180.105,
    365: 172.224,
}  # fmt: skip


def hull():
    returns = np.linspace(0.0, 100.0, 500)
    for scenario, loss in HULL.items():
        returns[scenario - 1] = -loss
    return returns


def acerbi_tasche_es(returns, confidence):
    """Average of the step quantile over the tail, scenario by scenario: the oracle of the fractional ES."""
    left = (1.0 - confidence) * len(returns)
    total, room = 0.0, left
    for x in sorted(returns):
        share = min(1.0, room)
        total -= share * x
        room -= share
        if room <= 0.0:
            break
    return total / left


class TestHistorical:
    def test_rockafellar_uryasev_tail_of_ten_losses(self):
        assert tail.historical_es(-np.arange(1.0, 11.0), 0.75) == pytest.approx(9.2, abs=1e-14)

    def test_hull_five_worst_of_500(self):
        assert tail.historical_var(hull(), 0.99, 1) == 253.385
        assert tail.historical_es(hull(), 0.99) == pytest.approx(
            (477.841 + 345.435 + 282.204 + 277.041 + 253.385) / 5
        )

    def test_the_blurred_product_takes_exactly_five_of_a_hundred(self):
        returns = -np.arange(1.0, 101.0)  # (1 - 0.95) * 100 is 5.000000000000004
        assert tail.historical_es(returns, 0.95) == 98.0
        assert tail.historical_var(returns, 0.95, 1) == 96.0

    @pytest.mark.parametrize(
        ("kind", "numpy_name"),
        [(1, "inverted_cdf"), (6, "weibull"), (7, "linear"), (8, "median_unbiased")],
    )
    @pytest.mark.parametrize("n", [2, 3, 37, 152, 1000])
    @pytest.mark.parametrize("confidence", [0.513, 0.9137, 0.9871, 0.9993])
    def test_quantile_types_are_those_of_numpy(self, kind, numpy_name, n, confidence):
        returns = np.random.default_rng(n).standard_t(3, n)
        expected = -np.quantile(returns, 1.0 - confidence, method=numpy_name)
        assert tail.historical_var(returns, confidence, kind) == pytest.approx(expected, rel=1e-12)

    def test_the_type_matters_on_152_observations(self):
        returns = np.random.default_rng(7).standard_t(2, 152)
        values = [tail.historical_var(returns, 0.99, kind) for kind in (1, 6, 7, 8)]
        assert max(values) > 1.05 * min(values)

    def test_a_gain_stays_negative(self):
        assert tail.historical_var([0.01, 0.02, 0.03], 0.9) == pytest.approx(-0.012)
        assert tail.historical_es([0.01, 0.02, 0.03], 0.9) == pytest.approx(-0.01)

    def test_input_is_left_alone(self):
        returns = np.array([0.03, -0.02, 0.01, -0.04])
        before = returns.copy()
        tail.var_es(returns, (0.9, 0.5))
        tail.historical_var(returns, 0.9)
        np.testing.assert_array_equal(returns, before)

    @given(SAMPLES, CONFIDENCES)
    def test_es_is_the_average_of_the_tail(self, returns, confidence):
        assert tail.historical_es(returns, confidence) == pytest.approx(
            acerbi_tasche_es(returns, confidence), abs=1e-12
        )

    @given(SAMPLES, st.lists(CONFIDENCES, min_size=1, max_size=4))
    def test_one_partition_gives_what_the_single_functions_give(self, returns, confidences):
        pairs = tail.var_es(returns, confidences)
        assert len(pairs) == len(confidences)
        for (var, es), confidence in zip(pairs, confidences, strict=True):
            assert var == pytest.approx(-np.quantile(returns, 1.0 - confidence), abs=1e-12)
            assert es == pytest.approx(acerbi_tasche_es(returns, confidence), abs=1e-12)
            assert es >= var - 1e-15

    @given(SAMPLES, st.floats(0.01, 0.99), st.floats(0.01, 0.99))
    def test_monotone_in_confidence(self, returns, one, other):
        low, high = sorted((one, other))
        (var_low, es_low), (var_high, es_high) = tail.var_es(returns, (low, high))
        assert var_low <= var_high + 1e-12
        assert es_low <= es_high + 1e-12

    @given(SAMPLES, CONFIDENCES, st.floats(0.01, 100.0), st.floats(-1.0, 1.0))
    def test_homogeneous_and_shifted_by_cash(self, returns, confidence, factor, cash):
        (var, es), (scaled_var, scaled_es), (moved_var, moved_es) = (
            tail.var_es(series, (confidence,))[0] for series in (returns, factor * returns, returns + cash)
        )
        assert scaled_var == pytest.approx(factor * var, abs=1e-10)
        assert scaled_es == pytest.approx(factor * es, abs=1e-10)
        assert moved_var == pytest.approx(var - cash, abs=1e-12)
        assert moved_es == pytest.approx(es - cash, abs=1e-12)

    @given(st.data(), CONFIDENCES)
    def test_es_is_subadditive(self, data, confidence):
        n = data.draw(st.integers(2, 60))
        one, other = (data.draw(hnp.arrays(np.float64, n, elements=st.floats(-0.9, 0.9))) for _ in range(2))
        assert tail.historical_es(one + other, confidence) <= (
            tail.historical_es(one, confidence) + tail.historical_es(other, confidence) + 1e-12
        )

    @given(SAMPLES, CONFIDENCES, st.randoms(use_true_random=False))
    def test_order_does_not_matter(self, returns, confidence, random):
        shuffled = returns.tolist()
        random.shuffle(shuffled)
        assert tail.var_es(shuffled, (confidence,)) == tail.var_es(returns, (confidence,))


class TestAgeWeighted:
    def test_hull_weights_of_0995(self):
        # cumulative weights 0.00528, 0.00771, 0.01027: the third worst loss
        assert tail.age_weighted_var(hull(), 0.99, 0.995) == 282.204

    def test_no_decay_is_the_type_1_quantile(self):
        returns = np.random.default_rng(3).standard_normal(200)
        for confidence in (0.9, 0.95, 0.99, 0.995):
            expected = tail.historical_var(returns, confidence, 1)
            assert tail.age_weighted_var(returns, confidence, 1.0) == expected

    def test_a_recent_loss_counts_more_than_an_old_one(self):
        old, new = np.zeros(100), np.zeros(100)
        old[0] = new[-1] = -0.2
        assert tail.age_weighted_var(old, 0.99, 0.97) == 0.0
        assert tail.age_weighted_var(new, 0.99, 0.97) == 0.2

    @pytest.mark.parametrize("decay", [0.0, -0.1, 1.01, float("nan"), "0.9"])
    def test_decay_outside_its_range(self, decay):
        with pytest.raises(MeasureError, match="decay"):
            tail.age_weighted_var([0.1, 0.2], 0.9, decay)


class TestVolatilityScaled:
    def test_rises_with_the_volatility_of_today(self):
        rng = np.random.default_rng(5)
        calm, wild = 0.005 * rng.standard_normal(400), 0.03 * rng.standard_normal(100)
        worsening = np.concatenate([calm, wild])
        assert tail.volatility_scaled_var(worsening, 0.95) > 1.5 * tail.historical_var(worsening, 0.95)
        calming = worsening[::-1].copy()
        assert tail.volatility_scaled_var(calming, 0.95) < 0.7 * tail.historical_var(calming, 0.95)

    @given(st.floats(0.1, 10.0))
    def test_homogeneous(self, factor):
        returns = np.random.default_rng(5).standard_normal(120)
        assert tail.volatility_scaled_var(factor * returns, 0.95) == pytest.approx(
            factor * tail.volatility_scaled_var(returns, 0.95), rel=1e-9
        )


SERIES_MEASURES = {
    "historical_var": lambda r, c: tail.historical_var(r, c),
    "historical_es": tail.historical_es,
    "var_es": lambda r, c: tail.var_es(r, (0.5, c)),
    "normal_var": tail.normal_var,
    "normal_es": tail.normal_es,
    "cornish_fisher_var": tail.cornish_fisher_var,
    "cornish_fisher_es": tail.cornish_fisher_es,
    "student_t_var": tail.student_t_var,
    "student_t_es": tail.student_t_es,
    "age_weighted_var": lambda r, c: tail.age_weighted_var(r, c, 0.98),
    "volatility_scaled_var": tail.volatility_scaled_var,
    "gpd_var": tail.gpd_var,
    "gpd_es": tail.gpd_es,
}


@pytest.mark.parametrize("measure", SERIES_MEASURES.values(), ids=SERIES_MEASURES)
class TestEverySeriesMeasure:
    @pytest.mark.parametrize("values", NOT_A_SERIES.values(), ids=NOT_A_SERIES)
    def test_refuses_what_is_no_series(self, measure, values):
        with pytest.raises(InvalidReturns):
            measure(values, 0.99)

    def test_refuses_a_matrix(self, measure):
        with pytest.raises(InvalidReturns, match="one series"):
            measure(np.zeros((200, 2)), 0.99)

    @pytest.mark.parametrize("values", [[], [0.01]], ids=["none", "one"])
    def test_refuses_too_few(self, measure, values):
        with pytest.raises(InsufficientData, match="at least"):
            measure(values, 0.99)

    @pytest.mark.parametrize("confidence", NOT_A_CONFIDENCE)
    def test_refuses_what_is_no_confidence(self, measure, confidence):
        returns = np.random.default_rng(0).standard_normal(300)
        with pytest.raises((InvalidReturns, UndefinedMeasure), match="confidence"):
            measure(returns, confidence)

    def test_takes_lists_integers_and_reversed_views(self, measure):
        returns = np.rint(100 * np.random.default_rng(0).standard_t(9, 300)).astype(int)
        as_float = measure(returns.astype(float), 0.95)
        assert measure(returns, 0.95) == as_float
        assert measure(returns.tolist(), 0.95) == as_float
        assert measure(returns[::-1].astype(float)[::-1], 0.95) == as_float


@pytest.mark.parametrize("kind", [0, 2, 5, 9, "7", None, True])
def test_refuses_other_quantile_types(kind):
    with pytest.raises(UndefinedMeasure, match="quantile_type"):
        tail.historical_var([0.1, 0.2], 0.9, kind)


def test_refuses_no_confidences():
    with pytest.raises(UndefinedMeasure, match="confidences"):
        tail.var_es([0.1, 0.2], ())


def test_import_is_light():
    code = (
        "import sys, risk_management.measures.tail, risk_management.measures.dependence;"
        "print([m for m in ('scipy.stats', 'scipy.optimize', 'scipy.cluster', 'cvxpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("size", [2, 10, 255, 256, 257, 1250, 5000])
@pytest.mark.parametrize("shape", ["normal", "ties", "constant", "rising", "falling", "every_eighth_is_deep"])
def test_tails_rest_on_the_smallest_values_whatever_their_order(size, shape):
    """The pivot is taken from every eighth value: an order that misleads it must not change the result."""
    plain = np.random.default_rng(size).normal(size=size)
    values = {
        "normal": plain,
        "ties": np.round(plain),
        "constant": np.full(size, 0.5),
        "rising": np.sort(plain),
        "falling": np.sort(plain)[::-1].copy(),
        "every_eighth_is_deep": plain - 50.0 * (np.arange(size) % 8 == 0),
    }[shape]
    for confidence in (0.5, 0.9, 0.95, 0.975, 0.99, 0.9999):
        ((var, es),) = tail.var_es(values, (confidence,))
        assert var == pytest.approx(-np.quantile(values, 1.0 - confidence), abs=1e-12)
        left, total = (1.0 - confidence) * size, 0.0
        for value in np.sort(values):
            weight = min(1.0, left)
            total, left = total - weight * value, left - weight
            if left <= 1e-12:
                break
        assert es == pytest.approx(max(total / ((1.0 - confidence) * size), var), abs=1e-9)


@pytest.mark.parametrize(
    "call",
    [
        lambda x: tail.var_es(x, 0.99),
        lambda x: tail.var_es(x, "0.99"),
        lambda x: tail.var_es(x, ([0.99],)),
        lambda x: tail.historical_es(x, [0.99]),
        lambda x: tail.historical_var(x, 0.99, np.array([7, 1])),
        lambda x: tail.historical_var(x, 0.99, [7]),
        lambda x: tail.component_var(x[:, None], [1.0], 0.99, method=np.array(["historical", "normal"])),
    ],
)
def test_settings_of_the_wrong_kind_are_refused(call):
    with pytest.raises(MeasureError):
        call(np.random.default_rng(1).standard_normal(300))


def test_minute_returns_keep_their_risk():
    """Squares of 1e-200 vanish; every tail measure scales with its returns."""
    x = 0.01 * np.random.default_rng(2).standard_normal(400)
    for measure in (tail.normal_var, tail.normal_es, tail.volatility_scaled_var, tail.historical_var):
        assert measure(1e-200 * x, 0.99) == pytest.approx(1e-200 * measure(x, 0.99), rel=1e-9), measure
