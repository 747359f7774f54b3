"""Group commit when the journal fails: who is refused, what is seen, what stays, what is written later."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

import pytest

from risk_management.core.answers import Answers
from risk_management.core.commit import Transaction
from risk_management.core.fill_report import FillReport
from risk_management.core.order_desk import OrderTicket
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.core.standing import Standing, folded
from risk_management.errors import StoreCorrupt, StoreUnavailable
from risk_management.model.events import CashKind, CashMoved, Event, Filled, TradeDecided
from risk_management.model.portfolio import OPERATOR, Scope, TradingMode
from risk_management.store.snapshot import snapshot_bytes
from risk_management.tests.store.workload import Bot, missing, run
from risk_management.tests.store.world import small_foundation


class Paper:
    """A journal on paper: it keeps what it is given unless it is told to fail, and can be made to wait."""

    def __init__(self, fails: Callable[[int], bool] = lambda _: False) -> None:
        self.fails, self.writes = fails, 0
        self.kept: list[Event] = []
        self.notes: dict[str, str] = {}
        self.may_write = threading.Event()
        self.may_write.set()
        self.began = threading.Event()
        self.is_other = False
        self.batches: list[int] = []

    def write(self, events: Sequence[Event], after: Standing) -> None:
        self.writes += 1
        self.began.set()
        assert self.may_write.wait(30)
        if self.fails(self.writes):
            raise StoreUnavailable("the paper is full")
        self.kept += events
        self.batches.append(len(events))
        assert after.state.version == len(self.kept) - 1, "what is kept does not lead to this state"

    @property
    def ends_at(self) -> int:
        return len(self.kept) - 1

    def decided(self, request_id: str) -> TradeDecided | None:
        return self._last(TradeDecided, "request_id", request_id)

    def filled(self, execution_id: str) -> Filled | None:
        return self._last(Filled, "execution_id", execution_id)

    def _last(self, kind, name, value):
        return next((e for e in self.kept if isinstance(e, kind) and getattr(e, name) == value), None)

    def recover(self) -> Standing | None:
        standing = None
        for event in self.kept:
            standing = folded(standing, event)
        return standing

    def close(self, last: Standing) -> None:
        pass

    def latched(self) -> dict[str, str]:
        return dict(self.notes)

    def latch(self, *, stopped: str | None = None, in_memory: str | None = None) -> None:
        said = {"stopped": stopped, "in_memory": in_memory}
        self.notes = {
            k: v for k, v in {**self.notes, **{k: v for k, v in said.items() if v is not None}}.items() if v
        }

    def may_be_taken(self) -> bool:
        return False

    def reopen(self) -> None:
        if self.is_other:
            raise StoreCorrupt("the journal ends elsewhere")


def begun(journal: Paper) -> AdvancedRiskManager:
    return AdvancedRiskManager.on(small_foundation(), journal=journal)


def deposit(manager: AdvancedRiskManager, amount: int = 10**8) -> None:
    now = manager.clock.now()
    manager.book.apply(
        CashMoved(at=now, actor=OPERATOR, account_id="main", kind=CashKind.DEPOSIT, amount=amount)
    )


def refused_deposit(manager: AdvancedRiskManager) -> None:
    with pytest.raises(StoreUnavailable):
        deposit(manager)


def in_threads(*work: Callable[[], object]) -> list[threading.Thread]:
    threads = [threading.Thread(target=one) for one in work]
    for thread in threads:
        thread.start()
    return threads


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end
        time.sleep(0.001)


def same(manager: AdvancedRiskManager, journal: Paper) -> bool:
    return snapshot_bytes(manager.book.standing) == snapshot_bytes(journal.recover())


def waiting(manager: AdvancedRiskManager) -> int:
    return len(manager.book._commit.queue)


# -- together -------------------------------------------------------------------------------------------


def test_what_many_wrote_is_kept_in_few_writes_and_in_order():
    journal = Paper()
    manager = begun(journal)
    journal.may_write.clear()
    threads = in_threads(*[lambda: deposit(manager)] * 20)
    until(lambda: waiting(manager) == 19)
    journal.may_write.set()
    for thread in threads:
        thread.join()
    assert journal.batches[1:] == [1, 19]
    assert manager.state.cash == 1_000_020.0
    assert same(manager, journal)


def test_nobody_sees_what_is_not_on_disk():
    journal = Paper()
    manager = begun(journal)
    journal.may_write.clear()
    journal.began.clear()
    ticket = OrderTicket("AAA", "buy", 500.0, "s", "a", request_id="r1")
    (asking,) = in_threads(lambda: manager.request_trade(ticket))
    assert journal.began.wait(30)
    assert manager.state.version == 0
    assert manager.state.reservations == {}
    assert "a" not in manager.state.bots
    seen = []
    (looking,) = in_threads(lambda: seen.append(manager.desk.decision("r1")))
    time.sleep(0.05)
    assert seen == []  # it waits for the disk, or says nothing is known
    journal.may_write.set()
    asking.join()
    looking.join()
    assert seen[0].approved
    assert "r1" in manager.state.reservations


def test_the_same_id_waits_for_the_first_answer_to_be_on_disk():
    journal, answers = Paper(), []
    manager = begun(journal)
    journal.may_write.clear()
    ticket = OrderTicket("AAA", "buy", 500.0, "s", "a", request_id="r1")
    threads = in_threads(*[lambda: answers.append(manager.request_trade(ticket))] * 8)
    time.sleep(0.1)
    assert answers == []
    journal.may_write.set()
    for thread in threads:
        thread.join()
    assert len(answers) == 8
    assert all(answer is answers[0] or answer == answers[0] for answer in answers)
    assert sum(isinstance(event, TradeDecided) for event in journal.kept) == 1


# -- failing --------------------------------------------------------------------------------------------


def test_all_callers_of_a_failed_batch_and_all_behind_it_are_refused():
    journal, refused = Paper(lambda n: n == 2), []
    manager = begun(journal)
    journal.may_write.clear()

    def ask() -> None:
        try:
            deposit(manager)
        except StoreUnavailable as problem:
            refused.append(str(problem))

    threads = in_threads(*[ask] * 10)
    until(lambda: waiting(manager) == 9)
    journal.may_write.set()
    for thread in threads:
        thread.join()
    assert refused == ["the paper is full"] * 10
    assert manager.state.cash == 1_000_000.0
    assert manager.state.mode is TradingMode.REDUCING
    assert journal.notes["in_memory"] == "the paper is full"
    assert len(journal.kept) == 1
    assert journal.writes == 2  # nobody goes on with a store that failed
    assert manager.mend_store()
    assert manager.state.mode is TradingMode.ACTIVE
    assert journal.notes == {}
    assert same(manager, journal)


def test_who_only_read_what_was_lost_is_refused_too():
    """A decision may rest on what somebody else's failed write showed under the lock."""
    journal, seen = Paper(lambda n: n == 2), []
    manager = begun(journal)
    journal.may_write.clear()
    (first,) = in_threads(lambda: refused_deposit(manager))
    assert journal.began.wait(30)
    until(lambda: manager.book._newest is not None)

    def look() -> None:
        try:
            with manager.book.lock:
                cash = manager.state.cash
            seen.append(cash)
        except StoreUnavailable:
            seen.append("refused")

    (second,) = in_threads(look)
    journal.may_write.set()
    first.join()
    second.join()
    assert seen in (["refused"], [1_000_000.0])  # never the million and one


