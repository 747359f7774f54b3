import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from risk_management.errors import InsufficientData, InvalidReturns, UndefinedMeasure
from risk_management.measures.drawdown import (
    cdar,
    drawdown_episodes,
    drawdown_series,
    max_drawdown,
    time_under_water,
    ulcer_index,
)
from risk_management.tests.measures.bad_inputs import NOT_A_CONFIDENCE, NOT_A_SERIES

RETURNS = hnp.arrays(np.float64, st.integers(2, 60), elements=st.floats(-0.5, 0.5).map(lambda x: round(x, 4)))
# path 1, 0.9, 0.99, 1.089, 0.8712, 0.65340, 0.98010, 1.27413, 1.146717
BY_HAND = [-0.1, 0.1, 0.1, -0.2, -0.25, 0.5, 0.3, -0.1]


def loop(returns):
    path, peak, out = 1.0, 1.0, []
    for r in returns:
        path *= 1.0 + r
        peak = max(peak, path)
        out.append(1.0 - path / peak)
    return out


class TestByHand:
    def test_series_counts_from_the_start_at_one(self):
        np.testing.assert_allclose(
            drawdown_series(BY_HAND), [0.1, 0.01, 0, 0.2, 0.4, 0.1, 0, 0.1], atol=1e-12
        )

    def test_maximum_divides_by_the_peak_of_its_time(self):
        assert max_drawdown(BY_HAND) == pytest.approx(0.4)
        assert max_drawdown([1.0, -0.5, 9.0, -0.1]) == pytest.approx(0.5)

    def test_episodes(self):
        first, second, third = drawdown_episodes(BY_HAND)
        assert (first.peak, first.trough, first.recovery, first.decline, first.length) == (0, 1, 3, 1, 3)
        assert (second.peak, second.trough, second.recovery, second.decline, second.length) == (3, 5, 7, 2, 4)
        assert (third.peak, third.trough, third.recovery, third.decline, third.length) == (7, 8, None, 1, 1)
        assert [e.depth for e in (first, second, third)] == pytest.approx([0.1, 0.4, 0.1])

    def test_averages(self):
        # the worst quarter of eight: 0.4 and 0.2; the worst 30 % adds 0.4 of the third
        assert cdar(BY_HAND, 0.75) == pytest.approx(0.3)
        assert cdar(BY_HAND, 0.7) == pytest.approx((0.4 + 0.2 + 0.4 * 0.1) / 2.4)
        squares = [0.1**2, 0.01**2, 0, 0.2**2, 0.4**2, 0.1**2, 0, 0.1**2]
        assert ulcer_index(BY_HAND) == pytest.approx((sum(squares) / 8) ** 0.5)

    def test_time_under_water(self):
        water = time_under_water(BY_HAND)
        assert (water.longest, water.current, water.share) == (4, 1, 0.75)
        dry = time_under_water([0.01, 0.0, 0.02])
        assert (dry.longest, dry.current, dry.share) == (0, 0, 0.0)
        back = time_under_water([-0.2, 0.25])
        assert (back.longest, back.current, back.share) == (2, 0, 0.5)

    def test_exact_recoveries_end_an_episode(self):
        for fall in np.arange(0.01, 0.99, 0.01):
            (episode,) = drawdown_episodes([-fall, 1.0 / (1.0 - fall) - 1.0])
            assert episode.recovery == 2

    def test_no_fall(self):
        assert drawdown_episodes([0.01, 0.0]) == ()
        assert max_drawdown([0.01, 0.0]) == 0.0
        assert ulcer_index([0.01, 0.0]) == 0.0

    def test_ruin_stays(self):
        np.testing.assert_array_equal(drawdown_series([0.1, -1.0, 5.0]), [0.0, 1.0, 1.0])


class TestAlways:
    @given(RETURNS)
    def test_series_is_the_loop(self, returns):
        np.testing.assert_allclose(drawdown_series(returns), loop(returns), atol=2e-12)

    @given(RETURNS, st.sampled_from([0.1, 0.5, 0.9, 0.99]))
    def test_order_of_the_averages(self, returns, confidence):
        series = drawdown_series(returns)
        assert np.mean(series) - 1e-12 <= cdar(returns, confidence) <= max_drawdown(returns) + 1e-12
        assert np.mean(series) - 1e-12 <= ulcer_index(returns) <= max_drawdown(returns) + 1e-12

    @given(RETURNS)
    def test_episodes_tile_the_time_under_water(self, returns):
        series, episodes = drawdown_series(returns), drawdown_episodes(returns)
        under = sum(e.length - (e.recovery is not None) for e in episodes)
        assert under == np.count_nonzero(series)
        assert max((e.depth for e in episodes), default=0.0) == max_drawdown(returns)
        for e in episodes:
            assert series[e.trough - 1] == e.depth
            assert e.recovery is None or series[e.recovery - 1] == 0.0
        assert time_under_water(returns).share == np.count_nonzero(series) / len(returns)

    @given(RETURNS, st.floats(0.01, 0.98), st.floats(0.01, 0.98))
    def test_cdar_rises_with_confidence(self, returns, one, other):
        low, high = sorted((one, other))
        assert cdar(returns, low) <= cdar(returns, high) + 1e-12


ALL = {
    "series": drawdown_series,
    "maximum": max_drawdown,
    "episodes": drawdown_episodes,
    "cdar": lambda r: cdar(r, 0.9),
    "ulcer": ulcer_index,
    "water": time_under_water,
}


@pytest.mark.parametrize("measure", ALL.values(), ids=ALL)
class TestRefuses:
    @pytest.mark.parametrize("bad", NOT_A_SERIES.values(), ids=NOT_A_SERIES)
    def test_what_is_no_series(self, measure, bad):
        with pytest.raises(InvalidReturns):
            measure(bad)

    def test_what_is_undefined(self, measure):
        with pytest.raises(UndefinedMeasure, match="return 1 loses more"):
            measure([0.1, -1.01])
        with pytest.raises(UndefinedMeasure, match="beyond all numbers"):
            measure([1e50] * 10)

    def test_nothing_at_all(self, measure):
        with pytest.raises(InsufficientData):
            measure([])


@pytest.mark.parametrize("confidence", NOT_A_CONFIDENCE)
def test_cdar_refuses_what_is_no_confidence(confidence):
    with pytest.raises((InvalidReturns, UndefinedMeasure), match="confidence"):
        cdar(BY_HAND, confidence)
