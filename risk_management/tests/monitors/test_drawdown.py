"""Drawdown protection against a naive loop, and the ways in which a mark can be lost."""

from __future__ import annotations

import math
from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from risk_management.config.risk_config import RiskLevel, RiskManagementConfig, load_risk_config
from risk_management.core.drawdown import start_recovery
from risk_management.errors import InvalidRequest, SharedBookError
from risk_management.model.events import DrawdownAdjusted
from risk_management.monitors.drawdown_protection import DrawdownProtection
from risk_management.tests.monitors.fronts import START, front

DAY = timedelta(days=1)
TIERS = [(0.05, 0.75), (0.08, 0.50), (0.11, 0.25), (0.15, 0.0)]


@pytest.fixture
def protection(foundation) -> DrawdownProtection:
    return front(DrawdownProtection, foundation)


def naive_tier(drawdown: float) -> float:
    found = 1.0
    for level, multiplier in TIERS:
        if drawdown >= level - 1e-9:
            found = multiplier
    return found


def naive(steps: list[tuple[str, float]]) -> list[tuple[float, float, float]]:
    """Peak of the index, drawdown and multiplier after each step; steps are returns or flows."""
    money, index, peak, multiplier = 10_000.0, 1.0, 1.0, 1.0
    said = []
    for kind, amount in steps:
        if kind == "flow":
            money += amount
        else:
            money *= 1.0 + amount
            index *= 1.0 + amount
            peak = max(peak, index)
        drawdown = 1.0 - index / peak
        if naive_tier(drawdown) < multiplier:
            multiplier = naive_tier(drawdown)
        else:
            multiplier = max(multiplier, naive_tier(drawdown + 0.02))
        said.append((money * peak / index, drawdown, multiplier))
    return said


step = st.one_of(
    st.tuples(st.just("return"), st.floats(-0.12, 0.12)),
    st.tuples(st.just("flow"), st.floats(100.0, 5_000.0)),
    st.tuples(st.just("flow"), st.floats(-500.0, -1.0)),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(step, min_size=1, max_size=40))
def test_any_path_agrees_with_the_naive_loop(foundation, steps):
    protection = front(DrawdownProtection, foundation)
    money, at, run = 10_000.0, START, []
    for kind, amount in steps:
        if kind == "flow" and money + amount <= 1.0:
            continue
        run.append((kind, amount))
        at += timedelta(hours=7)
        if kind == "flow":
            money += amount
            status = protection.record_flow(amount, at=at)
        else:
            money *= 1.0 + amount
            status = protection.update_portfolio_value(money, at=at, confirmed=True)
        peak, drawdown, multiplier = naive(run)[-1]
        now = status.current_drawdown
        assert now.current_value == pytest.approx(money, rel=1e-7)
        assert now.peak_value == pytest.approx(peak, rel=1e-7)
        assert now.drawdown_percentage == pytest.approx(drawdown, abs=1e-7)
        assert now.drawdown_amount == pytest.approx(peak - money, abs=1e-3)
        if all(abs(drawdown + off - level) > 1e-6 for level, _ in TIERS for off in (0.0, 0.02)):
            assert status.position_size_multiplier == multiplier


def test_five_per_cent_is_exactly_the_first_tier(protection):
    status = protection.update_portfolio_value(9500)
    assert f"{status.current_drawdown.drawdown_percentage:.1%}" == "5.0%"
    assert f"{status.position_size_multiplier:.0%}" == "75%"
    assert (status.tier, status.tier_name, status.next_tier_at) == (1, "tier 1", pytest.approx(0.08))
    assert status.current_drawdown.drawdown_amount == pytest.approx(500.0)
    assert protection.update_portfolio_value(9500.01).position_size_multiplier == 0.75


@pytest.mark.parametrize(("value", "multiplier"), [(9500.02, 1.0), (9200, 0.5), (8900, 0.25), (8500, 0.0)])
def test_tiers_are_inclusive(protection, value, multiplier):
    protection.update_portfolio_value(9550 if value > 9500 else 9500)
    status = protection.update_portfolio_value(value, confirmed=True)
    assert status.position_size_multiplier == multiplier
    assert protection.status() == status


def test_tiers_scale_with_the_level(foundation):
    config = RiskManagementConfig(risk_level=RiskLevel.CONSERVATIVE)
    protection = front(DrawdownProtection, foundation, config)
    assert protection.update_portfolio_value(9667).position_size_multiplier == 1.0
    assert protection.update_portfolio_value(9666).position_size_multiplier == 0.75


