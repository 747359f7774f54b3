import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import integrate, stats

from risk_management.errors import InsufficientData, UndefinedMeasure
from risk_management.measures import tail

CONFIDENCES = [0.6, 0.9, 0.95, 0.99, 0.999]


def sample(seed=0, n=500):
    return 0.0005 + 0.01 * np.random.default_rng(seed).standard_normal(n)


class TestNormal:
    @pytest.mark.parametrize("confidence", CONFIDENCES)
    def test_against_the_law_itself(self, confidence):
        returns = sample()
        law = stats.norm(returns.mean(), np.sqrt(np.var(returns, ddof=1)))
        assert tail.normal_var(returns, confidence) == pytest.approx(-law.ppf(1 - confidence), rel=1e-10)
        worst, _ = integrate.quad(lambda x: x * law.pdf(x), law.ppf(1e-15), law.ppf(1 - confidence))
        assert tail.normal_es(returns, confidence) == pytest.approx(-worst / (1 - confidence), rel=1e-6)

    def test_known_multiples(self):
        # of one standard deviation: VaR 99 % 2.3263, ES 97.5 % 2.3378 (the Basel pair)
        returns = np.array([-1.0, 1.0]) / np.sqrt(2.0)
        assert tail.normal_var(returns, 0.99) == pytest.approx(2.3263, abs=5e-5)
        assert tail.normal_es(returns, 0.975) == pytest.approx(2.3378, abs=5e-5)

    def test_zero_mean_leaves_the_mean_out(self):
        returns = sample()
        for measure in (tail.normal_var, tail.normal_es):
            gap = measure(returns, 0.99, zero_mean=True) - measure(returns, 0.99)
            assert gap == pytest.approx(returns.mean(), rel=1e-9)

    def test_a_constant_series_loses_what_it_loses(self):
        assert tail.normal_var([-0.01] * 5, 0.99) == pytest.approx(0.01)


class TestCornishFisher:
    def expansion(self, returns):
        m = returns.mean()
        sd, s, k = returns.std(), stats.skew(returns), stats.kurtosis(returns)
        return lambda z: (
            m + sd * (z + (z**2 - 1) * s / 6 + (z**3 - 3 * z) * k / 24 - (2 * z**3 - 5 * z) * s**2 / 36)
        )

    @pytest.mark.parametrize("confidence", CONFIDENCES)
    @pytest.mark.parametrize("seed", [1, 2, 3])
    def test_var_is_the_expansion_and_es_its_average(self, confidence, seed):
        returns = np.random.default_rng(seed).standard_t(9, 800)
        quantile = self.expansion(returns)
        assert tail.cornish_fisher_var(returns, confidence) == pytest.approx(
            -quantile(stats.norm.ppf(1 - confidence)), rel=1e-10
        )
        area, _ = integrate.quad(
            lambda z: quantile(z) * stats.norm.pdf(z), -38, stats.norm.ppf(1 - confidence), epsabs=1e-14
        )
        assert tail.cornish_fisher_es(returns, confidence) == pytest.approx(
            -area / (1 - confidence), rel=1e-8
        )

    def test_without_skew_and_kurtosis_it_is_the_normal(self):
        # four points with the normal's kurtosis: weights 1/6 at +-sqrt 3, 2/3 at 0
        returns = np.repeat([-np.sqrt(3), 0.0, np.sqrt(3)], [100, 400, 100])
        assert tail.cornish_fisher_var(returns, 0.99) == pytest.approx(2.326348, abs=1e-6)
        assert tail.cornish_fisher_es(returns, 0.975) == pytest.approx(2.337803, abs=1e-6)

    @pytest.mark.parametrize("measure", [tail.cornish_fisher_var, tail.cornish_fisher_es])
    @pytest.mark.parametrize("kurtosis", [8.5, 9.0, 30.0])
    def test_heavy_tails_lie_outside_its_domain(self, measure, kurtosis):
        # one point in (kurtosis + 3) / 2 pairs: a symmetric three-point law with that kurtosis
        share = round(3000 / (kurtosis + 3))
        returns = np.repeat([-1.0, 0.0, 1.0], [share, 6000 - 2 * share, share])
        assert stats.kurtosis(returns) == pytest.approx(kurtosis, rel=0.02)
        with pytest.raises(UndefinedMeasure, match="kurtosis"):
            measure(returns, 0.99)

    @given(st.lists(st.floats(-1, 1).map(lambda x: round(x, 3)), min_size=8, max_size=40))
    def test_where_it_answers_it_is_coherent(self, values):
        assume(np.ptp(values) > 0.01)
        try:
            var = [tail.cornish_fisher_var(values, c) for c in CONFIDENCES]
            es = [tail.cornish_fisher_es(values, c) for c in CONFIDENCES]
        except UndefinedMeasure:
            return
        assert var == sorted(var)
        assert es == sorted(es)
        assert all(e >= v for v, e in zip(var, es, strict=True))

    def test_refuses_a_constant_series(self):
        with pytest.raises(UndefinedMeasure, match="constant"):
            tail.cornish_fisher_var([0.1] * 50, 0.99)


