"""No approval exceeds a limit, however requests, fills, cancels and prices follow each other: long drives.

The plain drives run in two processes; the shrinking search of Hypothesis finds the shortest way to a breach.
"""

from __future__ import annotations

import logging
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from risk_management.checks import CHECKS
from risk_management.core.fill_report import FillReport
from risk_management.core.foundation import lay_foundation
from risk_management.core.ledger import check_ledger
from risk_management.core.order_desk import OrderTicket
from risk_management.model.budget import BudgetShare, RiskAllocation
from risk_management.model.events import BudgetAllocated
from risk_management.model.trade import Finding
from risk_management.tests.conftest import Desk
from risk_management.tests.core import over_approval
from risk_management.tests.core.over_approval import BOTS, SYMBOLS, drive, drive_with_tail

LEDGER_SEEDS, LEDGER_OPERATIONS = range(20), 15_000
TAIL_SEEDS, TAIL_OPERATIONS = range(10), 2_000
SOAK_PARTS, SOAK_OPERATIONS = range(0, 1000, 100), 10_000


def _quiet():
    logging.disable(logging.CRITICAL)


def _drive_all(task, seeds, operations):
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=context, initializer=_quiet) as pool:
        return list(pool.map(task, seeds, [operations] * len(seeds)))


def test_no_approval_exceeds_a_limit():
    counts = _drive_all(drive, LEDGER_SEEDS, LEDGER_OPERATIONS)
    done = {key: sum(count[key] for count in counts) for key in counts[0]}
    assert sum(done[key] for key in ("asked", "filled", "cancelled", "priced")) == 300_000
    assert min(done.values()) > 1_000, done  # a drive in which something never happened proves nothing


def test_no_approval_exceeds_a_tail_limit():
    approvals = _drive_all(drive_with_tail, TAIL_SEEDS, TAIL_OPERATIONS)
    assert sum(approvals) > 1_000


@pytest.mark.soak
@pytest.mark.parametrize("first", SOAK_PARTS)
def test_no_approval_exceeds_a_limit_in_ten_million_operations(first, record_property):
    counts = _drive_all(drive, range(first, first + 100), SOAK_OPERATIONS)
    asked = sum(count["asked"] for count in counts)
    record_property("figure", f"100 seeds of {SOAK_OPERATIONS} operations, {asked} orders asked, 0 over")


NARROW = {
    "gross": {"max_gross_exposure": 0.3, "max_net_exposure": 0.3},
    "net": {"max_net_exposure": 0.15},
    "single_name": {"max_single_position": 0.03, "max_index_fund_position": 0.03},
    "sector": {"max_sector_exposure": 0.05},
    "strategy": {"max_strategy_exposure": 0.1},
    "bot_exposure": {},
}
"""Limits under which each check is the one that matters."""


@pytest.mark.parametrize("name", NARROW)
def test_the_drive_finds_a_check_that_is_taken_out(foundation, monkeypatch, name):
    """The oracle is awake: without one check the drive fails by that check's limit, with it it does not."""
    config = foundation.config.update(portfolio_limits={"max_risk_per_trade": 1.0, **NARROW[name]})
    monkeypatch.setattr(over_approval, "BASE", lambda _ground: config)
    drive(1, 1200, foundation)
    without = {n: check if n != name else _passes for n, check in CHECKS.items()}
    monkeypatch.setattr("risk_management.core.order_desk.CHECKS", without)
    with pytest.raises(AssertionError):
        drive(1, 1200, foundation)


def _passes(_proposal):
    return Finding("taken_out", "TAKEN_OUT")


class Approvals(RuleBasedStateMachine):
    """Every way through asking, filling, cancelling, waiting and pricing that Hypothesis can think of."""

    ground = None

    @initialize()
    def begin(self):
        if Approvals.ground is None:
            Approvals.ground = lay_foundation()
        self.desk = Desk(Approvals.ground, over_approval.settings_of(Approvals.ground))
        self.prices = dict(zip(SYMBOLS, (380.0, 126.0, 132.0, 108.0, 63.0, 62.0), strict=True))
        for bot, limit in zip(BOTS, (800.0, 2000.0, 9000.0), strict=True):
            over_approval.register(self.desk, bot, limit)
        over_approval.quote(self.desk, self.prices)
        budget = RiskAllocation("equal", "es", 0.05, self.desk.state.drawdown.day, (BudgetShare("s", 1.0),))
        event = BudgetAllocated(at=self.desk.clock.now(), actor="test", budget=budget)
        self.desk.book.apply(event)  # its sums by strategy are held against fresh ones after every step

    @rule(
        symbol=st.sampled_from(SYMBOLS),
        side=st.sampled_from(("buy", "sell")),
        size=st.floats(0.01, 20_000.0),
        bot=st.sampled_from(BOTS),
        reduce_only=st.booleans(),
    )
    def ask(self, symbol, side, size, bot, reduce_only):
        before = over_approval.worst(self.desk.state)
        ticket = OrderTicket(symbol, side, size, "s", bot, reduce_only=reduce_only)
        decision = self.desk.desk.request(ticket)
        over_approval.assert_holds(self.desk, before, decision)
        assert not (reduce_only and decision.opening_size)

    @rule(which=st.integers(0, 50), share=st.floats(0.01, 1.2), slip=st.floats(0.97, 1.03))
    def fill(self, which, share, slip):
        waiting = list(self.desk.state.reservations.values())
        if waiting:
            chosen = waiting[which % len(waiting)]
            left = (chosen.opening + chosen.closing) / over_approval.SCALE
            price = self.prices[chosen.key.symbol] * slip
            self.desk.desk.execute(FillReport(chosen.request_id, left * share, price))

    @rule(which=st.integers(0, 50))
    def cancel(self, which):
        waiting = list(self.desk.state.reservations)
        if waiting:
            self.desk.desk.cancel(waiting[which % len(waiting)])

    @rule(seconds=st.sampled_from((0.1, 30.0, 400.0)))
    def wait(self, seconds):
        self.desk.clock.advance(seconds)
        self.desk.desk.expire()
        over_approval.quote(self.desk, self.prices)

    @rule(symbol=st.sampled_from(SYMBOLS), move=st.floats(0.96, 1.04))
    def price(self, symbol, move):
        self.prices[symbol] *= move
        over_approval.quote(self.desk, self.prices)

    @invariant()
    def sums_hold(self):
        if hasattr(self, "desk"):
            check_ledger(self.desk.state)


TestApprovals = Approvals.TestCase
TestApprovals.settings = settings(
    max_examples=400,
    stateful_step_count=50,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
