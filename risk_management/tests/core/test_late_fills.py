"""What is reported long after it was answered, after a restart, or although it was refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from risk_management.clock import ManualClock
from risk_management.core import answers
from risk_management.core.fill_report import FillReport
from risk_management.core.order_desk import OrderTicket
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.core.steps import records
from risk_management.errors import InvalidRequest, StoreUnavailable, UnknownRequest
from risk_management.model.portfolio import Scope, TradingMode


@pytest.fixture
def open_manager(foundation, tmp_path, monkeypatch):
    """Opens a manager on one store; a second call is a restart. Memory keeps next to nothing."""
    monkeypatch.setattr(answers, "KEPT", 2)
    monkeypatch.setattr(records, "KEPT_SETTLED", 2)
    monkeypatch.setattr("risk_management.model.layered.YOUNG", 2)
    running = []

    def open_():
        while running:
            running.pop().close()
        config = foundation.config.update(store=str(tmp_path / "book.db"))
        ground = replace(foundation, config=config, clock=ManualClock(foundation.clock.now()))
        running.append(AdvancedRiskManager.on(ground))
        return running[0]

    yield open_
    while running:
        running.pop().close()


def ticket(number, size=100.0):
    return OrderTicket("KO", "buy", size + number, "", f"bot{number}", request_id=f"r{number}")


def filled(number, size=100.0, **changes):
    return FillReport(f"r{number}", size + number, 60.0, execution_id=f"e{number}", **changes)


@pytest.mark.parametrize("restarts", [False, True])
def test_ids_are_known_however_old_they_are(open_manager, restarts):
    manager = open_manager()
    for number in range(8):
        assert manager.request_trade(ticket(number)).approved
        manager.execute_trade(filled(number))
    if restarts:
        manager = open_manager()
    before = manager.state
    again = manager.request_trade(ticket(0))
    assert again.approved
    assert again.recommended_size == 100.0
    assert manager.execute_trade(filled(0)).duplicate
    assert manager.state.positions == before.positions
    with pytest.raises(InvalidRequest, match="EXECUTION_CONFLICT"):
        manager.execute_trade(filled(0, 50.0))
    with pytest.raises(InvalidRequest, match="REQUEST_ID_REUSED"):
        manager.request_trade(ticket(0, 200.0))
    with pytest.raises(UnknownRequest):
        manager.execute_trade(replace(filled(0), request_id="never"))


def test_a_second_fill_of_a_long_settled_order_is_booked_and_told(open_manager):
    manager = open_manager()
    for number in range(8):
        manager.request_trade(ticket(number))
        manager.execute_trade(filled(number))
    manager = open_manager()
    late = manager.execute_trade(replace(filled(0), execution_id="other"))
    assert late.booked == pytest.approx(100.0)
    assert set(late.flags) == {"LATE_FILL", "OVERFILL"}
    assert manager.state.mode_of(Scope.BOT, "bot0") is TradingMode.REDUCING


def test_a_fill_of_a_refused_request_is_booked_and_its_bot_only_closes(open_manager):
    manager = open_manager()
    manager.register_bot("rogue", max_position_size=1000.0)
    refused = manager.request_trade(
        OrderTicket("NEVER/SEEN", "buy", 500.0, "", "rogue", confidence=0.1, request_id="no")
    )
    assert not refused.approved
    done = manager.execute_trade(FillReport("no", 500.0, 10.0, execution_id="x"))
    assert done.flags == ("UNAPPROVED_FILL",)
    (position,) = manager.state.positions.values()
    assert (position.key.bot, position.quantity) == ("rogue", 50 * 10**8)
    assert manager.state.mode_of(Scope.BOT, "rogue") is TradingMode.REDUCING


def test_a_bot_that_got_a_strategy_since_is_given_the_same_answer(open_manager):
    manager = open_manager()
    first = manager.request_trade(ticket(0))
    manager.register_bot("bot0", "trend")
    assert manager.request_trade(ticket(0)) is first
    with pytest.raises(InvalidRequest, match="REQUEST_ID_REUSED"):
        manager.request_trade(replace(ticket(0), strategy="other"))


def test_an_answer_that_can_not_be_read_is_not_called_another_one(open_manager):
    """After a restart the store fails: while it can be read the answer is given, else nobody is told off."""

    def gone(_name):
        raise StoreUnavailable("no such file")

    manager = open_manager()
    manager.request_trade(ticket(0))
    manager = open_manager()
    manager.book.journal._broken = "the disk failed"
    with pytest.raises(StoreUnavailable):
        manager.update_prices({"PG": 140.0})
    assert manager.request_trade(ticket(0)).recommended_size == 100.0
    manager.book.journal._gate.decided = gone
    with pytest.raises(StoreUnavailable, match="ask again"):
        manager.request_trade(ticket(0))


def test_what_was_answered_while_the_first_answer_could_not_be_read_gives_way_to_it(open_manager):
    manager = open_manager()
    # too small, so refused: nothing of it is in the state
    asked = OrderTicket("PG", "buy", 5.0, "", "bot0", request_id="small")
    first = manager.request_trade(asked)
    manager = open_manager()
    journal = manager.book.journal
    read, journal.decided = journal.decided, lambda _name: None
    journal._broken = "the disk failed"
    other = manager.request_trade(replace(asked, size=6.0))
    assert (other.requested_size, other.durable) == (6.0, False)
    journal.decided = read
    assert manager.mend_store()
    again = manager.request_trade(asked)
    assert (again.requested_size, again.state_version, again.durable) == (5.0, first.state_version, True)
    with pytest.raises(InvalidRequest, match="REQUEST_ID_REUSED"):
        manager.request_trade(replace(asked, size=6.0))
