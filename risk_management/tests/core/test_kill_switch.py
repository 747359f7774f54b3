"""The stop: nothing is approved by anyone who asks after it returned, whatever fails around it."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import pytest

from risk_management.clock import ManualClock
from risk_management.core.fill_report import FillReport
from risk_management.core.order_desk import OrderTicket
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.errors import InvalidRequest, StoreUnavailable
from risk_management.model.portfolio import Scope, TradingMode
from risk_management.store.journal import MemoryJournal

RACES = 50
SOAK_RACES = 1000


class SlowStore(MemoryJournal):
    """Takes its time, or fails, as a test says."""

    def __init__(self):
        super().__init__()
        self.delay, self.fails = 0.0, False

    def write(self, events, after):
        time.sleep(self.delay)
        if self.fails:
            raise StoreUnavailable("no space left on device")
        super().write(events, after)

    def reopen(self):
        raise StoreUnavailable("no space left on device")


def build(foundation, journal=None):
    config = foundation.config.update(
        order_config={"max_orders_per_minute": 100_000, "max_orders_per_minute_total": 100_000},
    )
    ground = replace(foundation, config=config, clock=ManualClock(foundation.clock.now()))
    manager = AdvancedRiskManager.on(ground, journal=journal or SlowStore())
    manager.update_prices({"KO": 60.0})
    return manager


def race(manager, bots=4):
    """Bots ask without end while someone stops everything; returns approvals that began after it returned."""
    stopped, go, late = threading.Event(), threading.Barrier(bots + 1), []

    def bot(number):
        go.wait()
        for turn in range(200):
            began_after = stopped.is_set()
            ticket = OrderTicket("KO", "buy", 30.0 + turn, "", f"bot{number}")
            try:
                answer = manager.request_trade(ticket)
            except StoreUnavailable:
                continue
            if answer.approved and began_after:
                late.append(answer)
            if began_after and turn % 7 == 0:
                return

    threads = [threading.Thread(target=bot, args=(number,)) for number in range(bots)]
    for thread in threads:
        thread.start()
    go.wait()
    manager.emergency_stop("a race")
    stopped.set()
    for thread in threads:
        thread.join()
    return late


@pytest.mark.parametrize("fails", [False, True], ids=["store works", "store fails"])
def test_nothing_is_approved_after_the_stop_returned(foundation, fails):
    for _ in range(RACES // 2):
        store = SlowStore()
        manager = build(foundation, store)
        store.delay, store.fails = 0.0002, fails
        assert race(manager) == []
        assert manager.state.mode is TradingMode.HALTED


@pytest.mark.soak
def test_nothing_is_approved_in_a_thousand_races(foundation, record_property):
    for number in range(SOAK_RACES):
        store = SlowStore()
        manager = build(foundation, store)
        store.delay, store.fails = 0.0002, number % 2 == 0
        assert race(manager) == []
    record_property("figure", f"{SOAK_RACES} races, half with a failing store, nothing approved after")


def test_the_stop_comes_before_whoever_waits_for_the_lock(foundation):
    """While one call holds the book, the stop and a request wait: the stop is applied first."""
    manager, answers = build(foundation), []
    with manager.book.lock:
        stop = threading.Thread(target=manager.emergency_stop, args=("fire",))
        stop.start()
        while not manager.book._urgent:
            time.sleep(0.001)
        ask = threading.Thread(
            target=lambda: answers.append(manager.request_trade(OrderTicket("KO", "buy", 50.0, "", "a")))
        )
        ask.start()
    ask.join()
    stop.join()
    assert not answers[0].approved
    assert answers[0].rejection_reasons[0] == "HALTED"


def test_a_failing_store_is_said_and_the_stop_is_written_when_it_returns(foundation):
    store = SlowStore()
    manager = build(foundation, store)
    store.fails = True
    assert manager.emergency_stop("fire") is False
    assert manager.state.mode is TradingMode.HALTED
    kept = len(list(store.events()))
    store.fails, store.reopen = False, lambda: None
    assert manager.mend_store()
    assert "HoldSet" in [type(event).__name__ for event in list(store.events())[kept:]]
    assert manager.state.mode is TradingMode.HALTED


@pytest.mark.parametrize("part", ["cancel_all", "alerts", "clock_watch", "checks"])
def test_whatever_raises_on_its_way_ends_in_a_halt(foundation, monkeypatch, part):
    manager = build(foundation)
    manager.request_trade(OrderTicket("KO", "buy", 100.0, "", "a"))

    def broken(*_, **__):
        raise RuntimeError(part)

    if part == "cancel_all":
        monkeypatch.setattr(manager.desk, "cancel_all", broken)
    elif part == "alerts":
        monkeypatch.setattr(manager.alert_manager, "raise_alert", broken)
    elif part == "clock_watch":
        monkeypatch.setattr(manager.desk.clock_watch, "look", broken)
    else:
        manager.desk.checks = (("odd", broken),)
    try:
        manager.emergency_stop("fire")
    except RuntimeError:
        assert part in {"cancel_all", "alerts"}
    assert manager.state.mode is TradingMode.HALTED


@pytest.mark.parametrize("reason", [None, "", 5, "x" * 10_000, "\x00\ud800", object()])
def test_no_reason_keeps_the_stop_from_working(foundation, reason):
    manager = build(foundation)
    manager.emergency_stop(reason)
    assert manager.state.mode is TradingMode.HALTED


def test_two_operators_at_once_and_a_release_by_name(foundation):
    manager = build(foundation)
    both = [threading.Thread(target=manager.emergency_stop, args=(f"by {n}",)) for n in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert manager.state.mode is TradingMode.HALTED
    for actor, reason in (("", "because"), ("ann", "")):
        with pytest.raises(InvalidRequest):
            manager.release_emergency(actor, reason)
    assert manager.state.mode is TradingMode.HALTED
    assert manager.release_emergency("ann", "the fire is out")
    assert manager.state.mode is TradingMode.ACTIVE


def test_letting_one_scope_go_lets_no_other_go(foundation):
    manager = build(foundation)
    manager.register_bot("a", "s")
    scopes = ((Scope.PORTFOLIO, ""), (Scope.STRATEGY, "s"), (Scope.BOT, "a"), (Scope.SYMBOL, "KO"))
    for scope, name in scopes:
        manager.set_mode(TradingMode.HALTED, "a test", scope=scope, name=name)
    for scope, name in scopes[1:]:
        manager.set_mode(TradingMode.ACTIVE, "over", scope=scope, name=name)
        assert manager.state.mode_of(scope, name) is TradingMode.ACTIVE
        assert manager.state.mode is TradingMode.HALTED
        assert not manager.request_trade(OrderTicket("KO", "buy", 50.0, "s", "a")).approved
    manager.release_emergency("ann", "over")
    manager.set_mode(TradingMode.ACTIVE, "over", scope=Scope.PORTFOLIO, name="")
    assert manager.state.mode is TradingMode.ACTIVE


def test_the_stop_survives_a_restart(start):
    manager = start()
    manager.add_position("KO", 600.0, 60.0, bot_name="a")
    manager.emergency_stop("fire", actor="ann")
    manager.close()
    manager = start()
    (hold,) = manager.state.holds.values()
    assert (hold.mode, hold.actor, hold.reason) == (TradingMode.HALTED, "ann", "fire")
    manager.close()


def test_it_needs_no_price_and_no_model(foundation, monkeypatch):
    manager = build(foundation)
    monkeypatch.setattr("risk_management.core.decision.propose", lambda *_: 1 / 0)
    monkeypatch.setattr("risk_management.core.steps.sums.name_totals", lambda *_, **__: 1 / 0)
    manager.emergency_stop("fire")
    assert manager.state.mode is TradingMode.HALTED
    with pytest.raises(ZeroDivisionError):
        manager.request_trade(OrderTicket("KO", "buy", 50.0, "", "a"))


def test_in_a_halt_fills_are_booked_and_the_operator_closes(foundation):
    manager = build(foundation)
    order = manager.request_trade(OrderTicket("KO", "buy", 120.0, "", "a"))
    manager.emergency_stop("fire")
    done = manager.execute_trade(FillReport(order.request_id, 120.0, 60.0, execution_id="e"))
    assert done.quantity == pytest.approx(2.0)
    assert not manager.request_trade(OrderTicket("KO", "sell", 120.0, "", "a")).approved
    assert manager.request_trade(OrderTicket("KO", "sell", 120.0)).approved


def test_a_stop_in_memory_alone_comes_back_beside_a_narrower_one(start, monkeypatch):
    """A bot's stop on disk is no substitute for the stop of everything, which the latch alone knows."""

    def full(*_args):
        raise StoreUnavailable("no space left on device")

    manager = start()
    manager.register_bot("a")
    manager.set_mode(TradingMode.HALTED, "look at it", scope=Scope.BOT, name="a")
    with monkeypatch.context() as failing:
        failing.setattr(manager.book.journal, "write", full)
        assert not manager.emergency_stop("fire")
        assert manager.book.journal.latched()["stopped"].endswith("emergency_stop: fire")
        manager.book.journal.close()  # as a kill does: nothing more is written
    manager = start()
    assert manager.state.mode is TradingMode.HALTED
    manager.close()


