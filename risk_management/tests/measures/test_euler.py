import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from risk_management.errors import InvalidReturns, UndefinedMeasure
from risk_management.measures import tail
from risk_management.tests.measures.bad_inputs import NOT_A_CONFIDENCE, NOT_A_SERIES

CONFIDENCES = st.sampled_from([0.5, 0.8, 0.95, 0.975, 0.99])
WEIGHTS = hnp.arrays(np.float64, 4, elements=st.floats(-2, 2).map(lambda x: round(x, 3)))
SEEDS = st.integers(0, 1000)


def returns(seed=0, n=150):
    rng = np.random.default_rng(seed)
    return (
        0.01
        * rng.standard_t(4, (n, 4))
        @ np.array([[1, 0.5, 0, 0], [0, 1, 0, 0], [0, 0, 1, -0.8], [0.2, 0, 0, 1]])
    )


TOTALS = {
    (tail.component_var, "historical"): tail.historical_var,
    (tail.component_es, "historical"): tail.historical_es,
    (tail.component_var, "normal"): tail.normal_var,
    (tail.component_es, "normal"): tail.normal_es,
}


@pytest.mark.parametrize(("key", "total"), TOTALS.items())
class TestComponents:
    @given(seed=SEEDS, weights=WEIGHTS, confidence=CONFIDENCES)
    def test_add_up_to_the_total(self, key, total, seed, weights, confidence):
        values, (component, method) = returns(seed), key
        parts = component(values, weights, confidence, method)
        assert parts.shape == (4,)
        assert parts.sum() == pytest.approx(total(values @ weights, confidence), abs=1e-12)

    @given(seed=SEEDS, confidence=CONFIDENCES, order=st.permutations(range(4)))
    def test_follow_their_columns(self, key, total, seed, confidence, order):
        values, weights, (component, method) = returns(seed), np.array([0.4, -0.3, 0.5, 0.2]), key
        parts = component(values, weights, confidence, method)
        moved = component(values[:, order], weights[list(order)], confidence, method)
        np.testing.assert_allclose(moved, parts[list(order)], atol=1e-14)

    def test_are_weight_times_derivative(self, key, total):
        values, weights, (component, method) = returns(3), np.array([0.4, -0.3, 0.5, 0.2]), key
        parts = component(values, weights, 0.95, method)
        for i in range(4):
            step = np.zeros(4)
            step[i] = 1e-7
            slope = (total(values @ (weights + step), 0.95) - total(values @ (weights - step), 0.95)) / 2e-7
            assert parts[i] == pytest.approx(weights[i] * slope, abs=1e-7)

    def test_of_no_weights_are_nothing(self, key, total):
        component, method = key
        np.testing.assert_array_equal(component(returns(), np.zeros(4), 0.95, method), np.zeros(4))

    @pytest.mark.parametrize("bad", NOT_A_SERIES.values(), ids=NOT_A_SERIES)
    def test_refuse_what_is_no_matrix(self, key, total, bad):
        with pytest.raises(InvalidReturns):
            key[0](bad, [0.5, 0.5], 0.95, key[1])

    @pytest.mark.parametrize(
        "weights", [[0.5], [0.2] * 5, [0.5, np.nan, 0.1, 0.2], ["a"] * 4, np.ones((4, 1)), None]
    )
    def test_refuse_other_weights(self, key, total, weights):
        with pytest.raises(InvalidReturns, match="weights"):
            key[0](returns(), weights, 0.95, key[1])

    @pytest.mark.parametrize("confidence", NOT_A_CONFIDENCE)
    @pytest.mark.parametrize("weights", [np.ones(4), np.zeros(4)], ids=["weights", "no weights"])
    def test_refuse_what_is_no_confidence(self, key, total, confidence, weights):
        with pytest.raises((InvalidReturns, UndefinedMeasure), match="confidence"):
            key[0](returns(), weights, confidence, key[1])


def test_historical_shares_are_those_of_the_boundary_scenarios():
    values = np.array([[-0.05, 0.01], [-0.01, -0.01], [0.0, 0.02], [0.01, -0.06], [0.02, 0.03]])
    weights = np.array([1.0, 1.0])
    # the book: -0.04, -0.02, 0.02, -0.05, 0.05; type 7 at 0.8 of 5 is position 0.8 from the worst
    np.testing.assert_allclose(
        tail.component_var(values, weights, 0.8), [0.2 * -0.01 + 0.8 * 0.05, 0.2 * 0.06 + 0.8 * -0.01]
    )
    # the worst 40 %: rows 3 and 0
    np.testing.assert_allclose(tail.component_es(values, weights, 0.6), [0.02, 0.025])


@pytest.mark.parametrize("method", ["historical", "normal"])
def test_increments_are_the_difference_without_the_position(method):
    total = {"historical": tail.historical_var, "normal": tail.normal_var}[method]
    values, weights = returns(1), np.array([0.4, -0.3, 0.5, 0.2])
    for index in range(4):
        rest = np.delete(np.arange(4), index)
        expected = total(values @ weights, 0.95) - total(values[:, rest] @ weights[rest], 0.95)
        assert tail.incremental_var(values, weights, index, 0.95, method) == pytest.approx(expected)


@pytest.mark.parametrize("index", [-1, 4, 1.5, "0", None, True])
def test_increment_of_no_column(index):
    with pytest.raises((InvalidReturns, UndefinedMeasure), match="index"):
        tail.incremental_var(returns(), np.ones(4), index, 0.95)


@pytest.mark.parametrize("method", ["historical", "normal"])
def test_marginal_is_undefined_without_weights(method):
    with pytest.raises(UndefinedMeasure, match="without any weight"):
        tail.marginal_var(returns(), np.zeros(4), 0.95, method)


def test_marginal_is_undefined_for_a_perfect_hedge():
    one = returns()[:, :1]
    with pytest.raises(UndefinedMeasure, match="does not move"):
        tail.marginal_var(np.hstack([one, one]), [1.0, -1.0], 0.95, "normal")


def test_refuses_other_methods():
    with pytest.raises(UndefinedMeasure, match="'historical', 'normal'"):
        tail.component_var(returns(), np.ones(4), 0.95, "garch")
