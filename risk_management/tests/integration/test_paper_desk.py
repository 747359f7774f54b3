"""Approvals at the paper account: sent once, booked as they fill, freed when they end."""

from __future__ import annotations

import pytest

from risk_management.brokers.paper import PaperBroker
from risk_management.brokers.paper_options import PaperOptions
from risk_management.core.fill_report import FillReport
from risk_management.core.order_desk import OrderTicket
from risk_management.core.taking_up import hold_until_reconciled
from risk_management.errors import InvalidRequest, OrderRejected
from risk_management.integration.broker_link import BrokerLink, surroundings_of
from risk_management.model.amend import amended
from risk_management.model.broker import ApprovedOrder, MarketStatus, OrderIntent
from risk_management.model.events import BotChanged
from risk_management.model.money import SCALE, from_ledger
from risk_management.model.portfolio import EXTERNAL, Scope, TradingMode


class World:
    def __init__(self, make_manager, **options):
        self.manager, self.clock = make_manager()
        cash = self.manager.config.portfolio_value
        self.broker = PaperBroker(surroundings_of(self.manager), PaperOptions(cash=cash, **options))
        self.link = BrokerLink(self.manager, self.broker)
        self.manager.update_prices({"KO": 60.0})
        self.link.compare()

    def ask(self, name="one", action="buy", size=600.0, bot="a", **words):
        return self.manager.request_trade(OrderTicket("KO", action, size, "", bot, request_id=name, **words))

    def hold(self, bot="a", action="buy"):
        self.ask(f"first{bot}", action, bot=bot)
        self.manager.trade_on_paper(f"first{bot}")

    def round(self, seconds=1.0):
        self.clock.advance(seconds)
        self.link.step()

    @property
    def held(self):
        return {(k.symbol, k.bot): p.quantity / SCALE for k, p in self.manager.state.positions.items()}


@pytest.fixture
def world(make_manager):
    return World(make_manager)


def test_an_approval_is_traded_booked_and_agrees_with_the_account(world):
    assert world.ask().approved
    done = world.manager.trade_on_paper("one")
    assert (done.status, done.executed_quantity) == ("filled", 10.0)
    assert done.executed_price == pytest.approx(60.0 * 1.00025)  # half a spread above the middle
    assert done.fee == pytest.approx(600.15 * 0.0001)
    assert world.held == {("KO", "a"): 10.0}
    assert not world.manager.state.reservations
    for _ in range(3):
        world.round(40.0)
    found = world.link.compare()
    assert found.is_clean
    assert not found.adopted
    assert world.held == {("KO", "a"): 10.0}
    assert world.manager.state.cash == pytest.approx(from_ledger(world.broker.cash()), abs=1e-6)
    assert world.manager.state.mode is TradingMode.ACTIVE


def test_sent_twice_it_trades_once(world):
    world.ask()
    first = world.manager.trade_on_paper("one")
    assert world.manager.trade_on_paper("one") == first
    assert world.broker.positions() == {"KO": 10 * SCALE}
    assert world.held == {("KO", "a"): 10.0}


def test_what_a_bot_sells_again_is_flat_at_both(world):
    world.ask()
    world.manager.trade_on_paper("one")
    world.ask("two", "sell", 700.0, reduce_only=True)
    world.manager.trade_on_paper("two")
    assert not world.held
    assert not world.broker.positions()


def test_a_limit_order_waits_and_is_booked_when_it_fills(world):
    world.ask(price=59.0)
    assert world.manager.trade_on_paper("one").status == "accepted"
    world.round()
    assert not world.held
    assert "one" in world.manager.state.reservations
    world.manager.update_prices({"KO": 58.5})
    world.round()
    (owner,) = world.held
    assert owner == ("KO", "a")
    assert not world.manager.state.reservations


def test_a_cancel_reaches_the_account_and_a_day_that_ends_frees_the_approval(world):
    world.ask(price=58.0)
    world.manager.trade_on_paper("one")
    world.manager.desk.cancel("one", "changed my mind")
    world.round()
    assert not world.broker.open_orders()
    world.ask("two", size=500.0, price=58.0)
    world.manager.trade_on_paper("two")
    world.round(86_400.0)
    assert "two" not in world.manager.state.reservations
    assert world.manager.state.settled["two"].status == "cancelled"