def test_a_step_back_up_comes_two_points_later(protection):
    for value in (9600, 9200, 9300, 9390):
        status = protection.update_portfolio_value(value)
    assert status.position_size_multiplier == 0.5
    assert protection.update_portfolio_value(9401).position_size_multiplier == 0.75
    assert protection.update_portfolio_value(9699).position_size_multiplier == 0.75
    assert protection.update_portfolio_value(9701).position_size_multiplier == 1.0


def test_the_mark_is_never_rebased_on_the_way_down(protection):
    """A mark that followed a breach would be a staircase without end."""
    value = 10_000.0
    for day in range(30):
        value *= 0.96
        status = protection.update_portfolio_value(value, at=START + day * DAY)
        assert status.current_drawdown.peak_value == pytest.approx(10_000.0)
    assert status.current_drawdown.drawdown_percentage == pytest.approx(1.0 - 0.96**30)
    assert status.tier_name == "stopped"
    assert not status.new_positions_allowed


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 0, -1, "9500", None, True, 1e400, 10**400])
def test_what_is_no_value_changes_nothing(protection, bad):
    before = protection.state
    with pytest.raises(InvalidRequest):
        protection.update_portfolio_value(bad)
    with pytest.raises(InvalidRequest):
        protection.record_flow(bad if bad != -1 else -1e5)
    assert protection.state is before


@pytest.mark.parametrize("at", [datetime(2022, 3, 8), "2022-03-08"])  # noqa: DTZ001
def test_a_time_without_a_zone_changes_nothing(protection, at):
    before = protection.state
    with pytest.raises(InvalidRequest):
        protection.update_portfolio_value(9900, at=at)
    assert protection.state is before


def test_a_jump_waits_for_a_second_report(protection):
    status = protection.update_portfolio_value(100_000)
    assert status.quarantined
    assert status.quarantined_value == 100_000
    assert status.current_drawdown.peak_value == 10_000
    assert not status.new_positions_allowed
    assert "second report" in status.explain()
    assert not protection.update_portfolio_value(9990).quarantined  # a glitch: forgotten
    assert protection.update_portfolio_value(8000).quarantined
    status = protection.update_portfolio_value(8050)
    assert not status.quarantined
    assert status.current_drawdown.drawdown_percentage == pytest.approx(0.195)


def test_two_jumps_that_disagree_confirm_nothing(protection):
    protection.update_portfolio_value(5000)
    status = protection.update_portfolio_value(50_000)
    assert status.quarantined_value == 50_000
    assert status.current_drawdown.current_value == 10_000


def test_a_person_may_confirm_at_once(protection):
    status = protection.update_portfolio_value(8000, confirmed=True)
    assert not status.quarantined
    assert status.current_drawdown.drawdown_percentage == pytest.approx(0.20)


def test_a_withdrawal_at_ten_per_cent_leaves_ten_per_cent(protection):
    protection.update_portfolio_value(9000)
    status = protection.record_flow(-4500)
    assert status.current_drawdown.drawdown_percentage == pytest.approx(0.10)
    assert status.current_drawdown.current_value == pytest.approx(4500)
    assert status.current_drawdown.peak_value == pytest.approx(5000)


def test_a_deposit_is_no_recovery(protection):
    protection.update_portfolio_value(9000)
    status = protection.record_flow(9000)
    assert status.current_drawdown.drawdown_percentage == pytest.approx(0.10)
    assert status.position_size_multiplier == 0.5
    assert protection.update_portfolio_value(19_000).current_drawdown.drawdown_percentage == pytest.approx(
        0.05
    )


def test_everything_can_not_be_withdrawn(protection):
    before = protection.state
    with pytest.raises(InvalidRequest):
        protection.record_flow(-10_000)
    assert protection.state is before


SUNDAYS = {
    "a day of 23 hours": (datetime(2022, 3, 12, 22, tzinfo=UTC), 23, datetime(2022, 3, 9, tzinfo=UTC)),
    "a day of 25 hours": (datetime(2022, 11, 5, 21, tzinfo=UTC), 25, datetime(2022, 11, 1, tzinfo=UTC)),
}


