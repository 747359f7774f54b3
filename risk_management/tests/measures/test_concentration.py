import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from risk_management.errors import InsufficientData, InvalidReturns, MeasureError, UndefinedMeasure
from risk_management.measures.concentration import (
    _minimum_torsion,
    diversification_ratio,
    effective_bets,
    effective_number,
    herfindahl,
)
from risk_management.tests.measures.bad_inputs import NOT_A_SERIES

WEIGHTS = hnp.arrays(np.float64, 4, elements=st.floats(-3, 3).map(lambda x: round(x, 3)))
BETS = ["pca", "minimum_torsion"]


def covariance(seed=0):
    root = np.random.default_rng(seed).standard_normal((4, 4)) + np.eye(4)
    return root @ root.T * 1e-4


@pytest.mark.parametrize("measure", [diversification_ratio, effective_bets])
def test_a_matrix_under_which_a_book_has_negative_variance_is_none(measure):
    """A correlation of 1.5: long and short in equal parts would have the variance 2 - 3."""
    with pytest.raises(UndefinedMeasure, match="nearest_psd"):
        measure([1.0, 1.0], [[1.0, 1.5], [1.5, 1.0]])
    on_the_edge = np.ones((3, 3)) - 1e-15 * np.eye(3)  # singular up to rounding
    assert measure([1.0, 1.0, 1.0], on_the_edge) == pytest.approx(1.0)


class TestHerfindahl:
    @pytest.mark.parametrize(
        ("weights", "index"),
        [
            ([1], 1.0),
            ([5, 0, 0], 1.0),
            ([1, 1, 1, 1], 0.25),
            ([-1, 1, -1, 1], 0.25),
            ([0.5, 0.3, 0.2], 0.38),
            ([10**18, 10**18], 0.5),
            ([1e-60, 1e-60], 0.5),
        ],
    )
    def test_by_hand(self, weights, index):
        assert herfindahl(weights) == pytest.approx(index, rel=1e-14)
        assert effective_number(weights) == pytest.approx(1 / index, rel=1e-14)

    @given(WEIGHTS, st.floats(0.001, 1000), st.permutations(range(4)))
    def test_unit_sign_and_order_do_not_matter(self, weights, factor, order):
        assume(weights.any())
        index = herfindahl(weights)
        assert 0.25 - 1e-12 <= index <= 1.0 + 1e-12
        assert herfindahl(-factor * weights[list(order)]) == pytest.approx(index, rel=1e-9)

    def test_refuses_nothing(self):
        with pytest.raises(UndefinedMeasure, match="all zero"):
            herfindahl([0.0, 0.0])
        with pytest.raises(InsufficientData):
            effective_number([])

    @pytest.mark.parametrize("bad", NOT_A_SERIES.values(), ids=NOT_A_SERIES)
    def test_refuses_what_are_no_weights(self, bad):
        with pytest.raises(InvalidReturns, match="weights"):
            herfindahl(bad)


class TestDiversificationRatio:
    def test_uncorrelated_equals(self):
        assert diversification_ratio(np.ones(9), np.eye(9)) == pytest.approx(3.0)

    def test_one_factor(self):
        sd = np.array([0.1, 0.2, 0.3])
        assert diversification_ratio([1, 2, 3], np.outer(sd, sd)) == pytest.approx(1.0)

    def test_two_assets_by_hand(self):
        sigma = [[0.04, 0.5 * 0.2 * 0.1], [0.5 * 0.2 * 0.1, 0.01]]
        expected = (0.6 * 0.2 + 0.4 * 0.1) / np.sqrt(0.36 * 0.04 + 0.16 * 0.01 + 2 * 0.24 * 0.01)
        assert diversification_ratio([0.6, 0.4], sigma) == pytest.approx(expected)

    @given(st.integers(0, 999), WEIGHTS, st.floats(0.01, 100))
    def test_at_least_one_and_free_of_unit(self, seed, weights, factor):
        assume(np.abs(weights).max() > 0.01)
        sigma = covariance(seed)
        ratio = diversification_ratio(weights, sigma)
        assert ratio >= 1.0 - 1e-12
        assert diversification_ratio(-factor * weights, sigma) == pytest.approx(ratio)

    def test_a_perfect_hedge_is_undefined(self):
        with pytest.raises(UndefinedMeasure, match="does not move"):
            diversification_ratio([1, -1], np.ones((2, 2)))
        with pytest.raises(UndefinedMeasure, match="does not move"):
            diversification_ratio([0, 0], np.eye(2))


