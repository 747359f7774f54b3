import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from risk_management.errors import InsufficientData, InvalidReturns, MeasureError, UndefinedMeasure
from risk_management.measures.backtest import (
    acerbi_szekely_z2,
    basel_multiplier,
    binomial_test,
    christoffersen_independence,
    conditional_coverage,
    joint_loss,
    kupiec_pof,
    quantile_loss,
    traffic_light,
)
from risk_management.tests.measures.bad_inputs import NOT_A_CONFIDENCE, NOT_A_SERIES


def days(hits, total):
    return np.arange(total) < hits


# Kupiec (1995), table 3: counts that a test at 5 % does not reject, as (confidence, days, above, below)
KUPIEC = [
    (0.99, 510, 1, 11), (0.99, 1000, 4, 17),
    (0.975, 255, 2, 12), (0.975, 510, 6, 21), (0.975, 1000, 15, 36),
    (0.95, 255, 6, 21), (0.95, 510, 16, 36), (0.95, 1000, 37, 65),
    (0.925, 255, 11, 28), (0.925, 510, 27, 51), (0.925, 1000, 59, 92),
    (0.90, 255, 16, 36), (0.90, 510, 38, 65), (0.90, 1000, 81, 120),
]  # fmt: skip


class TestKupiec:
    @pytest.mark.parametrize(("confidence", "total", "above", "below"), KUPIEC)
    def test_published_regions(self, confidence, total, above, below):
        kept = [k for k in range(total // 4) if not kupiec_pof(days(k, total), confidence).reject]
        assert kept == list(range(above + 1, below))

    def test_published_region_without_lower_end(self):
        kept = [k for k in range(30) if not kupiec_pof(days(k, 255), 0.99).reject]
        assert max(kept) == 6  # the table says N < 7

    def test_by_hand(self):
        # -2 ln( 0.99^490 0.01^10 / (0.98^490 0.02^10) )
        expected = -2 * (490 * math.log(0.99 / 0.98) + 10 * math.log(0.01 / 0.02))
        result = kupiec_pof(days(10, 500), 0.99)
        assert result.statistic == pytest.approx(expected)
        assert result.p_value == pytest.approx(stats.chi2.sf(expected, 1))

    def test_extremes_are_served(self):
        assert kupiec_pof(days(0, 250), 0.99).statistic == pytest.approx(-500 * math.log(0.99))
        assert kupiec_pof(days(250, 250), 0.99).statistic == pytest.approx(-500 * math.log(0.01))
        assert kupiec_pof([True], 0.99).reject
        assert kupiec_pof(days(5, 500), 0.99).statistic == pytest.approx(0.0, abs=1e-12)

    def test_long_histories_do_not_underflow(self):
        result = kupiec_pof(days(88, 5598), 0.99)
        assert result.statistic == pytest.approx(
            2 * (88 * math.log(88 / 55.98) + 5510 * math.log(5510 / (5598 * 0.99)))
        )
        assert result.reject


class TestIndependence:
    def loop(self, hits):
        n = {(a, b): 0 for a in (0, 1) for b in (0, 1)}
        for a, b in pairwise(hits):
            n[int(a), int(b)] += 1

        def log(count, rate):
            return count * math.log(rate) if count else 0.0

        result = 0.0
        total = len(hits) - 1
        for b in (0, 1):
            column = n[0, b] + n[1, b]
            for a in (0, 1):
                row = n[a, 0] + n[a, 1]
                result += 2 * (log(n[a, b], n[a, b] / row if row else 1) - log(n[a, b], column / total))
        return result

    @given(st.lists(st.booleans(), min_size=2, max_size=80))
    def test_is_the_loop_over_all_pairs(self, hits):
        result = christoffersen_independence(hits)
        assert result.statistic == pytest.approx(max(0.0, self.loop(hits)), abs=1e-9)
        assert result.p_value == pytest.approx(stats.chi2.sf(result.statistic, 1))
        both = conditional_coverage(hits, 0.9)
        assert both.statistic == pytest.approx(kupiec_pof(hits, 0.9).statistic + result.statistic, abs=1e-9)
        assert both.p_value == pytest.approx(stats.chi2.sf(both.statistic, 2))

    def test_tells_clusters_from_spread(self):
        clustered, spread = np.zeros(500, int), np.zeros(500, int)
        clustered[100:110] = 1
        spread[::50] = 1
        assert christoffersen_independence(clustered).reject
        assert not christoffersen_independence(spread).reject
        assert not kupiec_pof(clustered, 0.98).reject
        assert conditional_coverage(clustered, 0.98).reject

    @pytest.mark.parametrize("hits", [[False] * 250, [True] * 250, [True, False], [0, 0]], ids=str)
    def test_nothing_to_judge(self, hits):
        result = christoffersen_independence(hits)
        assert (result.statistic, result.p_value, result.reject) == (0.0, 1.0, False)
        assert math.isfinite(conditional_coverage(hits, 0.99).statistic)


class TestBinomial:
    @pytest.mark.parametrize(
        ("count", "total"), [(0, 10), (10, 10), (3, 250), (8, 250), (30, 500), (88, 5598)]
    )
    @pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
    def test_is_scipys(self, count, total, confidence):
        expected = stats.binomtest(count, total, 1 - confidence).pvalue
        result = binomial_test(days(count, total), confidence)
        assert result.p_value == pytest.approx(expected, rel=1e-7, abs=1e-300)
        assert result.statistic == count
        assert result.reject == (expected < 0.05)


class TestTrafficLight:
    def test_basel_table(self):
        zones = [traffic_light(days(k, 250)).zone for k in range(15)]
        assert zones == ["green"] * 5 + ["yellow"] * 5 + ["red"] * 5

    def test_basel_plus_factors(self):
        # Basel Committee (1996), table 2
        plus = [0.0] * 5 + [0.40, 0.50, 0.65, 0.75, 0.85, 1.00, 1.00]
        for count, factor in enumerate(plus):
            assert basel_multiplier(days(count, 250)) == pytest.approx((3.0 + factor) / 3.0)
        assert basel_multiplier(days(0, 5)) == 1.0
        rising = [basel_multiplier(days(count, 100)) for count in range(12)]
        assert rising == sorted(rising)
        assert rising[-1] == pytest.approx(4.0 / 3.0)

    def test_basel_cumulative_probabilities(self):
        # table 2, cumulative, in percent
        for count, percent in enumerate(
            [8.11, 28.58, 54.32, 75.81, 89.22, 95.88, 98.63, 99.60, 99.89, 99.97]
        ):
            light = traffic_light(days(count, 250))
            assert 100 * light.probability == pytest.approx(percent, abs=0.006)
            assert (light.exceptions, light.observations) == (count, 250)

    def test_a_year_without_exception_is_green_however_short(self):
        assert traffic_light([False]).zone == "green"
        assert traffic_light(days(1, 100)).zone == "green"


class TestAcerbiSzekely:
    def test_by_hand(self):
        returns = [-0.05, 0.01, -0.02, 0.03, -0.04]
        result = acerbi_szekely_z2(returns, 0.03, 0.04, 0.8)
        assert result.statistic == pytest.approx(1 - (0.05 + 0.04) / 0.04 / (5 * 0.2))

    @pytest.mark.parametrize(("z2", "p"), [(-0.70, 0.05), (-1.8, 0.0001)])
    def test_published_critical_values(self, z2, p):
        # 250 days at 97.5 %, table 4 of the paper: a single loss of the size that gives Z2
        returns = np.zeros(250)
        returns[0] = -(1 - z2) * 250 * 0.025
        result = acerbi_szekely_z2(returns, 0.5, 1.0, 0.975)
        assert result.statistic == pytest.approx(z2)
        assert result.p_value == pytest.approx(p, rel=0.3)

    def test_right_forecasts_are_rarely_rejected_and_low_ones_often(self):
        rng = np.random.default_rng(0)
        z = stats.norm.ppf(0.025)
        var, es = -z, stats.norm.pdf(z) / 0.025
        right = [acerbi_szekely_z2(rng.standard_normal(250), var, es, 0.975) for _ in range(2000)]
        assert np.mean([r.statistic for r in right]) == pytest.approx(0.0, abs=0.04)
        assert np.mean([r.reject for r in right]) == pytest.approx(0.05, abs=0.015)
        low = [acerbi_szekely_z2(1.5 * rng.standard_normal(250), var, es, 0.975) for _ in range(200)]
        assert np.mean([r.reject for r in low]) > 0.9

    def test_no_exception_is_no_reproach(self):
        result = acerbi_szekely_z2(np.zeros(250), 0.02, 0.03, 0.975)
        assert (result.statistic, result.reject) == (1.0, False)
        assert result.p_value == 1.0

    @pytest.mark.parametrize(("confidence", "total"), [(0.995, 20), (0.99, 60), (0.99, 250), (0.975, 250)])
    def test_the_smallest_exception_is_as_likely_as_any(self, confidence, total):
        """The binomial chance of one or more; a continuous law with the same moments gave a third of it."""
        z = stats.norm.ppf(1.0 - confidence)
        returns = np.zeros(total)
        returns[3] = z * (1.0 + 1e-9)
        result = acerbi_szekely_z2(returns, -z, stats.norm.pdf(z) / (1.0 - confidence), confidence)
        assert result.p_value == pytest.approx(stats.binom.sf(0, total, 1.0 - confidence), abs=1e-3)

    @pytest.mark.parametrize(
        ("confidence", "total"), [(0.995, 20), (0.95, 20), (0.99, 60), (0.99, 250), (0.975, 1_000)]
    )
    def test_p_values_are_the_shares_of_a_simulation(self, confidence, total):
        """8,000 paths with right forecasts: at most 0.02 apart (Kolmogorov, one in a thousand), size 5 %."""
        rng = np.random.default_rng(6)
        z = stats.norm.ppf(1.0 - confidence)
        es = stats.norm.pdf(z) / (1.0 - confidence)
        found = [acerbi_szekely_z2(rng.standard_normal(total), -z, es, confidence) for _ in range(8_000)]
        statistics = np.sort([r.statistic for r in found])
        share = np.searchsorted(statistics, [r.statistic for r in found], side="right") / len(found)
        assert np.abs(share - [r.p_value for r in found]).max() < 0.022
        assert np.mean([r.reject for r in found]) <= 0.05 + 3.0 * math.sqrt(0.05 * 0.95 / len(found))

    def test_forecast_for_each_day(self):
        returns = np.array([-0.05, -0.05])
        result = acerbi_szekely_z2(returns, [0.04, 0.06], [0.05, 0.08], 0.5)
        assert result.statistic == pytest.approx(0.0)


class TestLosses:
    RETURNS = np.random.default_rng(0).standard_normal(200_000)

    def test_quantile_loss_by_hand(self):
        # r - q: -0.03, 0.03; weights 0.1 - 1 and 0.1
        assert quantile_loss([-0.05, 0.01], 0.02, 0.9) == pytest.approx((0.9 * 0.03 + 0.1 * 0.03) / 2)

    def test_joint_loss_by_hand(self):
        hit = -1 / (0.1 * -0.03) * (-0.02 + 0.05) + -0.02 / -0.03 + math.log(0.03) - 1
        calm = -0.02 / -0.03 + math.log(0.03) - 1
        assert joint_loss([-0.05, 0.01], 0.02, 0.03, 0.9) == pytest.approx((hit + calm) / 2)

    def test_the_true_forecast_scores_best(self):
        z = stats.norm.ppf(0.025)
        var, es = -z, stats.norm.pdf(z) / 0.025
        for factor in (0.8, 0.9, 1.1, 1.2):
            assert quantile_loss(self.RETURNS, var, 0.975) < quantile_loss(self.RETURNS, factor * var, 0.975)
            best = joint_loss(self.RETURNS, var, es, 0.975)
            assert best < joint_loss(self.RETURNS, factor * var, factor * es, 0.975)
            assert best < joint_loss(self.RETURNS, var, max(factor * es, var), 0.975)

    @given(st.floats(0.01, 100))
    def test_differences_of_the_joint_loss_are_free_of_unit(self, unit):
        few = self.RETURNS[:500]
        plain = joint_loss(few, 1.9, 2.3, 0.975) - joint_loss(few, 2.1, 2.6, 0.975)
        scaled = joint_loss(unit * few, unit * 1.9, unit * 2.3, 0.975)
        scaled -= joint_loss(unit * few, unit * 2.1, unit * 2.6, 0.975)
        assert scaled == pytest.approx(plain, abs=1e-9)


COUNTING = {
    "kupiec": lambda x, c=0.99: kupiec_pof(x, c),
    "independence": lambda x, c=0.99: christoffersen_independence(x),
    "coverage": lambda x, c=0.99: conditional_coverage(x, c),
    "binomial": lambda x, c=0.99: binomial_test(x, c),
    "light": lambda x, c=0.99: traffic_light(x, c),
}
FORECASTING = {
    "z2": acerbi_szekely_z2,
    "joint": joint_loss,
    "quantile": lambda r, v, e, c: quantile_loss(r, v, c),
}


class TestRefuses:
    @pytest.mark.parametrize("measure", COUNTING.values(), ids=COUNTING)
    @pytest.mark.parametrize(
        "bad",
        [v for k, v in NOT_A_SERIES.items() if k != "truth values"]
        + [[0, 2, 1], [0.5, 0.0], np.ones((3, 2), bool)],
        ids=str,
    )
    def test_what_are_no_exceptions(self, measure, bad):
        with pytest.raises(InvalidReturns):
            measure(bad)

    @pytest.mark.parametrize("measure", COUNTING.values(), ids=COUNTING)
    @pytest.mark.parametrize("nothing", [[], np.zeros(0, bool)], ids=["list", "array"])
    def test_no_days(self, measure, nothing):
        with pytest.raises(InsufficientData):
            measure(nothing)

    @pytest.mark.parametrize("confidence", NOT_A_CONFIDENCE)
    def test_what_is_no_confidence(self, confidence):
        for name, measure in COUNTING.items():
            if name != "independence":
                with pytest.raises((InvalidReturns, UndefinedMeasure), match="confidence"):
                    measure([0, 1, 0], confidence)
        for measure in FORECASTING.values():
            with pytest.raises((InvalidReturns, UndefinedMeasure), match="confidence"):
                measure([0.01, -0.02], 0.01, 0.02, confidence)

    @pytest.mark.parametrize("measure", FORECASTING.values(), ids=FORECASTING)
    @pytest.mark.parametrize("bad", NOT_A_SERIES.values(), ids=NOT_A_SERIES)
    def test_what_are_no_returns(self, measure, bad):
        with pytest.raises(InvalidReturns):
            measure(bad, 0.01, 0.02, 0.99)

    @pytest.mark.parametrize("measure", FORECASTING.values(), ids=FORECASTING)
    @pytest.mark.parametrize("var", [[0.01, 0.02, 0.03], float("nan"), "0.01", None, True])
    def test_what_is_no_forecast(self, measure, var):
        with pytest.raises(InvalidReturns, match="var"):
            measure([0.01, -0.02], var, 0.05, 0.99)

    @pytest.mark.parametrize("measure", [acerbi_szekely_z2, joint_loss])
    @pytest.mark.parametrize(("var", "es"), [(0.03, 0.02), (-0.02, -0.01), (-0.01, 0.0)])
    def test_shortfalls_that_are_none(self, measure, var, es):
        with pytest.raises(MeasureError, match="es"):
            measure([0.01, -0.02], var, es, 0.99)


def test_masked_exceptions_are_refused():
    hits = np.ma.masked_array([True, False, False, True], mask=[True, False, False, False])
    with pytest.raises(InvalidReturns, match="masked"):
        kupiec_pof(hits, 0.99)


def test_a_shortfall_of_nothing_is_refused_without_a_warning():
    for measure in (acerbi_szekely_z2, joint_loss):
        with pytest.raises(UndefinedMeasure, match="es must be"):
            measure([0.01, -0.02], 0.0, 1e-300, 0.99)