class TestStudentT:
    @pytest.mark.parametrize("df", [1.5, 3.0, 6.0])
    def test_fit_is_as_likely_as_scipys(self, df):
        returns = 0.001 + 0.01 * np.random.default_rng(int(df * 2)).standard_t(df, 1500)
        fit = tail.fit_student_t(returns)
        oracle = stats.t.fit(returns)
        ours = stats.t.logpdf(returns, fit.df, fit.loc, fit.scale).sum()
        assert ours >= stats.t.logpdf(returns, *oracle).sum() - 1e-6
        assert fit.df == pytest.approx(oracle[0], rel=1e-3)
        assert fit.scale == pytest.approx(oracle[2], rel=1e-3)
        assert fit.infinite_variance == (oracle[0] <= 2)
        assert not fit.near_normal

    @pytest.mark.parametrize("confidence", [0.9, 0.99, 0.999])
    def test_var_and_es_are_those_of_the_fitted_law(self, confidence):
        returns = 0.01 * np.random.default_rng(4).standard_t(4, 1500)
        fit = tail.fit_student_t(returns)
        law = stats.t(fit.df, fit.loc, fit.scale)
        q = law.ppf(1 - confidence)
        assert tail.student_t_var(returns, confidence) == pytest.approx(-q, rel=1e-8)
        worst, _ = integrate.quad(lambda x: x * law.pdf(x), -np.inf, q, epsabs=1e-13)
        assert tail.student_t_es(returns, confidence) == pytest.approx(-worst / (1 - confidence), rel=1e-5)

    def test_thin_tails_stand_at_the_top(self):
        fit = tail.fit_student_t(np.random.default_rng(1).uniform(-1, 1, 500))
        assert fit.df == 100.0
        assert fit.near_normal

    def test_no_mean_no_shortfall(self):
        returns = np.random.default_rng(11).standard_t(0.7, 800)
        fit = tail.fit_student_t(returns)
        assert fit.df < 1
        assert fit.infinite_variance
        assert tail.student_t_var(returns, 0.99) > 0
        with pytest.raises(UndefinedMeasure, match="infinite"):
            tail.student_t_es(returns, 0.99)

    @pytest.mark.parametrize(
        "returns",
        [[0.01] * 30, [0.0] * 30 + [0.01, -0.02, 0.03], [0.0] * 19 + [1.0]],
        ids=["constant", "mostly zero", "one jump"],
    )
    def test_refuses_spikes(self, returns):
        with pytest.raises(UndefinedMeasure):
            tail.fit_student_t(returns)

    def test_unit_does_not_matter(self):
        returns = np.random.default_rng(2).standard_t(4, 600)
        big, small = tail.fit_student_t(1e6 * returns), tail.fit_student_t(1e-6 * returns)
        assert big.df == pytest.approx(small.df, rel=1e-4)
        assert big.scale == pytest.approx(1e12 * small.scale, rel=1e-4)

    def test_needs_ten(self):
        with pytest.raises(InsufficientData, match="10"):
            tail.student_t_var([0.01, 0.02, -0.01] * 3, 0.99)


