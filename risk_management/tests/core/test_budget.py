"""The risk budget in the gate, against sums that are made anew each time: nothing that is carried is read."""

from __future__ import annotations

import itertools
import math
import random
from dataclasses import replace

import numpy as np
import pytest

from risk_management.checks import CHECKS
from risk_management.core.budget import budget_uses
from risk_management.core.fill_report import FillReport
from risk_management.core.ledger import check_ledger
from risk_management.core.order_desk import OrderTicket
from risk_management.errors import LedgerError
from risk_management.model.budget import BudgetShare, RiskAllocation
from risk_management.model.events import BudgetAllocated, BudgetCut, ModelRefreshed, PeaksSeen
from risk_management.model.strategy_risk import StrategyRisk
from risk_management.model.totals import Sides
from risk_management.tests.core import over_approval
from risk_management.tests.core.naive import grown

SCALE = 10**8
LOOSE = {
    "portfolio_limits": {"max_risk_per_trade": 1.0, "max_single_position": 1.0, "max_strategy_exposure": 1.0},
    "bot_config": {"probation_share": 1.0, "max_exposure": 5.0},
    "order_config": {
        "max_orders_per_minute": 100_000,
        "max_orders_per_minute_total": 1_000_000,
        "duplicate_window": 0.0,
        "max_order_size": 1.0,
    },
}
"""Limits that leave the budget to bind."""
TOLERANCE = 1e-5


def allocated(desk, total=0.01, measure="es", **weights):
    shares = tuple(BudgetShare(name, weight) for name, weight in weights.items())
    record = RiskAllocation("fixed", measure, total, desk.state.drawdown.day, shares)
    desk.book.apply(BudgetAllocated(at=desk.clock.now(), actor="test", budget=record))


def naive_tail(pnl, measure):
    """VaR at 95 % by numpy, expected shortfall at 97.5 % by a plain loop."""
    if measure == "var":
        return -float(np.quantile(pnl, 0.05))
    left = whole = 0.025 * len(pnl)
    total = 0.0
    for loss in np.sort(-pnl)[::-1]:
        weight = min(1.0, left)
        total += weight * loss
        left -= weight
        if left <= 1e-12:
            break
    return total / whole


def legs(state, strategy):
    """What a strategy holds as one vector, and each of its approvals as another."""
    held = np.zeros(len(state.model.matrix.symbols))
    for p in state.positions.values():
        if p.key.strategy == strategy:
            column = state.model.columns[p.symbol]
            held[column] += p.quantity * state.quotes[p.symbol].price / SCALE
    open_ = []
    for r in state.reservations.values():
        if r.key.strategy == strategy:
            returns = state.model.scenarios[:, state.model.columns[r.key.symbol]]
            open_.append(r.side * (r.opening + r.closing) * grown(state, r) / SCALE * returns)
    return state.model.scenarios @ held, open_


def naive_bound(state, strategy, measure):
    """The losses of the approvals added in each scenario, their gains not."""
    pnl, open_ = legs(state, strategy)
    for leg in open_:
        pnl = pnl + np.minimum(leg, 0.0)
    return max(0.0, naive_tail(pnl, measure))


def naive_worst(state, strategy, measure):
    """The largest over all ways in which the approvals may fill."""
    pnl, open_ = legs(state, strategy)
    assert len(open_) <= 7
    return max(
        naive_tail(sum((leg for leg, filled in zip(open_, chosen, strict=True) if filled), pnl), measure)
        for chosen in itertools.product((False, True), repeat=len(open_))
    )


def naive_limit(state, config, strategy):
    """The rule of docs/risk-budgets.md, written once more."""
    budget, settings = state.budget, config.budget_config
    own = {s.strategy: s.weight * s.cut * budget.total * state.equity for s in budget.shares}
    if strategy not in own:
        return 0.0
    mine, share = own[strategy], next(s for s in budget.shares if s.strategy == strategy)
    if settings.borrowing == "none" or share.cut < 1.0:
        return mine
    names = {*own, *(p.key.strategy for p in state.positions.values())}
    names |= {r.key.strategy for r in state.reservations.values()}
    uses = {name: naive_bound(state, name, budget.measure) for name in names if name != strategy}
    most = min(mine + settings.borrow_cap * mine, sum(own.values()) - sum(uses.values()))
    if settings.borrowing == "pro_rata":
        idle = sum(max(0.0, own[name] - uses.get(name, 0.0)) for name in own if name != strategy)
        most = min(most, mine + mine / sum(own.values()) * idle)
    return max(mine, most)