def test_a_stop_in_a_lost_batch_stays():
    journal = Paper(lambda n: n == 2)
    manager = begun(journal)
    assert manager.emergency_stop("fire", actor="anna") is False
    assert manager.state.mode is TradingMode.HALTED
    assert "anna: emergency_stop: fire" in journal.notes["stopped"]
    assert len(journal.kept) == 1
    assert manager.mend_store()
    assert manager.state.mode is TradingMode.HALTED
    assert same(manager, journal)
    assert journal.recover().state.mode is TradingMode.HALTED


def test_a_stop_behind_a_failing_batch_stays():
    journal = Paper(lambda n: n == 2)
    manager = begun(journal)
    journal.may_write.clear()
    threads = in_threads(
        lambda: refused_deposit(manager),
        lambda: manager.emergency_stop("fire", actor="anna"),
    )
    until(lambda: waiting(manager) >= 1)
    journal.may_write.set()
    for thread in threads:
        thread.join()
    assert manager.state.mode is TradingMode.HALTED
    manager.mend_store()
    assert same(manager, journal)


def test_while_it_fails_closing_and_fills_pass_in_memory_and_nothing_opens():
    journal = Paper()
    manager = begun(journal)
    manager.update_prices({"AAA": 100.0})
    held = manager.request_trade(OrderTicket("AAA", "buy", 2000.0, "s", "a", request_id="r1"))
    manager.execute_trade(FillReport("r1", 1000.0, 100.0, execution_id="e1"))
    journal.fails = lambda _: True
    before = len(journal.kept)
    close = manager.request_trade(OrderTicket("AAA", "sell", 400.0, "s", "a", request_id="r2"))
    assert close.approved
    assert not close.durable
    assert close.recommended_size == pytest.approx(400.0)
    opening = manager.request_trade(OrderTicket("BBB", "buy", 400.0, "s", "a", request_id="r3"))
    assert not opening.approved
    assert not opening.durable
    manager.execute_trade(FillReport("r2", 400.0, 100.0, execution_id="e2"))
    manager.execute_trade(FillReport("r1", 500.0, 100.0, execution_id="e3"))
    position = next(iter(manager.state.positions.values()))
    assert position.quantity == 11 * 10**8
    assert len(journal.kept) == before
    assert manager.request_trade(OrderTicket("AAA", "sell", 400.0, "s", "a", request_id="r2")) == close
    assert not manager.mend_store()
    journal.fails = lambda _: False
    assert manager.mend_store()
    assert held.durable
    assert same(manager, journal)
    for event in journal.kept[before:]:
        if isinstance(event, TradeDecided):
            assert not event.decision.durable
    assert [e.execution_id for e in journal.kept if isinstance(e, Filled)] == ["e1", "e2", "e3"]
    assert manager.execute_trade(FillReport("r1", 500.0, 100.0, execution_id="e3")).duplicate
    assert manager.request_trade(OrderTicket("CCC", "buy", 400.0, "s", "a")).durable


