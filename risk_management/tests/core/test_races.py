"""The lock is what keeps approvals together under a limit: without it the same test must fail."""

from __future__ import annotations

import contextlib
import random
import threading
import time

import pytest

from risk_management.core import order_desk
from risk_management.core.entry import entry_event
from risk_management.core.order_desk import OrderTicket
from risk_management.model.trade import Finding


class NoLock:
    """Stands where the lock stood and keeps nobody out."""

    def acquire(self, *_):
        return True

    def release(self):
        return None


def storm(desk, monkeypatch):
    """Eight threads ask at once, and every one is switched out between its read and its write."""
    real, barrier = order_desk.judge, threading.Barrier(8)

    def slow(*args):
        judgement = real(*args)
        time.sleep(0.01)
        return judgement

    monkeypatch.setattr(order_desk, "judge", slow)
    approved = []

    def bot(name):
        barrier.wait()
        with contextlib.suppress(KeyError):
            approved.append(desk.desk.request(OrderTicket("KO", "buy", 1000.0, "", name)).recommended_size)

    threads = [threading.Thread(target=bot, args=(f"b{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(approved)


@pytest.mark.parametrize("attempt", range(10))
def test_without_the_lock_a_limit_is_exceeded_every_time(make_desk, monkeypatch, attempt):
    desk = make_desk(portfolio_limits={"max_risk_per_trade": 1.0})
    desk.book.lock._lock = NoLock()
    assert storm(desk, monkeypatch) > 1500.0


@pytest.mark.parametrize("attempt", range(10))
def test_with_the_lock_never(make_desk, monkeypatch, attempt):
    desk = make_desk(portfolio_limits={"max_risk_per_trade": 1.0})
    assert storm(desk, monkeypatch) == pytest.approx(1500.0)


@pytest.mark.parametrize("seed", range(20))
def test_the_order_of_the_checks_does_not_matter(make_desk, seed):
    rnd = random.Random(seed)
    desk = make_desk()
    for symbol in rnd.sample(["SPY", "QQQ", "AAPL", "JPM", "XOM", "AMD"], 4):
        money = rnd.choice((-1, 1)) * rnd.uniform(100.0, 2500.0)
        desk.book.apply(entry_event(desk.state, symbol, money, 50.0, "s", None, desk.clock.now()))
    ticket = OrderTicket(
        rnd.choice(["KO", "AMD", "SPY"]), rnd.choice(["buy", "sell"]), rnd.uniform(50.0, 8000.0), "s", "bot"
    )
    first = desk.desk.ask(ticket)
    for _ in range(5):
        shuffled = list(desk.desk.checks)
        rnd.shuffle(shuffled)
        desk.desk.checks = tuple(shuffled)
        again = desk.desk.ask(ticket)
        assert again.recommended_size == first.recommended_size
        assert set(again.rejection_reasons) == set(first.rejection_reasons)


def test_a_check_that_fails_refuses_what_opens_and_lets_a_close_pass(desk):
    def broken(_proposal):
        raise RuntimeError("broken")

    def wrong(_proposal):
        return Finding("wrong", "WRONG", float("nan"))

    desk.book.apply(entry_event(desk.state, "KO", 500.0, 50.0, "", None, desk.clock.now(), bot="a"))
    for check in (broken, wrong):
        desk.desk.checks = (*desk.desk.checks[:30], ("odd", check))
        refused = desk.desk.request(OrderTicket("PG", "buy", 100.0, "", "a"))
        assert refused.rejection_reasons[0] == "CHECK_ERROR"
        desk.clock.advance(20.0)
        assert desk.desk.request(OrderTicket("KO", "sell", 100.0, "", "a")).approved
    assert desk.desk.failed_in_a_row == 4
    assert desk.alarms[0][0] == "CHECK_ERROR"