@pytest.fixture
def loose(make_desk):
    def make(**budget):
        desk = make_desk(**LOOSE, budget_config=budget)
        for bot in ("b1", "b2", "b3"):
            over_approval.register(desk, bot, 50_000.0)
        over_approval.quote(desk, dict.fromkeys(over_approval.SYMBOLS, 100.0))
        return desk

    return make


def asked(desk, symbol, side, size, strategy, bot="b1", **more):
    desk.clock.advance(0.5)
    over_approval.quote(desk, {s: q.price for s, q in desk.state.quotes.items()})
    return desk.desk.request(OrderTicket(symbol, side, size, strategy, bot, **more))


def filled(desk, decision, price=None):
    price = price or desk.state.quotes[decision.symbol].price
    desk.desk.execute(FillReport(decision.request_id, decision.recommended_size, price))


def unit(desk, symbol, measure="es"):
    returns = desk.state.model.scenarios[:, desk.state.model.columns[symbol]]
    return naive_tail(returns, measure)


class TestWithoutABudget:
    def test_nothing_is_carried_and_the_finding_is_one_for_all(self, loose):
        desk = loose()
        first = asked(desk, "AAPL", "buy", 500.0, "s")
        second = asked(desk, "KO", "buy", 500.0, "t")
        found = [next(f for f in d.findings if f.check == "budget") for d in (first, second)]
        assert found[0] is found[1]
        assert math.isinf(found[0].cap)
        assert desk.state.totals.strategy_risk is None

    def test_withdrawn_it_binds_no_longer(self, loose):
        desk = loose()
        allocated(desk, 0.0001, s=1.0)
        assert "BUDGET_LIMIT" in asked(desk, "AAPL", "buy", 900.0, "s").rejection_reasons
        desk.book.apply(BudgetAllocated(at=desk.clock.now(), actor="test", budget=None))
        assert asked(desk, "AAPL", "buy", 900.0, "s").outcome == "approved"
        assert desk.state.totals.strategy_risk is None


@pytest.mark.parametrize("measure", ["var", "es"])
class TestTheGate:
    def test_exactly_at_it_passes_and_above_is_cut(self, loose, measure):
        desk = loose()
        allocated(desk, 0.01, measure, s=0.4, t=0.6)
        most = 0.004 * desk.state.equity / unit(desk, "AAPL", measure)
        assert asked(desk, "AAPL", "buy", most, "s").outcome == "approved"
        desk.desk.cancel_all("again")
        cut = asked(desk, "AAPL", "buy", most + 5.0, "s")
        assert cut.rejection_reasons == ("BUDGET_LIMIT",)
        assert cut.recommended_size == pytest.approx(most, abs=1e-3)
        assert "strategy s would risk" in cut.explain()
        assert "budget allows 0.400%" in cut.explain()

    def test_what_is_approved_counts_before_it_is_filled(self, loose, measure):
        desk = loose()
        allocated(desk, 0.01, measure, s=0.4, t=0.6)
        most = 0.004 * desk.state.equity / unit(desk, "AAPL", measure)
        asked(desk, "AAPL", "buy", 0.75 * most, "s", "b1")
        second = asked(desk, "AAPL", "buy", 0.75 * most, "s", "b2")
        assert second.recommended_size == pytest.approx(0.25 * most, abs=1e-3)
        assert asked(desk, "AAPL", "buy", 0.75 * most, "t", "b3").outcome == "approved"

    def test_over_its_budget_closing_and_hedging_pass(self, loose, measure):
        desk = loose()
        allocated(desk, 0.02, measure, s=1.0)
        filled(desk, asked(desk, "SPY", "buy", 1500.0, "s"))
        allocated(desk, 0.002, measure, s=1.0)
        assert not asked(desk, "KO", "buy", 200.0, "s").approved
        assert asked(desk, "AAPL", "sell", 200.0, "s").outcome == "approved", (
            "a short against the market hedges"
        )
        assert asked(desk, "SPY", "sell", 1500.0, "s").outcome == "approved"

    def test_a_long_over_its_budget_is_not_turned_into_such_a_short(self, loose, measure):
        desk = loose()
        allocated(desk, 0.05, measure, s=1.0)
        filled(desk, asked(desk, "SPY", "buy", 2000.0, "s"))
        allocated(desk, 0.002, measure, s=1.0)
        flip = asked(desk, "SPY", "sell", 4000.0, "s")
        assert flip.closing_size == pytest.approx(2000.0)
        short = -desk.state.model.scenarios[:, desk.state.model.columns["SPY"]]
        assert flip.opening_size * naive_tail(short, measure) <= 0.002 * desk.state.equity + TOLERANCE

    def test_a_strategy_without_a_share_opens_nothing(self, loose, measure):
        desk = loose(borrowing="unused")
        allocated(desk, 0.02, measure, s=1.0)
        refused = asked(desk, "SPY", "buy", 100.0, "other")
        assert refused.rejection_reasons == ("BUDGET_LIMIT",)


