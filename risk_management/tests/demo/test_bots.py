"""Indicators and bots against naive loops and cases worked by hand."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from risk_management.demo.bots import BOTS, SLEEVE, Signals, breakout, mean_reversion, momentum, trend
from risk_management.demo.indicators import (
    first_of_month,
    first_of_week,
    highest,
    lowest,
    moving_average,
    volatility,
    wilder_rsi,
)


@pytest.fixture(scope="module")
def walk():
    draws = np.random.default_rng(5).normal(0.0004, 0.015, (420, 6))
    return 100.0 * np.exp(np.cumsum(draws, axis=0))


@pytest.fixture(scope="module")
def days(walk):
    return np.busday_offset("2001-01-01", np.arange(len(walk)), roll="forward")


def test_rsi_of_two_days_by_hand():
    # changes +1 -1 -2 +4; averages (0.5, 0.5), (0.25, 1.25), (2.125, 0.625)
    rsi = wilder_rsi(np.array([[10.0], [11.0], [10.0], [8.0], [12.0]]), 2)[:, 0]
    assert np.isnan(rsi[:2]).all()
    assert rsi[2:] == pytest.approx([50.0, 100 * 0.25 / 1.5, 100 * 2.125 / 2.75])


def test_rsi_of_a_price_that_never_moves_is_fifty():
    assert wilder_rsi(np.full((5, 1), 7.0), 2)[2:, 0].tolist() == [50.0, 50.0, 50.0]


def test_wilders_own_smoothing_against_a_loop(walk):
    column = walk[:60, 0]
    change = [b - a for a, b in pairwise(column)]
    up = sum(max(c, 0) for c in change[:14]) / 14
    down = sum(max(-c, 0) for c in change[:14]) / 14
    for c in change[14:]:
        up, down = (up * 13 + max(c, 0)) / 14, (down * 13 + max(-c, 0)) / 14
    assert wilder_rsi(walk[:60], 14)[-1, 0] == pytest.approx(100 - 100 / (1 + up / down))


def test_rolling_windows_against_slices(walk):
    for row in (54, 99, 200):
        assert moving_average(walk, 50)[row] == pytest.approx(walk[row - 49 : row + 1].mean(axis=0))
        assert highest(walk, 20)[row] == pytest.approx(walk[row - 20 : row].max(axis=0))
        assert lowest(walk, 20)[row] == pytest.approx(walk[row - 20 : row].min(axis=0))
    steps = walk[141:201] / walk[140:200] - 1.0
    assert volatility(walk, 60)[200] == pytest.approx(steps.std(axis=0))
    assert np.isnan(moving_average(walk, 50)[48]).all()
    assert np.isnan(highest(walk, 20)[19]).all()


def test_first_days():
    days = np.array(["2021-12-30", "2021-12-31", "2022-01-03", "2022-01-04", "2022-01-10"], "datetime64[D]")
    assert first_of_month(days).tolist() == [False, False, True, False, False]
    assert first_of_week(days).tolist() == [False, False, True, False, True]
    friday_closed = np.array(["2022-04-14", "2022-04-18"], "datetime64[D]")
    assert first_of_week(friday_closed).tolist() == [False, True]


def test_mean_reversion_buys_weakness_in_a_rising_trend(walk, days):
    signals = mean_reversion(walk, days)
    rsi = wilder_rsi(walk, 2)
    for row, j in np.argwhere(signals.enter):
        assert walk[row, j] > walk[row - 199 : row + 1, j].mean()
        assert rsi[row, j] < 10.0
        assert walk[row, j] <= walk[row - 4 : row + 1, j].mean()
    above = walk[300] > walk[296:301].mean(axis=0)
    assert (signals.leave[300] == (above | (rsi[300] > 70.0))).all()


def test_breakout_compares_with_the_days_before(walk, days):
    signals = breakout(walk, days)
    row = 250
    assert (signals.enter[row] == (walk[row] > walk[row - 55 : row].max(axis=0))).all()
    assert (signals.leave[row] == (walk[row] < walk[row - 20 : row].min(axis=0))).all()
    assert not signals.enter[:55].any()


def test_momentum_holds_the_best_five_and_skips_the_last_month(walk, days):
    signals = momentum(walk, days)
    row = int(np.flatnonzero(first_of_month(days) & (np.arange(len(days)) > 300))[0])
    past = walk[row - 21] / walk[row - 252] - 1.0
    assert set(np.flatnonzero(signals.enter[row])) == set(np.argsort(-past)[:5])
    assert (signals.leave[row] == ~signals.enter[row]).all()
    assert not signals.enter[row + 1].any()


def test_trend_is_scaled_by_volatility_and_fits_its_sleeve(walk, days):
    signals = trend(walk, days)
    row = int(np.flatnonzero(signals.enter.any(axis=1))[5])
    up = (walk[row] > walk[row - 199 : row + 1].mean(axis=0)) & (
        walk[row - 49 : row + 1].mean(axis=0) > walk[row - 199 : row + 1].mean(axis=0)
    )
    assert (signals.enter[row] == up).all()
    annual = (walk[row - 59 : row + 1] / walk[row - 60 : row] - 1.0).std(axis=0) * np.sqrt(252)
    raw = np.where(up, SLEEVE / 10 * np.minimum(2.0, 0.20 / annual), 0.0)
    assert signals.weight[row] == pytest.approx(raw * min(1.0, SLEEVE / raw.sum()))
    assert (signals.weight.sum(axis=1) <= SLEEVE + 1e-9).all()


def test_orders_leave_first_then_fill_the_sleeve_in_order_of_rank():
    one = np.ones((1, 4), dtype=bool)
    signals = Signals(
        enter=one & [False, True, True, True],
        leave=one & [True, False, False, False],
        resize=~one,
        weight=np.full((1, 4), 0.16),
        rank=np.array([[0.0, 3.0, 1.0, 2.0]]),
    )
    wants = signals.wants(0, np.array([0.30, 0.0, 0.0, 0.0]))
    assert [(w.column, w.size, w.leaves) for w in wants] == [
        (0, -0.30, True),
        (2, 0.16, False),
        (3, 0.16, False),
    ]
    assert [w.size for w in signals.wants(0, np.zeros(4), share=0.5)] == [0.08, 0.08]


def test_a_position_is_resized_only_beyond_the_band():
    on = np.ones((1, 2), dtype=bool)
    signals = Signals(~on, ~on, on, np.full((1, 2), 0.08), np.zeros((1, 2)))
    (want,) = signals.wants(0, np.array([0.07, 0.11]))
    assert (want.column, want.size) == (1, pytest.approx(-0.03))


@pytest.mark.parametrize("bot", BOTS, ids=lambda bot: bot.name)
def test_nothing_after_a_day_changes_what_a_bot_saw_on_it(bot, walk, days):
    whole = bot.signals(walk, days)
    rng = np.random.default_rng(1)
    for row in (210, 300, 380):
        changed = walk.copy()
        changed[row + 1 :] = rng.permutation(changed[row + 1 :]) * rng.uniform(0.2, 5.0, (1, 6))
        seen = bot.signals(changed, days)
        for name in ("enter", "leave", "resize", "weight", "rank"):
            before, after = getattr(whole, name)[: row + 1], getattr(seen, name)[: row + 1]
            assert np.array_equal(before, after, equal_nan=before.dtype == float)