@pytest.mark.parametrize(("opens", "hours", "start"), SUNDAYS.values(), ids=SUNDAYS.keys())
def test_daylight_saving_makes_days_of_other_lengths(foundation, opens, hours, start):
    """17:00 in New York is the roll: the day of the change lasts 23 or 25 hours."""
    config = RiskManagementConfig(drawdown_config={"trades_weekends": True, "day_roll": time(17, 0)})
    protection = front(DrawdownProtection, foundation, config, start=start)
    protection.update_portfolio_value(9900, at=opens - timedelta(seconds=1))
    second, ends = timedelta(seconds=1), opens + timedelta(hours=hours)
    status = protection.update_portfolio_value(9801, at=opens)
    assert status.daily_loss.loss == pytest.approx(0.01)  # the day began at 9,900
    status = protection.update_portfolio_value(9702, at=ends - second)
    assert status.daily_loss.loss == pytest.approx(0.02)
    status = protection.update_portfolio_value(9702, at=ends)
    assert status.daily_loss.loss == pytest.approx(0.0)


def test_a_clock_that_steps_back_resets_nothing_twice(protection):
    protection.update_portfolio_value(9900, at=START)
    protection.update_portfolio_value(9850, at=START + DAY)
    before = protection.update_portfolio_value(9800, at=START + DAY)
    rolled = protection.state.drawdown
    for at in (START, START - 10 * DAY, START + DAY, START + 2 * timedelta(hours=1)):
        assert protection.update_portfolio_value(9800, at=at) == before
    assert protection.state.drawdown == rolled
    assert len(protection.state.drawdown.closes) == 1


def test_losses_over_day_week_and_span_have_limits_of_their_own(protection):
    status = protection.update_portfolio_value(9701, at=START)
    assert not status.daily_loss.breached
    status = protection.update_portfolio_value(9700, at=START)
    assert status.daily_loss.breached
    assert status.position_size_multiplier == 1.0
    assert not status.new_positions_allowed
    assert "loss of the day" in status.explain()
    status = protection.update_portfolio_value(9500, at=START + DAY)
    assert not status.daily_loss.breached
    assert not status.weekly_loss.breached
    status = protection.update_portfolio_value(9400, at=START + 2 * DAY)
    assert status.weekly_loss.breached
    status = protection.update_portfolio_value(9400, at=START + 7 * DAY)
    assert not status.weekly_loss.breached
    status = protection.update_portfolio_value(9000, at=START + 8 * DAY)
    assert status.rolling_loss.loss == pytest.approx(1.0 - 9000 / 9700)


def test_days_under_water_are_trading_days(protection):
    """A weekend belongs to Monday: a week of daily reports is five days."""
    protection.update_portfolio_value(10_100, at=START)
    for day in range(8):
        status = protection.update_portfolio_value(10_000, at=START + day * DAY)
    assert status.current_drawdown.days_under_water == 5
    assert status.current_drawdown.peak_at == START
    status = protection.update_portfolio_value(10_200, at=START + 8 * DAY)
    assert status.current_drawdown.days_under_water == 0


def test_rolling_loss_is_counted_over_twenty_closes(protection):
    path = [10_000.0 * 0.995**day for day in range(40)]
    at = START
    for value in path:
        status = protection.update_portfolio_value(value, at=at)
        at += DAY if at.weekday() < 4 else 3 * DAY
    assert status.rolling_loss.loss == pytest.approx(1.0 - path[39] / path[19])
    assert status.rolling_loss.breached is (1.0 - path[39] / path[19] >= 0.10)


def test_a_recovery_tranche_is_shown(protection):
    protection.update_portfolio_value(8000, confirmed=True)
    memory = start_recovery(protection.state.drawdown, protection.config.drawdown_config)
    protection._book.apply(DrawdownAdjusted(START, "someone", memory, "after 20 days"))
    status = protection.status()
    assert status.tier_name == "recovery"
    assert status.position_size_multiplier == 0.25
    assert status.recovery is not None
    assert status.current_drawdown.peak_value == 10_000
    assert status.next_tier_at is None


def test_a_shared_front_refuses_and_names_the_right_call(foundation):
    shared = DrawdownProtection.on(foundation, foundation.new_book())
    with pytest.raises(SharedBookError, match="update_prices"):
        shared.update_portfolio_value(9500)
    with pytest.raises(SharedBookError, match="record_cash"):
        shared.record_flow(100)
    assert shared.status().tier_name == "normal"


def test_the_specified_snippet():
    config = load_risk_config()
    protection = DrawdownProtection(config)
    status = protection.update_portfolio_value(9500)  # 5% drawdown
    assert f"Drawdown: {status.current_drawdown.drawdown_percentage:.1%}" == "Drawdown: 5.0%"
    assert f"Position Multiplier: {status.position_size_multiplier:.0%}" == "Position Multiplier: 75%"