def test_a_journal_that_is_another_one_now_halts_and_is_not_written_to():
    journal = Paper(lambda n: n == 2)
    manager = begun(journal)
    with pytest.raises(StoreUnavailable):
        deposit(manager)
    journal.is_other = True
    assert not manager.mend_store()
    assert manager.state.mode is TradingMode.HALTED
    assert len(journal.kept) == 1


def test_answers_of_lost_batches_are_forgotten():
    journal = Paper(lambda n: n == 3)
    manager = begun(journal)
    kept = manager.request_trade(OrderTicket("AAA", "buy", 500.0, "s", "a", request_id="kept"))
    lost = manager.request_trade(OrderTicket("BBB", "buy", 500.0, "s", "a", request_id="lost"))
    assert kept.approved
    assert not lost.approved  # it was approved, the write failed, and it was judged anew in memory
    assert set(manager.state.reservations) == {"kept"}
    assert manager.desk.decision("lost") == lost
    manager.mend_store()
    assert manager.desk.decision("lost") == lost
    assert journal.decided("lost").decision == lost
    fresh = Answers(journal)
    assert fresh.find("lost").decision == lost


def test_an_unexpected_error_of_the_journal_is_a_loss_too():
    def explodes(number: int) -> bool:
        if number == 2:
            raise MemoryError
        return False

    journal = Paper(explodes)
    manager = begun(journal)
    with pytest.raises(MemoryError):
        deposit(manager)
    assert manager.state.cash == 1_000_000.0
    assert manager.state.mode is TradingMode.REDUCING
    assert manager.mend_store()
    assert same(manager, journal)


@pytest.mark.parametrize("k", range(2, 32))
def test_whichever_write_fails_the_state_is_what_was_written(k):
    """One thread, the k-th write fails once; then the store is mended and the work goes on."""
    journal, acts = Paper(lambda n: n == k), []
    manager = begun(journal)
    bot = Bot(manager, "a", k)
    for _ in range(30):
        version = len(journal.kept) - 1
        with suppress(StoreUnavailable):
            run(bot, acts.append, 1)
        if manager.book.outage:
            assert len(journal.kept) - 1 == version, "a write that failed left something behind"
            assert manager.state.mode_of(Scope.PORTFOLIO, "") is not TradingMode.ACTIVE
            assert manager.mend_store()
        assert same(manager, journal)
    assert missing(acts, journal.kept) == []


@pytest.mark.parametrize("seed", range(6))
def test_eight_threads_and_a_store_that_fails_now_and_then(seed):
    chance, lock, acts = random.Random(seed), threading.Lock(), []
    journal = Paper(lambda n: n > 5 and chance.random() < 0.15)
    manager = begun(journal)
    done = threading.Event()

    def mend() -> None:
        while not done.wait(0.002):
            manager.mend_store()

    def tell(act) -> None:
        with lock:
            acts.append(act)

    def work(name: str) -> None:
        bot = Bot(manager, name, seed)
        for _ in range(40):
            try:
                run(bot, tell, 1)
            except StoreUnavailable:
                continue

    (mending,) = in_threads(mend)
    for thread in in_threads(*[lambda n=n: work(f"b{n}") for n in range(8)]):
        thread.join()
    done.set()
    mending.join()
    journal.fails = lambda _: False
    assert manager.mend_store()
    assert same(manager, journal)
    assert missing(acts, journal.kept) == []
    assert len(acts) > 100


def test_who_has_the_lock_before_others_may_come_in_as_any_caller(monkeypatch):
    """What is told when a store is mended may look at the book: it must not wait for itself."""
    lock = Transaction(lambda: None, lambda: None)
    monkeypatch.setattr(lock._is_open, "wait", lambda _: pytest.fail("it waits for itself"))
    with lock.before_others(), lock:
        assert lock.is_mine
    with lock:
        assert lock.is_mine