class TestADrawdownBudget:
    def test_what_is_lost_leaves_less_for_a_bad_day(self, loose):
        desk = loose()
        allocated(desk, 0.05, "drawdown", s=0.5, t=0.5)
        filled(desk, asked(desk, "AAPL", "buy", 1000.0, "s"))
        desk.book.apply(PeaksSeen(at=desk.clock.now(), actor="test", bots=(), strategies=(("s", 0),)))
        over_approval.quote(desk, {"AAPL": 85.0})
        lost, held = 150.0, 850.0 * unit(desk, "AAPL")
        room = 0.025 * desk.state.equity - lost
        more = asked(desk, "AAPL", "buy", 5000.0, "s")
        assert more.recommended_size == pytest.approx((room - held) / unit(desk, "AAPL"), abs=1e-2)
        assert budget_uses(desk.state, desk.state.budget)["t"] == 0.0

    def test_beyond_it_nothing_opens(self, loose):
        desk = loose()
        allocated(desk, 0.02, "drawdown", s=0.5, t=0.5)
        filled(desk, asked(desk, "AAPL", "buy", 1000.0, "s"))
        over_approval.quote(desk, {"AAPL": 85.0})
        assert asked(desk, "KO", "buy", 100.0, "s").rejection_reasons == ("BUDGET_LIMIT",)
        assert asked(desk, "AAPL", "sell", 850.0, "s").outcome == "approved"


class TestBorrowing:
    def test_none_is_none(self, loose):
        desk = loose()
        allocated(desk, 0.01, s=0.5, t=0.5)
        most = 0.005 * desk.state.equity / unit(desk, "AAPL")
        assert asked(desk, "AAPL", "buy", 2 * most, "s").recommended_size == pytest.approx(most, abs=1e-3)

    def test_unused_is_lent_up_to_the_cap(self, loose):
        desk = loose(borrowing="unused", borrow_cap=0.5)
        allocated(desk, 0.01, s=0.5, t=0.5)
        most = 0.005 * desk.state.equity / unit(desk, "AAPL")
        assert asked(desk, "AAPL", "buy", 2 * most, "s").recommended_size == pytest.approx(
            1.5 * most, abs=1e-3
        )

    def test_what_another_uses_is_not_lent(self, loose):
        desk = loose(borrowing="unused", borrow_cap=1.0)
        allocated(desk, 0.01, s=0.5, t=0.5)
        most = 0.005 * desk.state.equity / unit(desk, "AAPL")
        asked(desk, "AAPL", "buy", 0.8 * most, "t", "b2")
        assert asked(desk, "AAPL", "buy", 2 * most, "s").recommended_size == pytest.approx(
            1.2 * most, abs=1e-3
        )

    def test_pro_rata_leaves_something_for_the_others(self, loose):
        desk = loose(borrowing="pro_rata", borrow_cap=5.0)
        allocated(desk, 0.008, s=0.25, t=0.25, u=0.5)
        most = 0.002 * desk.state.equity / unit(desk, "AAPL")
        got = asked(desk, "AAPL", "buy", 4 * most, "s").recommended_size
        assert got == pytest.approx(most * (1.0 + 0.25 * 3.0), abs=1e-3)

    def test_a_lender_takes_its_own_back_at_once_and_then_nobody_borrows(self, loose):
        desk = loose(borrowing="unused", borrow_cap=1.0)
        allocated(desk, 0.01, s=0.4, t=0.4, u=0.2)
        part = 0.001 * desk.state.equity / unit(desk, "AAPL")
        assert asked(desk, "AAPL", "buy", 8 * part, "s", "b1").outcome == "approved"
        assert asked(desk, "AAPL", "buy", 4 * part, "t", "b2").outcome == "approved"
        assert asked(desk, "AAPL", "buy", part, "s", "b1").rejection_reasons == ("BUDGET_LIMIT",)
        assert asked(desk, "AAPL", "buy", part, "t", "b2").rejection_reasons == ("BUDGET_LIMIT",)
        assert asked(desk, "AAPL", "buy", 2 * part, "u", "b3").outcome == "approved", "its own is its own"
        assert not asked(desk, "AAPL", "buy", part, "u", "b3").approved

    def test_a_strategy_in_drawdown_borrows_nothing(self, loose):
        desk = loose(borrowing="unused", borrow_cap=1.0)
        allocated(desk, 0.01, s=0.5, t=0.5)
        desk.book.apply(BudgetCut(at=desk.clock.now(), actor="test", cuts=(("s", 0.5),)))
        most = 0.005 * desk.state.equity / unit(desk, "AAPL")
        assert asked(desk, "AAPL", "buy", 2 * most, "s").recommended_size == pytest.approx(
            0.5 * most, abs=1e-3
        )


