"""Moments of the last minute, in order: appended, counted and forgotten without reading all of them."""

from __future__ import annotations

from bisect import bisect_right
from datetime import datetime, timedelta
from typing import Final

__all__ = ["MINUTE", "count_recent", "with_moment"]

MINUTE: Final = timedelta(seconds=60)


def count_recent(moments: tuple[datetime, ...], now: datetime) -> int:
    """How many of them lie less than a minute from `now`."""
    return bisect_right(moments, now + MINUTE) - bisect_right(moments, now - MINUTE)


def with_moment(moments: tuple[datetime, ...], at: datetime, *, keep: int) -> tuple[datetime, ...]:
    """The newest `keep` of the last minute and one more.

    They stay in order: a clock that stands a little behind the last one counts as it; moments of a clock
    that is far ahead are forgotten.
    """
    begin, end = bisect_right(moments, at - MINUTE), bisect_right(moments, at + MINUTE)
    recent = moments[max(begin, end - keep + 1) : end]
    return (*recent, max(at, recent[-1]) if recent else at)
