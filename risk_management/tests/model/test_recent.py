"""Moments of the last minute against a plain list that remembers everything."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest

from risk_management.model.recent import MINUTE, count_recent, with_moment

START = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize("seed", range(8))
def test_counts_what_a_list_would_count(seed):
    rnd = random.Random(seed)
    now, all_, moments = START, [], ()
    for _ in range(600):
        now += timedelta(seconds=rnd.choice((0.0, 0.2, 1.0, 7.5, 60.0)))
        assert count_recent(moments, now) == sum(abs(now - t) < MINUTE for t in all_[-40:])
        all_.append(now)
        moments = with_moment(moments, now, keep=40)
        assert len(moments) <= 40


def test_a_clock_that_steps_back_resets_nothing_and_one_far_ahead_is_forgotten():
    moments = ()
    for second in range(5):
        moments = with_moment(moments, START + timedelta(seconds=second), keep=10)
    back = START + timedelta(seconds=1)
    moments = with_moment(moments, back, keep=10)
    assert moments == tuple(sorted(moments))
    assert count_recent(moments, back) == 6
    yesterday = START - timedelta(days=1)
    assert count_recent(moments, yesterday) == 0
    assert with_moment(moments, yesterday, keep=10) == (yesterday,)