SEEDS = range(6)
OWNER = {"s": "b1", "t": "b2", "u": "b3"}


@pytest.mark.parametrize("borrowing", ["none", "unused", "pro_rata"])
@pytest.mark.parametrize("measure", ["var", "es"])
@pytest.mark.parametrize("seed", SEEDS)
def test_no_drive_finds_an_approval_beyond_a_budget(loose, borrowing, measure, seed):
    """Asks, fills, cancels, prices and cuts in any order; every approval is held against the rule.

    The sum of all uses passes what all have only by what prices moved and by what a lender took back.
    """
    desk, rnd = loose(borrowing=borrowing, borrow_cap=0.7), random.Random(seed)
    allocated(desk, 0.012, measure, s=0.5, t=0.3, u=0.2)
    cuts = loans = 0
    for _ in range(120):
        what = rnd.random()
        state = desk.state
        if what < 0.55 and len(state.reservations) < 6:
            strategy = rnd.choice("stu")
            cut, loan = _one_request(desk, rnd, strategy, measure)
            cuts, loans = cuts + cut, loans + loan
        elif what < 0.8 and state.reservations:
            chosen = rnd.choice(list(state.reservations.values()))
            left = (chosen.opening + chosen.closing) / SCALE * rnd.choice((1.0, 0.4))
            desk.desk.execute(FillReport(chosen.request_id, left, state.quotes[chosen.key.symbol].price))
        elif what < 0.88 and state.reservations:
            desk.desk.cancel(rnd.choice(list(state.reservations)))
        elif what < 0.91:
            cut = ((rnd.choice("stu"), rnd.choice((1.0, 1.0, 0.5))),)
            desk.book.apply(BudgetCut(at=desk.clock.now(), actor="test", cuts=cut))
        else:
            moved = {s: q.price * (1.0 + rnd.gauss(0.0, 0.01)) for s, q in state.quotes.items()}
            desk.clock.advance(5.0)
            over_approval.quote(desk, moved)
            over_approval._refund(desk)
    check_ledger(desk.state)
    assert cuts > 3
    assert loans > 0 or borrowing == "none"


