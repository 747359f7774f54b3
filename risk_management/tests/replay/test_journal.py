"""A journal decided again: under its own settings it says what it said; under others, what they would have done."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta

import pytest

from risk_management.clock import ManualClock
from risk_management.core.fill_report import FillReport
from risk_management.core.order_desk import OrderTicket
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.errors import InvalidRequest, StoreCorrupt, StoreUnavailable
from risk_management.model.portfolio import Scope, TradingMode
from risk_management.replay.comparison import Change
from risk_management.replay.journal import replay_journal
from risk_management.replay.reading import StoreReader
from risk_management.replay.rerun import Rerun, settings_for
from risk_management.store.sql_journal import SqlJournal
from risk_management.tests.core.test_everything_at_once import World


class KeptWorld(World):
    """Everything that may happen to a manager, kept in a store."""

    def __init__(self, foundation, seed, path, **changes):
        super().__init__(foundation, seed)
        ground = replace(foundation, clock=self.clock, config=foundation.config.update(**changes))
        self.manager = AdvancedRiskManager.on(ground, journal=SqlJournal(str(path)))
        self.manager.record_cash("deposit", 5000.0, account_id="second")
        self.manager.update_prices(self.prices)
        self.path = path

    def stop(self):
        actions = (
            super().stop,
            lambda: self.manager.set_mode(
                TradingMode.REDUCING, "drill", scope=Scope.SYMBOL, name="AAPL", actor="tester"
            ),
            lambda: self.manager.set_mode(
                TradingMode.ACTIVE, "over", scope=Scope.SYMBOL, name="AAPL", actor="tester"
            ),
            lambda: self.manager.set_bot_enabled("x", enabled=False, reason="drill"),
            lambda: self.manager.set_bot_enabled("x", enabled=True),
            lambda: self.manager.register_bot("y", "b", 3000.0),
            lambda: self.manager.report_equity(self.manager.state.equity * 1.001),
        )
        self.random.choice(actions)()


def rerun_of(path, config, first=0):
    """The walk itself, for a look at its inside."""
    with StoreReader(str(path)) as reader:
        start = reader.standing_before(first)
        events = map(reader.event, reader.entries(first - 1))
        if start is None:
            from risk_management.core.standing import folded

            start = folded(None, next(events))
        rerun = Rerun(start, settings_for(config, start.config))
        for event in events:
            rerun.take(event)
    return rerun


@pytest.mark.parametrize("seed", range(8))
def test_under_its_own_settings_everything_is_as_it_was(foundation, tmp_path, seed):
    world = KeptWorld(foundation, seed, tmp_path / "s.db")
    for _ in range(400):
        world.step()
    manager = world.manager
    rerun = rerun_of(world.path, manager.config)
    assert len(rerun.decisions) > 50
    for decision in rerun.decisions:
        assert decision.change is Change.SAME, decision
        assert decision.outcome_was == decision.outcome
        assert decision.would_be == pytest.approx(decision.was, rel=1e-9)
    other = rerun.other.state
    assert rerun.was.state.version == manager.state.version
    assert other.equity == rerun.was.state.equity == manager.state.equity
    for name in ("accounts", "positions", "reservations", "bots", "holds", "drawdown", "var_halted", "quotes"):
        assert getattr(other, name) == getattr(manager.state, name), name
    assert rerun.assumed == 0
    assert rerun.differences.rows(rerun.was.state, other) == ()
    manager.close()