def test_the_rest_of_a_large_order_fills_round_by_round(make_manager):
    world = World(make_manager, partial_rate=1.0)
    world.ask()
    assert world.manager.trade_on_paper("one").status == "partial"
    for _ in range(200):
        world.round()
        if not world.manager.state.reservations:
            break
    assert world.held == {("KO", "a"): 10.0}
    assert not world.manager.alert_manager.active


@pytest.mark.parametrize("how", ["refused", "cancelled", "reported", "late"])
def test_only_what_is_approved_now_is_sent(world, how):
    world.ask(size=9_000.0 if how == "refused" else 600.0, confidence=0.1 if how == "refused" else 1.0)
    if how == "cancelled":
        world.manager.desk.cancel("one")
    elif how == "reported":
        world.manager.execute_trade(FillReport("one", 600.0, 60.0))
    elif how == "late":
        world.clock.advance(world.manager.config.order_config.reservation_life + 1.0)
    with pytest.raises(InvalidRequest) as said:
        world.manager.trade_on_paper("one")
    assert said.value.code == "NO_APPROVAL"
    assert not world.broker.positions()


@pytest.mark.parametrize(
    ("scope", "name", "mode"),
    [
        (Scope.PORTFOLIO, "", TradingMode.REDUCING),
        (Scope.PORTFOLIO, "", TradingMode.HALTED),
        (Scope.BOT, "a", TradingMode.HALTED),
        (Scope.SYMBOL, "KO", TradingMode.REDUCING),
    ],
)
def test_what_was_approved_before_a_mode_opens_nothing_under_it_and_closes(world, scope, name, mode):
    world.ask("held")
    world.manager.trade_on_paper("held")
    world.ask("more", size=500.0)
    world.ask("close", "sell", 700.0, reduce_only=True)
    world.manager.set_mode(mode, "a doubt", scope=scope, name=name, actor="ann")
    with pytest.raises(InvalidRequest) as said:
        world.manager.trade_on_paper("more")
    assert said.value.code == mode.name
    assert world.held == {("KO", "a"): 10.0}
    assert world.manager.trade_on_paper("close").executed_quantity == 10.0
    assert not world.held


def test_what_was_approved_waits_while_the_account_is_not_compared_and_while_its_bot_is_off(world):
    world.ask()
    now = world.clock.now()
    hold_until_reconciled(world.manager.book, now, "the broker is silent")
    with pytest.raises(InvalidRequest) as said:
        world.manager.trade_on_paper("one")
    assert said.value.code == "REDUCING"
    world.link.compare()
    off = amended(world.manager.state.bots["a"], enabled=False)
    world.manager.book.apply(BotChanged(at=now, actor="ann", bot=off))
    with pytest.raises(InvalidRequest) as said:
        world.manager.trade_on_paper("one")
    assert said.value.code == "BOT_DISABLED"
    assert not world.broker.positions()
    world.manager.book.apply(BotChanged(at=now, actor="ann", bot=amended(off, enabled=True)))
    assert world.manager.trade_on_paper("one").status == "filled"  # the approval stood


def test_a_stop_comes_before_an_order_or_after_it_and_never_between(world, monkeypatch):
    world.ask()
    world.ask("two", size=500.0)
    seen = []
    submit, look = world.broker.submit, world.broker.order

    def watched(intent):
        seen.append(world.manager.book.lock.is_mine)  # whoever stops now waits until it is sent
        return submit(intent)

    def stopped(name):
        world.manager.emergency_stop("fraud", actor="ann")
        return look(name)

    monkeypatch.setattr(world.broker, "submit", watched)
    world.manager.trade_on_paper("one")
    assert seen == [True]
    monkeypatch.setattr(world.broker, "order", stopped)
    with pytest.raises(InvalidRequest) as said:
        world.manager.trade_on_paper("two")
    assert said.value.code == "NO_APPROVAL"
    assert seen == [True]