def test_a_strategy_s_stop_holds_its_bots_under_any_name(foundation):
    manager = build(foundation)
    manager.register_bot("a", "momentum")
    manager.add_position("KO", 60.0, 60.0, "anything", bot_name="a")
    manager.set_mode(TradingMode.HALTED, "look at it", scope=Scope.STRATEGY, name="momentum")
    said = {"buy": ("HALTED", "OTHER_STRATEGY"), "sell": ("HALTED",)}
    for action, reasons in said.items():  # in HALTED the system and the operator close
        answer = manager.request_trade(OrderTicket("KO", action, 50.0, "anything", "a"))
        assert (answer.approved, answer.rejection_reasons) == (False, reasons)
    assert manager.request_trade(OrderTicket("KO", "buy", 50.0, "anything", "b")).approved


def test_what_rounding_leaves_of_a_refused_close_is_no_approval(foundation):
    """50 of 60 in units leaves a millionth of a cent, which is no order."""
    manager = build(foundation)
    manager.add_position("KO", 60.0, 60.0, bot_name="a")
    manager.set_mode(TradingMode.HALTED, "look at it", scope=Scope.BOT, name="a")
    answer = manager.request_trade(OrderTicket("KO", "sell", 50.0, "", "a"))
    assert (answer.approved, answer.recommended_size) == (False, 0.0)
    assert not manager.state.reservations