class TestPareto:
    @pytest.mark.parametrize("df", [2, 4, 30])
    def test_fit_is_as_likely_as_scipys(self, df):
        returns = np.random.default_rng(df).standard_t(df, 3000)
        fit = tail.fit_gpd(returns)
        losses = -returns
        assert fit.threshold == pytest.approx(np.quantile(losses, 0.9))
        excesses = losses[losses > fit.threshold] - fit.threshold
        assert fit.exceedances == len(excesses) == 300
        assert fit.observations == 3000
        shape, _, scale = stats.genpareto.fit(excesses, floc=0)
        likelihood = stats.genpareto.logpdf(excesses, fit.shape, 0, fit.scale).sum()
        assert likelihood >= stats.genpareto.logpdf(excesses, shape, 0, scale).sum() - 1e-6
        assert fit.shape == pytest.approx(shape, abs=2e-3)

    @pytest.mark.parametrize("confidence", [0.95, 0.99, 0.999])
    def test_var_and_es_are_those_of_the_fitted_tail(self, confidence):
        returns = np.random.default_rng(1).standard_t(4, 2000)
        fit = tail.fit_gpd(returns)
        excess = stats.genpareto(fit.shape, 0, fit.scale)
        inner = 1 - (1 - confidence) * fit.observations / fit.exceedances
        var = fit.threshold + excess.ppf(inner)
        assert tail.gpd_var(returns, confidence) == pytest.approx(var, rel=1e-9)
        mean = integrate.quad(lambda u: fit.threshold + excess.ppf(u), inner, 1)[0] / (1 - inner)
        assert tail.gpd_es(returns, confidence) == pytest.approx(mean, rel=1e-4)

    def test_exponential_tail_has_shape_zero(self):
        # exact quantiles of the exponential law: VaR is a logarithm
        returns = np.log1p(-(np.arange(20_000) + 0.5) / 20_000)
        fit = tail.fit_gpd(returns)
        assert fit.shape == pytest.approx(0.0, abs=0.01)
        assert tail.gpd_var(returns, 0.999) == pytest.approx(np.log(1000), rel=0.01)
        assert tail.gpd_es(returns, 0.999) == pytest.approx(np.log(1000) + 1, rel=0.01)

    def test_bounded_losses_keep_the_least_shape(self):
        fit = tail.fit_gpd(-np.random.default_rng(0).uniform(0, 1, 1000))
        assert fit.shape == -0.5

    def test_says_nothing_below_its_threshold(self):
        returns = np.random.default_rng(1).standard_normal(500)
        assert tail.gpd_var(returns, 0.9) == pytest.approx(tail.fit_gpd(returns).threshold)
        with pytest.raises(UndefinedMeasure, match="threshold"):
            tail.gpd_var(returns, 0.89)

    def test_infinite_shortfall(self):
        returns = -(1.0 / (np.random.default_rng(1).uniform(0, 1, 3000)) ** 1.6)
        assert tail.fit_gpd(returns).shape > 1
        with pytest.raises(UndefinedMeasure, match="infinite"):
            tail.gpd_es(returns, 0.99)

    def test_needs_ten_exceedances(self):
        with pytest.raises(InsufficientData, match="10"):
            tail.gpd_var(np.random.default_rng(1).standard_normal(90), 0.99)

    def test_refuses_equal_exceedances(self):
        with pytest.raises(UndefinedMeasure, match="equal"):
            tail.fit_gpd([0.01] * 180 + [-0.05] * 15)
