"""The high-water mark on random paths of equity, against rules written down once more in a few lines.

Reports come with glitches, zeros and NaN-free nonsense, money flows in and out, the process restarts.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from risk_management.clock import ManualClock
from risk_management.config.risk_config import DrawdownConfig
from risk_management.core import drawdown as rules
from risk_management.errors import InvalidRequest
from risk_management.model.drawdown import DrawdownState
from risk_management.monitors.drawdown_protection import DrawdownProtection
from risk_management.store.codec import text_adapter

START = datetime(2026, 1, 5, 15, tzinfo=UTC)
JUMP = 0.10
PATHS = 20_000
STEPS = 8


@dataclass
class Naive:
    """What is believed: value per unit, the highest one, and a report that awaits a second."""

    units: float
    value: float = 1.0
    peak: float = 1.0
    doubted: float | None = None

    def report(self, equity: float) -> None:
        near_value = equity > 0 and abs(equity / (self.value * self.units) - 1.0) <= JUMP
        told_twice = (
            self.doubted is not None and self.doubted > 0 and abs(equity / self.doubted - 1.0) <= JUMP
        )
        if near_value or (equity > 0 and told_twice):
            self.value, self.doubted = equity / self.units, None
            self.peak = max(self.peak, self.value)
        else:
            self.doubted = equity

    def flow(self, money: float) -> None:
        self.units += money / self.value


def run(rnd: random.Random, settings: DrawdownConfig, restart) -> None:
    """One path; the state must say what the naive one says after every step."""
    state, naive, now = rules.begin(10_000.0, START, settings), Naive(10_000.0), START
    for _ in range(STEPS):
        now += timedelta(minutes=rnd.choice((1, 30, 600, 3000)))
        kind, worth = rnd.random(), naive.value * naive.units
        before_mark, before_fall = state.high_water_mark, state.drawdown
        if kind < 0.15:
            money = rnd.uniform(-0.5, 1.0) * worth
            naive.flow(money)
            state = rules.flow(state, money)
            assert state.drawdown == before_fall
        else:
            factor = rnd.choice((10.0, 0.1, 0.0, -1.0, 3.0)) if kind < 0.3 else rnd.uniform(0.9, 1.1)
            equity = naive.doubted or worth * factor if rnd.random() < 0.2 else worth * factor
            naive.report(equity)
            state = rules.reported(state, equity, now, settings)
            assert state.high_water_mark >= before_mark * (1.0 - 1e-12)
        if rnd.random() < 0.2:
            state = restart(state)
        assert state.high_water_mark == pytest.approx(naive.peak * naive.units, rel=1e-12)
        assert state.drawdown == pytest.approx(max(0.0, 1.0 - naive.value / naive.peak), abs=1e-12)
        assert state.quarantined == naive.doubted


def test_the_mark_never_falls_and_no_glitch_makes_one():
    text = text_adapter(DrawdownState)
    settings = DrawdownConfig()
    assert settings.quarantine_jump == JUMP

    def restart(state):
        return text.validate_json(text.dump_json((state,)))[0]

    rnd = random.Random(11)
    for _ in range(PATHS):
        run(rnd, settings, restart)


@pytest.mark.soak
def test_the_mark_on_half_a_million_paths(record_property):
    text = text_adapter(DrawdownState)
    rnd, settings = random.Random(12), DrawdownConfig()
    for _ in range(500_000):
        run(rnd, settings, lambda state: text.validate_json(text.dump_json((state,)))[0])
    record_property("figure", "500,000 paths, no mark lost")


def test_a_breach_latches_with_open_losses_and_without_any_request(make_manager):
    """Nobody asks for anything and nothing is sold: the fall of the price alone stops entries."""
    manager, clock = make_manager(environment="paper")
    manager.add_position("KO", 9_000.0, 60.0, bot_name="a")
    price = 60.0
    manager.update_prices({"KO": price})
    for _ in range(9):
        price *= 0.975
        clock.advance(30.0)
        manager.update_prices({"KO": price})
        manager.assess_overall_risk()
    assert manager.state.drawdown.drawdown > 0.15
    assert manager.state.drawdown.effective_multiplier == 0.0
    assert not manager.assess_overall_risk().new_trades_allowed


def test_what_is_no_number_is_refused_and_changes_nothing():
    protection = DrawdownProtection(clock=ManualClock(START))
    protection.update_portfolio_value(10_000.0)
    before = protection.state
    for value in (float("nan"), float("inf"), -1.0, 0.0, True, "9500"):
        with pytest.raises(InvalidRequest):
            protection.update_portfolio_value(value)
    assert protection.state is before


def test_the_broker_s_equity_is_believed_within_reason(make_manager):
    manager, _ = make_manager()
    assert manager.report_equity(9_500.0)
    assert manager.state.equity == pytest.approx(9_500.0)
    for glitch in (95_000.0, 0.0, -5.0):
        assert not manager.report_equity(glitch)
        assert manager.state.equity == pytest.approx(9_500.0)
        assert not manager.evaluate_trade("KO", "buy", 100.0).approved
    assert manager.report_equity(9_400.0)
    assert manager.evaluate_trade("KO", "buy", 100.0).approved
    assert manager.report_equity(20_000.0, confirmed=True)
    assert manager.state.high_water_mark == pytest.approx(20_000.0)
    with pytest.raises(InvalidRequest):
        manager.report_equity(float("nan"))