def _one_request(desk, rnd, strategy, measure):
    before, config, bot = desk.state, desk.book.config, OWNER[strategy]
    worst = naive_worst(before, strategy, measure)
    side = "buy" if rnd.random() < 0.7 else "sell"
    decision = asked(desk, rnd.choice(over_approval.SYMBOLS), side, rnd.uniform(100.0, 3000.0), strategy, bot)
    limit = naive_limit(before, config, strategy)
    own = before.budget.own(strategy) * before.equity
    if decision.opening_size == 0.0:
        return "BUDGET_LIMIT" in decision.rejection_reasons, False
    sign = 1.0 if side == "buy" else -1.0
    returns = before.model.scenarios[:, before.model.columns[decision.symbol]]
    pnl, open_ = legs(before, strategy)
    pathwise = pnl + sum((np.minimum(leg, 0.0) for leg in open_), np.zeros(len(pnl)))
    closed = naive_tail(pathwise + sign * decision.closing_size * returns, measure)
    after = naive_worst(desk.state, strategy, measure)
    slack = 10 * TOLERANCE
    assert after <= max(limit, worst, closed) + slack, (decision, limit, worst, closed, after)
    is_loan = after > max(own, worst, closed) + slack
    if is_loan:
        rest = sum(naive_bound(before, name, measure) for name in OWNER if name != strategy)
        assert rest + after <= before.budget.owned * before.equity + slack
    if decision.binding is not None and decision.binding.code == "BUDGET_LIMIT":
        whole = naive_tail(pathwise + sign * decision.requested_size * returns, measure)
        assert whole > own - slack, "within its own budget nobody is cut by it"
        return True, is_loan
    return False, is_loan


def test_the_drive_finds_a_check_that_is_taken_out(loose, monkeypatch):
    desk = loose()
    others = {name: check for name, check in CHECKS.items() if name != "budget"}
    monkeypatch.setattr(desk.desk, "checks", tuple(others.items()))
    monkeypatch.setattr("risk_management.core.decision.holds_budget", lambda *_: True)
    allocated(desk, 0.004, "es", s=0.5, t=0.3, u=0.2)
    rnd = random.Random(1)

    def drive():
        for _ in range(60):
            if len(desk.state.reservations) >= 6:
                desk.desk.cancel_all("room")
            _one_request(desk, rnd, rnd.choice("stu"), "es")

    with pytest.raises(AssertionError):
        drive()


@pytest.mark.parametrize("seed", range(4))
def test_carried_vectors_are_those_from_scratch(seed):
    """Thousands of steps, read at any of them: the vector is the plain sum over what is held."""
    rng, rnd = np.random.default_rng(seed), random.Random(seed)
    scenarios = np.asfortranarray(rng.normal(0.0, 0.01, (300, 8)))
    risk, sides = StrategyRisk(scenarios, {}), {}
    for _ in range(2500):
        column = rnd.randrange(8)
        delta = Sides(rnd.randrange(-SCALE, SCALE), rnd.randrange(SCALE), rnd.randrange(SCALE))
        if rnd.random() < 0.2:
            delta = Sides(0, 0, 0).minus(sides.get(column, Sides(0, 0, 0)))
        sides[column] = sides.get(column, Sides(0, 0, 0)).plus(delta)
        before = risk
        risk = risk.moved(column, delta)
        if rnd.random() < 0.1:
            plain = np.zeros(300)
            for place, (net, buys, sells) in sides.items():
                for row in range(300):
                    r = scenarios[row, place]
                    plain[row] += (net * r + buys * min(r, 0.0) - sells * max(r, 0.0)) / SCALE
            np.testing.assert_allclose(risk.vector, plain, atol=1e-9)
            assert not risk.vector.flags.writeable
            assert before is not risk


def test_a_wrong_sum_by_strategy_stops_the_ledger(loose):
    desk = loose()
    allocated(desk, 0.02, s=1.0)
    filled(desk, asked(desk, "SPY", "buy", 500.0, "s"))
    state = desk.state
    check_ledger(state)
    risk = state.totals.strategy_risk["s"].moved(0, Sides(1, 0, 0))
    with pytest.raises(LedgerError, match="risk by strategy"):
        check_ledger(replace(state, totals=replace(state.totals, strategy_risk={"s": risk})))


def test_a_new_market_model_serves_the_budget_too(loose, foundation):
    desk = loose()
    allocated(desk, 0.02, s=1.0)
    filled(desk, asked(desk, "SPY", "buy", 500.0, "s"))
    old = budget_uses(desk.state, desk.state.budget)["s"]
    doubled = replace(foundation.model, scenarios=np.asfortranarray(2.0 * foundation.model.scenarios))
    desk.book.apply(ModelRefreshed(at=desk.clock.now(), actor="test", model=doubled))
    assert budget_uses(desk.state, desk.state.budget)["s"] == pytest.approx(2.0 * old)