@pytest.mark.parametrize("others", [False, True])
def test_a_close_that_works_ends_when_a_liquidation_closed_its_units(world, others):
    world.hold()
    if others:
        world.hold("b")  # the account holds enough to sell: only the book knows that none of it is a's
    world.ask("close", "sell", 700.0, price=61.0, reduce_only=True)
    assert world.manager.trade_on_paper("close").status == "accepted"
    world.manager.liquidate("bot:a", "bad", actor="ann")
    world.round()
    world.round()
    world.manager.update_prices({"KO": 62.0})
    world.round()
    assert world.held == ({("KO", "b"): 10.0} if others else {})
    assert "close" not in world.manager.state.reservations
    assert world.broker.positions() == ({"KO": 10 * SCALE} if others else {})


def test_a_close_is_cut_to_what_its_owner_still_holds(world):
    world.hold()
    world.ask("close", "sell", 700.0, price=61.0, reduce_only=True)
    world.broker.submit(OrderIntent("byhand", "KO", -1, 6 * SCALE))
    world.manager.record_fill("KO", "sell", 6.0, 60.0, execution_id="byhand", bot_name="a")
    assert world.manager.trade_on_paper("close").quantity == 4.0
    world.round()
    world.manager.update_prices({"KO": 62.0})
    world.round()
    assert not world.held
    assert not world.manager.state.reservations


def test_a_close_is_not_sent_when_nothing_is_left_and_not_beside_an_order_that_closes_it(make_manager):
    world = World(make_manager, latency=5.0)
    world.hold()
    world.round(10.0)
    world.ask("close", "sell", 700.0, reduce_only=True)
    world.manager.liquidate("bot:a", "bad", actor="ann")
    for _ in range(10):
        world.round()
        with pytest.raises(InvalidRequest) as said:
            world.manager.trade_on_paper("close")
        assert said.value.code == "NO_APPROVAL"  # it went when the liquidation took its units
    assert not world.held
    assert not world.broker.positions()


def test_a_close_goes_through_an_account_where_another_bot_holds_the_other_side(world):
    world.hold()
    world.hold("b", "sell")
    assert not world.broker.positions()
    world.ask("close", "sell", 700.0, reduce_only=True)
    assert world.manager.trade_on_paper("close").executed_quantity == 10.0
    assert world.held == {("KO", "b"): -10.0}


def test_of_an_order_through_zero_only_what_closes_is_sent_in_a_mode_that_opens_nothing(world):
    world.hold()
    assert world.ask("turn", "sell", 900.0).opening_size > 0.0
    world.manager.set_mode(TradingMode.REDUCING, "a doubt", scope=Scope.PORTFOLIO, name="", actor="ann")
    assert world.manager.trade_on_paper("turn").executed_quantity == 10.0
    assert not world.held
    assert not world.manager.state.reservations


@pytest.mark.parametrize("closes", [False, True])
def test_a_fill_of_a_cancelled_approval_is_its_bots_also_beside_a_liquidation_that_goes_on(world, closes):
    """A liquidation compares in each of its looks: what was not booked before went to EXTERNAL."""
    world.manager.update_prices({"SPY": 100.0})
    world.manager.request_trade(OrderTicket("SPY", "buy", 600.0, "", "b", request_id="b1"))
    world.manager.trade_on_paper("b1")
    world.broker.set_market("SPY", MarketStatus.HALTED)
    world.manager.liquidate("bot:b", "bad", actor="ann")
    if closes:
        world.hold()
    world.ask("one", "sell" if closes else "buy", price=61.0 if closes else 59.0, reduce_only=closes)
    world.manager.trade_on_paper("one")
    world.round()
    assert any(one.is_open for one in world.manager.state.liquidations.values())
    world.manager.update_prices({"KO": 62.0 if closes else 58.0})
    world.manager.desk.cancel("one", "too late")
    world.round()
    assert world.held == {("SPY", "b"): 6.0} | ({} if closes else {("KO", "a"): 10.0})
    assert not [hold for hold in world.manager.state.holds.values() if hold.cause == "reconciliation"]


def test_a_cancel_reaches_the_account_before_it_fills_anything_more(world):
    world.ask(price=59.0)
    world.manager.trade_on_paper("one")
    world.manager.desk.cancel("one", "changed my mind")
    world.round()
    world.manager.update_prices({"KO": 58.0})
    world.round()
    assert not world.held