class TestEffectiveBets:
    @pytest.mark.parametrize("method", BETS)
    def test_uncorrelated_series_are_the_bets(self, method):
        variance = np.array([1.0, 2.0, 3.0, 4.0])
        shares = np.array([1.0, 8.0, 3.0, 4.0])  # w^2 * variance at w = 1, 2, 1, 1
        p = shares / shares.sum()
        expected = np.exp(-(p * np.log(p)).sum())
        assert effective_bets([1, 2, 1, 1], np.diag(variance), method) == pytest.approx(expected)

    @pytest.mark.parametrize("method", BETS)
    def test_equal_risk_in_all_is_all(self, method):
        sd = np.array([1.0, 2.0, 4.0])
        assert effective_bets(1 / sd, np.diag(sd**2), method) == pytest.approx(3.0)

    def test_a_principal_portfolio_is_one_bet(self):
        sigma = covariance(1)
        for axis in np.linalg.eigh(sigma)[1].T:
            assert effective_bets(axis, sigma) == pytest.approx(1.0)

    def test_equal_weights_of_an_equicorrelated_market(self):
        # one principal component takes it all, yet the nearest uncorrelated series share it equally
        sigma = np.full((5, 5), 0.8) + 0.2 * np.eye(5)
        assert effective_bets(np.ones(5), sigma, "pca") == pytest.approx(1.0)
        assert effective_bets(np.ones(5), sigma, "minimum_torsion") == pytest.approx(5.0)

    def test_pca_of_a_loop(self):
        sigma, w = covariance(2), np.array([0.4, -0.1, 0.3, 0.2])
        power, axes = np.linalg.eigh(sigma)
        p = [(axes[:, k] @ w) ** 2 * power[k] / (w @ sigma @ w) for k in range(4)]
        assert effective_bets(w, sigma) == pytest.approx(np.exp(-sum(x * np.log(x) for x in p)))

    def test_torsion_beats_other_uncorrelated_series_at_tracking(self):
        sigma = covariance(3)
        sd = np.sqrt(np.diag(sigma))
        rho = sigma / np.outer(sd, sd)

        def tracking(t):  # sum of the normalised squared tracking errors
            return np.trace((t - np.eye(4)) @ rho @ (t - np.eye(4)).T)

        best = _minimum_torsion(rho)
        bets = best @ rho @ best.T
        np.testing.assert_allclose(bets, np.diag(np.diag(bets)), atol=1e-10)
        power, axes = np.linalg.eigh(rho)
        symmetric_root = (axes / np.sqrt(power)) @ axes.T  # the starting point: Loewdin's map
        assert tracking(best) <= tracking(symmetric_root) + 1e-12
        rng = np.random.default_rng(0)
        for _ in range(200):
            turn, _ = np.linalg.qr(np.eye(4) + 0.05 * rng.standard_normal((4, 4)))
            turn = turn * np.sign(np.diag(turn))[None, :]
            scale = np.diag(best @ rho @ best.T) ** 0.5
            other = scale[:, None] * (turn @ (best / scale[:, None]))
            assert tracking(other) >= tracking(best) - 1e-9

    @pytest.mark.parametrize("method", BETS)
    @given(
        seed=st.integers(0, 999),
        weights=WEIGHTS,
        factor=st.floats(0.01, 100),
        order=st.permutations(range(4)),
    )
    def test_between_one_and_all_and_free_of_unit_and_order(self, method, seed, weights, factor, order):
        assume(np.abs(weights).max() > 0.01)
        sigma = covariance(seed)
        assume(np.linalg.cond(sigma) < 1e4)
        bets = effective_bets(weights, sigma, method)
        assert 1.0 - 1e-9 <= bets <= 4.0 + 1e-9
        moved = effective_bets(factor * weights[list(order)], sigma[np.ix_(order, order)], method)
        assert moved == pytest.approx(bets, rel=1e-3)

    def test_refuses(self):
        with pytest.raises(UndefinedMeasure, match="combination"):
            effective_bets([1, 2], np.ones((2, 2)), "minimum_torsion")
        with pytest.raises(UndefinedMeasure, match="column 1"):
            effective_bets([1, 2], np.diag([1.0, 0.0]), "minimum_torsion")
        with pytest.raises(UndefinedMeasure, match="does not move"):
            effective_bets([0, 0], np.eye(2))
        with pytest.raises(UndefinedMeasure, match="'pca'"):
            effective_bets([1, 1], np.eye(2), "ica")


@pytest.mark.parametrize("measure", [diversification_ratio, effective_bets])
@pytest.mark.parametrize(
    ("weights", "sigma"),
    [
        ([1, 1, 1], np.eye(2)),
        ([1, np.nan], np.eye(2)),
        ([1, 1], np.ones((2, 3))),
        ([1, 1], [[1.0, 0.5], [0.1, 1.0]]),
        ([1, 1], [[1.0, np.inf], [np.inf, 1.0]]),
        ([1, 1], np.diag([1.0, -1.0])),
        (["1", "1"], np.eye(2)),
        ([1, 1], None),
    ],
)
def test_refuses_what_does_not_fit(measure, weights, sigma):
    with pytest.raises(MeasureError):
        measure(weights, sigma)
