"""How the drawdown rules move on: a pure step from one `DrawdownState` to the next."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from risk_management.config.risk_config import DrawdownConfig
from risk_management.model.amend import amended
from risk_management.model.drawdown import DrawdownState, Recovery

__all__ = [
    "TIER_TOLERANCE",
    "advance",
    "begin",
    "flow",
    "reported",
    "start_recovery",
    "tier_multiplier",
    "trading_day",
    "trading_days_between",
    "with_mark",
]

TIER_TOLERANCE: Final = 1e-9
"""Tiers are inclusive: 1 - 9,500 / 10,000 is 0.05000000000000004 and so is 5 %."""
KEPT_DAYS: Final = 260
SATURDAY: Final = 5
LEAST_VALUE: Final = 1e-12
"""A unit is never worth nothing at all, so that money paid in after a total loss still buys units."""


def trading_day(moment: datetime, settings: DrawdownConfig) -> tuple[date, datetime]:
    """Trading day that a moment belongs to, and the moment at which that day ends.

    Daylight saving makes days of 23 and 25 hours; a weekend belongs to Monday unless
    `trades_weekends` is set.
    """
    zone = _zone(settings.timezone)
    local = moment.astimezone(zone)
    day = local.date() if local.timetz().replace(tzinfo=None) < settings.day_roll else _next(local.date())
    if not settings.trades_weekends:
        day += timedelta(days={5: 2, 6: 1}.get(day.weekday(), 0))
    ends = datetime.combine(day, settings.day_roll, tzinfo=zone).astimezone(UTC)
    return day, ends


def begin(equity: float, now: datetime, settings: DrawdownConfig) -> DrawdownState:
    """The first state: one unit for each unit of money, the mark at the initial capital."""
    day, ends = trading_day(now, settings)
    return DrawdownState(
        units=equity,
        value=1.0,
        peak=1.0,
        peak_at=now,
        day=day,
        week=_monday(day),
        day_ends=ends,
        day_start=1.0,
        week_start=1.0,
    )


def tier_multiplier(drawdown: float, settings: DrawdownConfig) -> float:
    """Position multiplier of a drawdown, both as fractions; 1 below the first tier."""
    multiplier = 1.0
    for level, value in settings.tier_levels():
        if drawdown >= level - TIER_TOLERANCE:
            multiplier = value
    return multiplier


def flow(state: DrawdownState, amount: float) -> DrawdownState:
    """A deposit (positive) or withdrawal changes the units, never the value of one."""
    return amended(state, units=max(state.units + amount / state.sure_value, 0.0))


def advance(
    state: DrawdownState,
    equity: float,
    now: datetime,
    settings: DrawdownConfig,
    *,
    sure: float | None = None,
) -> DrawdownState:
    """The state after equity was seen at `equity`.

    Parameters
    ----------
    state : DrawdownState
    equity : float
        Money; zero and negative equity are taken as a total loss.
    now : datetime
        Aware UTC. A clock that steps back rolls nothing.
    settings : DrawdownConfig
    sure : float or None
        Equity at the last sure prices while a held price is not sure, else None. What is not sure makes no
        peak and ends nothing: the multiplier gets smaller alone, and a tranche waits.
    """
    if now >= state.day_ends:
        state = _roll(state, now, settings)
    if state.units <= 0.0:
        return state
    value = max(equity / state.units, LEAST_VALUE)
    quarantined = _still_doubtful(state, equity, settings)
    if sure is not None:
        return _unsure(state, value, max(sure / state.units, LEAST_VALUE), quarantined, settings)
    peak, peak_at, under = state.peak, state.peak_at, state.under_water_days
    if value >= peak:
        peak, peak_at, under = value, now, 0
    multiplier = _with_hysteresis(state.multiplier, max(0.0, 1.0 - value / peak), settings)
    moved = amended(
        state,
        value=value,
        sure=None,
        peak=peak,
        peak_at=peak_at,
        under_water_days=under,
        multiplier=multiplier,
        quarantined=quarantined,
    )
    return _with_stop(moved, settings)


def _unsure(
    state: DrawdownState, marked: float, sure: float, quarantined: float | None, settings: DrawdownConfig
) -> DrawdownState:
    """The state while it is not sure at which of two values a unit stands: the lower one counts."""
    value = min(marked, sure)
    tier = tier_multiplier(max(0.0, 1.0 - value / state.peak), settings)
    return amended(
        state, value=value, sure=sure, multiplier=min(state.multiplier, tier), quarantined=quarantined
    )


def reported(
    state: DrawdownState,
    equity: float,
    now: datetime,
    settings: DrawdownConfig,
    *,
    known: float | None = None,
    marked: float | None = None,
    sure: float | None = None,
) -> DrawdownState:
    """The state after somebody else said what equity is, with no fill, cash or price to explain a change.

    A jump beyond `quarantine_jump` is kept aside until a second report confirms it.

    Parameters
    ----------
    state, now, settings
        As for `advance`.
    equity : float
        Money, as it was reported.
    known : float or None
        What it is held against; by default what was seen last.
    marked, sure : float or None
        Equity at the marks after the report, by default itself, and at the last sure prices.
    """
    if now >= state.day_ends:
        state = _roll(state, now, settings)
    if state.units > 0.0 and _is_doubtful(state, equity, known, settings):
        return amended(state, quarantined=equity)
    moved = advance(state, equity if marked is None else marked, now, settings, sure=sure)
    return amended(moved, quarantined=None)


def _is_doubtful(state: DrawdownState, equity: float, known: float | None, settings: DrawdownConfig) -> bool:
    if known is None:
        known = state.value * state.units
    jump = abs(equity / known - 1.0) if known > 0.0 else 0.0
    if equity > 0.0 and jump <= settings.quarantine_jump:
        return False
    before = state.quarantined
    return before is None or before <= 0.0 or abs(equity / before - 1.0) > settings.quarantine_jump


def with_mark(state: DrawdownState, mark: float, now: datetime, settings: DrawdownConfig) -> DrawdownState:
    """The state with a high-water mark in money that a person gave; never below the present value."""
    if state.units <= 0.0:
        return state
    peak = max(mark / state.units, state.value)
    raised = amended(state, peak=peak, peak_at=now)
    return advance(raised, state.value * state.units, now, settings)


def start_recovery(state: DrawdownState, settings: DrawdownConfig) -> DrawdownState:
    """A tranche with a loss budget of its own may be traded; the mark is kept."""
    tranche = Recovery(settings.recovery_size, state.value, state.day)
    return amended(state, recovery=tranche)


def _with_hysteresis(current: float, drawdown: float, settings: DrawdownConfig) -> float:
    down = tier_multiplier(drawdown, settings)
    if down < current:
        return down
    return max(current, tier_multiplier(drawdown + settings.hysteresis, settings))


def _with_stop(state: DrawdownState, settings: DrawdownConfig) -> DrawdownState:
    if state.multiplier > 0.0:
        if state.stopped_on is None and state.recovery is None:
            return state
        return amended(state, stopped_on=None, stopped_days=0, recovery=None)
    if state.stopped_on is None:
        return amended(state, stopped_on=state.day, stopped_days=0, recovery=None)
    tranche = state.recovery
    if tranche is None:
        return state
    budget = settings.recovery_loss_budget
    if state.value <= tranche.start_value * (1.0 - budget) * (1.0 + TIER_TOLERANCE):
        return amended(state, recovery=None, stopped_days=0)
    if state.value >= tranche.start_value * (1.0 + budget):
        doubled = Recovery(min(1.0, 2.0 * tranche.multiplier), state.value, tranche.since)
        return amended(state, recovery=doubled)
    return state


def _still_doubtful(state: DrawdownState, equity: float, settings: DrawdownConfig) -> float | None:
    """A mark of our own settles a doubtful report only when it comes near it."""
    reported = state.quarantined
    if reported is None or (reported > 0.0 and abs(equity / reported - 1.0) <= settings.quarantine_jump):
        return None
    return reported


def trading_days_between(before: date, after: date, settings: DrawdownConfig) -> int:
    """Trading days after `before`, up to and with `after`; at least 1."""
    span = (after - before).days
    if settings.trades_weekends:
        return max(1, span)
    weeks, rest = divmod(span, 7)
    odd = sum((before + timedelta(days=n)).weekday() < SATURDAY for n in range(1, rest + 1))
    return max(1, 5 * weeks + odd)


def _roll(state: DrawdownState, now: datetime, settings: DrawdownConfig) -> DrawdownState:
    day, ends = trading_day(now, settings)
    if day <= state.day:
        return state
    week = _monday(day)
    passed = trading_days_between(state.day, day, settings)
    return amended(
        state,
        day=day,
        week=week,
        day_ends=ends,
        day_start=state.sure_value,
        week_start=state.sure_value if week > state.week else state.week_start,
        closes=(*state.closes, *(state.sure_value,) * min(passed, KEPT_DAYS))[-KEPT_DAYS:],
        stopped_days=state.stopped_days + passed * (state.stopped_on is not None),
        under_water_days=state.under_water_days + passed,
    )


@lru_cache(maxsize=8)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def _next(day: date) -> date:
    return day + timedelta(days=1)


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())