def test_an_order_ends_with_the_time_of_its_approval_before_the_same_close_is_sent_again(world):
    world.hold()
    world.ask("close", "sell", 700.0, price=61.0, reduce_only=True)
    world.manager.trade_on_paper("close")
    world.clock.advance(world.manager.config.order_config.reservation_life + 1.0)
    world.manager.update_prices({"KO": 60.0})
    world.manager.desk.expire()
    assert world.ask("again", "sell", 690.0, price=61.5, reduce_only=True).closing_size > 0.0
    assert world.manager.trade_on_paper("again").status == "accepted"
    assert [order.client_order_id for order in world.broker.open_orders()] == ["again"]
    assert world.manager.trade_on_paper("close").status == "cancelled"
    assert world.manager.state.settled["close"].status == "cancelled"
    world.manager.update_prices({"KO": 62.0})
    world.round()
    assert not world.held
    assert not world.broker.positions()


def test_a_close_that_filled_late_leaves_nothing_for_the_one_approved_after_it(world):
    world.hold()
    world.ask("close", "sell", 700.0, price=61.0, reduce_only=True)
    world.manager.trade_on_paper("close")
    world.clock.advance(world.manager.config.order_config.reservation_life + 1.0)
    world.manager.desk.expire()
    world.manager.update_prices({"KO": 60.0})
    assert world.ask("again", "sell", 690.0, reduce_only=True).approved
    world.manager.update_prices({"KO": 61.5})
    with pytest.raises(InvalidRequest) as said:
        world.manager.trade_on_paper("again")
    assert said.value.code == "NOTHING_TO_CLOSE"
    assert not world.held
    assert not world.broker.positions()


def test_a_fill_that_can_not_be_booked_keeps_nothing_else_from_going_on(world):
    world.ask(price=59.0)
    world.manager.trade_on_paper("one")
    world.manager.update_prices({"KO": 58.0})
    assert world.broker.positions()  # filled, and not looked at before the price is another one
    for _ in range(3):
        world.clock.advance(1.0)
        world.manager.update_prices({"KO": 200.0})
    world.link.step()
    assert [report.request_id for report in world.manager.desk.unknown_reports] == ["one"]
    assert world.held == {("KO", EXTERNAL): 10.0}  # the comparison of the same step went on


def test_an_order_that_the_account_refuses_leaves_the_approval(world):
    decision = world.manager.request_trade(OrderTicket("AAPL", "buy", 600.0, "", "a", request_id="one"))
    assert decision.approved  # by the series of its history: nobody told a price
    with pytest.raises(OrderRejected) as said:
        world.manager.trade_on_paper("one")
    assert said.value.code == "NOT_TRADED"
    world.manager.update_prices({"AAPL": 150.0})
    done = world.manager.trade_on_paper("one")
    assert done.executed_quantity == pytest.approx(600.0 / 150.0, rel=1e-3)
    assert (("AAPL", "a") in world.held, ("AAPL", EXTERNAL) in world.held) == (True, False)


def test_without_a_paper_account_it_is_said(make_manager):
    manager, _ = make_manager()
    with pytest.raises(InvalidRequest) as said:
        manager.trade_on_paper("one")
    assert said.value.code == "NO_PAPER_ACCOUNT"


def test_what_filled_while_the_process_was_gone_is_booked_by_the_next_one(world):
    """A kill between the account and the book: the order's id is the request's, and the account tells."""
    world.ask()
    world.broker.submit(ApprovedOrder("one", "KO", 1, 10 * SCALE, reduce_only=False))
    assert not world.held
    BrokerLink(world.manager, world.broker).step()
    assert world.held == {("KO", "a"): 10.0}
    assert not world.manager.state.reservations
    assert not world.manager.alert_manager.active


def test_an_order_of_an_earlier_book_is_not_taken_for_this_one(world):
    world.broker.submit(ApprovedOrder("one", "KO", 1, 10 * SCALE, reduce_only=False))
    world.link.compare()  # the account's own: it belongs to nobody here
    world.clock.advance(60.0)
    world.manager.update_prices({"KO": 60.0})
    assert world.ask().approved
    with pytest.raises(InvalidRequest) as said:
        world.manager.trade_on_paper("one")
    assert said.value.code == "REQUEST_ID_REUSED"
    world.link.step()
    assert "one" in world.manager.state.reservations
    assert world.held == {("KO", EXTERNAL): 10.0}
