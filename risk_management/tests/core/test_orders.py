"""Approval, reservation and fills: what practitioners expect of each, case by case."""

from __future__ import annotations

import threading
import unicodedata
from datetime import timedelta

import pytest

from risk_management.core.entry import checked_name, entry_event
from risk_management.core.fill_report import FillReport
from risk_management.core.order_desk import OrderTicket
from risk_management.errors import InvalidRequest, UnknownRequest
from risk_management.model.events import (
    CashKind,
    CashMoved,
    HoldSet,
    InstrumentDefined,
    QuotesReceived,
    SplitApplied,
)
from risk_management.model.instrument import ContractKind, Instrument
from risk_management.model.money import SCALE
from risk_management.model.portfolio import Hold, Quote, ReservationStatus, Scope, TradingMode


def hold(desk, symbol, money, *, price=100.0, bot="operator", strategy="", risk=None):
    event = entry_event(desk.state, symbol, money, price, strategy, risk, desk.clock.now(), bot=bot)
    desk.book.apply(event)


def quote(desk, symbol, price, age=0.0):
    at = desk.clock.now() - timedelta(seconds=age)
    desk.book.apply(
        QuotesReceived(at=desk.clock.now(), actor="test", quotes=((symbol, Quote(price, at, "test")),))
    )


def set_mode(desk, mode, scope=Scope.PORTFOLIO, name=""):
    value = Hold(scope, name, "test", mode, "tester", "because", desk.clock.now())
    desk.book.apply(HoldSet(at=desk.clock.now(), actor="tester", hold=value))


def ask(desk, symbol, action, size, strategy="", bot=None, **more):
    return desk.desk.ask(OrderTicket(symbol, action, size, strategy, bot, **more))


def request(desk, symbol, action, size, bot="a", **more):
    return desk.desk.request(OrderTicket(symbol, action, size, "", bot, **more))


def test_the_examples_of_the_policy(desk):
    hold(desk, "SPY", 1000.0, price=450.0, strategy="momentum", risk=500.0)
    assert desk.state.cash == 9000.0
    assert desk.state.equity == 10_000.0
    decision = ask(desk, "QQQ", "buy", 800.0, "mean_reversion")
    assert (decision.outcome, decision.recommended_size) == ("approved", 800.0)
    assert decision.rejection_reasons == ()


def test_an_empty_book_takes_twelve_per_cent_of_a_stock_at_full_confidence(desk):
    decision = request(desk, "AAPL", "buy", 1200.0, "RSI2-MeanReversion", confidence=0.85)
    assert (decision.outcome, decision.recommended_size) == ("approved", 1200.0)


def test_a_sale_beyond_the_position_is_a_close_and_an_opening(desk):
    hold(desk, "KO", 1000.0, bot="a")
    decision = request(desk, "KO", "sell", 2000.0)
    assert decision.closing_size == pytest.approx(1000.0)
    assert decision.opening_size == pytest.approx(1000.0)


def test_in_reducing_only_the_closing_part_passes(desk):
    hold(desk, "KO", 1000.0, bot="a")
    set_mode(desk, TradingMode.REDUCING)
    decision = request(desk, "KO", "sell", 2000.0)
    assert decision.recommended_size == pytest.approx(1000.0)
    assert decision.rejection_reasons == ("REDUCING",)
    assert not request(desk, "PG", "buy", 100.0).approved


@pytest.mark.parametrize(
    ("scope", "name"),
    [(Scope.PORTFOLIO, ""), (Scope.BOT, "a"), (Scope.SYMBOL, "KO"), (Scope.STRATEGY, "s")],
)
def test_halted_refuses_a_bots_close_and_lets_the_operator_close(desk, scope, name):
    hold(desk, "KO", 1000.0, bot="a", strategy="s")
    set_mode(desk, TradingMode.HALTED, scope, name)
    refused = desk.desk.request(OrderTicket("KO", "sell", 1000.0, "s", "a"))
    assert not refused.approved
    assert refused.rejection_reasons == ("HALTED",)
    assert ask(desk, "KO", "sell", 1000.0).recommended_size == pytest.approx(1000.0)


def test_two_bots_and_an_operator_cannot_oversell_one_position(desk):
    hold(desk, "KO", 1000.0, bot="a")
    first = desk.desk.request(OrderTicket("KO", "sell", 700.0))
    assert first.closing_size == pytest.approx(700.0)
    second = request(desk, "KO", "sell", 700.0)
    assert second.closing_size == pytest.approx(300.0)


def test_a_bot_closes_its_own_position_only(desk):
    hold(desk, "KO", 1000.0, bot="a")
    decision = request(desk, "KO", "sell", 500.0, "b")
    assert decision.closing_size == 0.0


def test_working_orders_count_on_their_side_at_their_worst(desk):
    """Long 5, buys 4 and sells 3 working: a buy of 7 makes +16, a sale of 7 makes -5."""
    scale = 100.0
    hold(desk, "SPY", 5 * scale, bot="holder")
    request(desk, "SPY", "buy", 4 * scale, "b")
    request(desk, "SPY", "sell", 3 * scale, "c")
    buy = ask(desk, "SPY", "buy", 7 * scale, bot="d")
    sell = ask(desk, "SPY", "sell", 7 * scale, bot="d")
    measured = {
        d.action: next(f for f in d.findings if f.check == "single_name").measured for d in (buy, sell)
    }
    assert measured["buy"] * 10_000 == pytest.approx(16 * scale)
    assert measured["sell"] * 10_000 == pytest.approx(5 * scale)


def test_the_cut_names_the_binding_limit_and_the_room_of_the_others(desk):
    decision = request(desk, "AAPL", "buy", 5000.0, bot=None)
    assert decision.outcome == "cut"
    assert decision.binding is not None
    assert decision.rejection_reasons[0] == decision.binding.code
    assert "SINGLE_NAME_LIMIT" in decision.rejection_reasons
    assert decision.room["gross"] > 0
    assert decision.binding.code in decision.explain()


def test_exactly_at_a_limit_passes_and_a_cent_above_is_cut(make_desk):
    desk = make_desk(portfolio_limits={"max_risk_per_trade": 1.0})
    assert ask(desk, "KO", "buy", 1500.0).outcome == "approved"
    above = ask(desk, "KO", "buy", 1500.01)
    assert above.outcome == "cut"
    assert above.recommended_size == pytest.approx(1500.0)


def test_below_the_smallest_trade_it_is_refused_and_said(desk):
    hold(desk, "KO", 1490.0)
    decision = ask(desk, "KO", "buy", 500.0)
    assert not decision.approved
    assert "MIN_TRADE_SIZE" in decision.rejection_reasons


def test_whole_lots_round_toward_zero(desk):
    whole = Instrument("KO", "equity", "Consumer Staples", lot=1.0)
    desk.book.apply(InstrumentDefined(at=desk.clock.now(), actor="t", instrument=whole))
    quote(desk, "KO", 63.0)
    decision = ask(desk, "KO", "buy", 500.0)
    assert decision.recommended_size == pytest.approx(7 * 63.0)
    assert decision.quantity == pytest.approx(7.0)


def test_a_bot_opens_for_its_own_strategy_alone_and_closes_whatever_it_holds(desk):
    """By another's name it could spend what that strategy may use."""

    def asked(action, size, strategy, symbol="KO", bot="a"):
        answer = desk.desk.request(OrderTicket(symbol, action, size, strategy, bot))
        return answer.strategy, answer.rejection_reasons

    assert asked("buy", 100.0, "") == ("", ())
    assert asked("buy", 101.0, "momentum") == ("momentum", ())  # the first that it names is its own
    assert desk.state.bots["a"].strategy == "momentum"
    assert asked("buy", 102.0, "value") == ("value", ("OTHER_STRATEGY",))
    assert asked("buy", 103.0, "") == ("momentum", ())
    assert "a belongs to momentum" in ask(desk, "KO", "buy", 104.0, "value", "a").explain()
    assert asked("buy", 105.0, "value", bot=None)[1] == ()
    hold(desk, "SPY", 500.0, bot="a", strategy="value")
    assert asked("sell", 500.0, "value", "SPY")[1] == ()
    assert asked("sell", 100.0, "value", "SPY")[1] == ("OTHER_STRATEGY",)


def test_a_refused_request_binds_a_bot_to_no_strategy(desk):
    new = desk.desk.request(OrderTicket("KO", "sell", 100.0, "typo", "new", reduce_only=True))
    assert (new.approved, desk.state.bots["new"].strategy) == (False, "")
    assert desk.desk.request(OrderTicket("KO", "buy", 100.0, "momentum", "new")).approved
    assert desk.state.bots["new"].strategy == "momentum"


def test_the_same_id_gives_the_same_answer_once(desk):
    first = request(desk, "KO", "buy", 500.0, request_id="one")
    again = request(desk, "KO", "buy", 500.0, request_id="one")
    assert again is first
    assert len(desk.state.reservations) == 1
    with pytest.raises(InvalidRequest, match="REQUEST_ID_REUSED"):
        request(desk, "KO", "buy", 501.0, request_id="one")


def test_the_same_intent_under_a_new_id_is_a_duplicate(desk):
    assert request(desk, "KO", "buy", 500.0, request_id="one").approved
    again = request(desk, "KO", "buy", 500.0, request_id="two")
    assert again.rejection_reasons == ("DUPLICATE_INTENT",)
    desk.clock.advance(11.0)
    assert "DUPLICATE_INTENT" not in request(desk, "KO", "buy", 500.0, request_id="three").rejection_reasons


def test_refused_requests_count_for_the_rate_and_closes_are_never_throttled(make_desk):
    desk = make_desk(order_config={"max_orders_per_minute": 3})
    hold(desk, "KO", 1000.0, bot="a")
    for number in range(3):
        assert not request(desk, "NEVERSEEN", "buy", 100.0 + number).approved
    assert "RATE_LIMIT" in request(desk, "PG", "buy", 100.0).rejection_reasons
    assert request(desk, "KO", "sell", 100.0).approved
    desk.clock.advance(61.0)
    assert request(desk, "PG", "buy", 101.0).approved


def test_a_close_that_rounding_cut_is_no_request_to_open(make_desk):
    """Units are whole parts of 1e-8, and lots: what they leave of the money asked counts as nothing."""
    desk = make_desk(order_config={"max_orders_per_minute": 3, "min_trade_size": 10.0})
    hold(desk, "KO", 1000.0, bot="a")
    quote(desk, "KO", 71.3)
    closes = [request(desk, "KO", "sell", 33.3) for _ in range(6)]
    assert round(33.3 / 71.3, 8) * 71.3 < 33.3
    assert [(close.closing_size, close.opening_size) for close in closes] == [(33.3, 0.0)] * 6
    assert desk.state.requests == {}
    assert desk.state.intents == {}
    assert request(desk, "PG", "buy", 100.0).approved
    assert request(desk, "KO", "sell", 5000.0).approved  # closes, and opens a short
    assert len(desk.state.requests["a"]) == 2


def test_a_close_of_less_than_a_unit_can_be_is_none(desk):
    hold(desk, "KO", 1000.0, bot="a")
    quote(desk, "KO", 100.0)
    asked = request(desk, "KO", "sell", 4e-7)  # units have eight decimals
    assert not asked.approved
    assert asked.closing_size == 0.0


def test_a_limit_price_is_held_against_our_own_price(desk):
    quote(desk, "KO", 63.0)
    assert ask(desk, "KO", "buy", 500.0, price=1.0).rejection_reasons == ("PRICE_COLLAR",)
    assert ask(desk, "KO", "buy", 500.0, price=64.0).approved


@pytest.mark.parametrize(("age", "opens"), [(59.0, True), (61.0, False)])
def test_a_stale_price_opens_nothing_and_closes(desk, age, opens):
    hold(desk, "KO", 1000.0, bot="a")
    quote(desk, "KO", 100.0, age=age)
    assert request(desk, "KO", "buy", 200.0).approved is opens
    assert request(desk, "KO", "sell", 1000.0).approved


def test_a_hedge_passes_while_var_is_over_its_limit(desk):
    hold(desk, "AMD", 12_000.0)
    over = ask(desk, "QQQ", "buy", 1000.0)
    assert "VAR_LIMIT" in over.rejection_reasons
    hedge = ask(desk, "SPY", "sell", 500.0)
    assert "VAR_LIMIT" not in hedge.rejection_reasons
    assert "ES_LIMIT" not in hedge.rejection_reasons


def test_confidence_never_raises_and_scales_down_in_a_line(desk):
    sizes = {c: ask(desk, "KO", "buy", 400.0, confidence=c).recommended_size for c in (1.0, 0.7, 0.55, 0.4)}
    assert sizes == {1.0: 400.0, 0.7: 400.0, 0.55: pytest.approx(300.0), 0.4: pytest.approx(200.0)}
    assert ask(desk, "KO", "buy", 400.0, confidence=0.39).rejection_reasons[0] == "LOW_CONFIDENCE"


def test_a_low_confidence_says_what_it_does_and_which_setting_says_so(desk):
    """What leaves nothing is the one reason; a name that is over its limit by itself is one all the same."""
    refused = ask(desk, "KO", "buy", 400.0, confidence=0.2)
    assert refused.rejection_reasons == ("LOW_CONFIDENCE",)
    said = "a confidence of 20.00% is below the 40.00% of bot_config.min_confidence, so nothing opens"
    assert said in refused.explain()
    limits = {f.code: f.limit for f in refused.findings}
    assert (limits["SINGLE_NAME_LIMIT"], limits["RISK_PER_TRADE"]) == (0.15, 0.01)
    assert ask(desk, "KO", "buy", 400.0, confidence=0.2, bot="b").rejection_reasons == ("LOW_CONFIDENCE",)
    cut = ask(desk, "KO", "buy", 400.0, confidence=0.5)
    assert cut.recommended_size == pytest.approx(400.0 * 2 / 3, abs=0.01)
    assert (
        "a confidence of 50.00% is below the 70.00% of bot_config.full_confidence, "
        "so new positions stand at 66.67% of their size"
    ) in cut.explain()
    over = ask(desk, "KO", "buy", 4000.0, confidence=0.2)
    assert over.rejection_reasons[:2] == ("LOW_CONFIDENCE", "SINGLE_NAME_LIMIT")


def test_shadow_mode_records_and_blocks_nothing(make_desk):
    desk = make_desk(shadow_mode=True)
    decision = request(desk, "AAPL", "buy", 9000.0)
    assert decision.approved
    assert decision.shadow
    assert decision.recommended_size == 9000.0
    assert decision.shadow_size < 1500.01
    assert "SINGLE_NAME_LIMIT" in decision.rejection_reasons


# -- fills ---------------------------------------------------------------------------------------------


def test_partial_fills_shrink_the_reservation_and_are_booked_once(desk):
    decision = request(desk, "KO", "buy", 600.0)
    first = desk.desk.execute(FillReport(decision.request_id, 200.0, 50.0, execution_id="x1"))
    assert first.remaining == pytest.approx(400.0)
    again = desk.desk.execute(FillReport(decision.request_id, 200.0, 50.0, execution_id="x1"))
    assert again.duplicate
    assert again.booked == 0.0
    with pytest.raises(InvalidRequest, match="EXECUTION_CONFLICT"):
        desk.desk.execute(FillReport(decision.request_id, 250.0, 50.0, execution_id="x1"))
    desk.desk.execute(FillReport(decision.request_id, 400.0, 50.0, execution_id="x2"))
    assert not desk.state.reservations
    (position,) = desk.state.positions.values()
    assert position.quantity == 12 * SCALE


def test_without_ids_an_equal_report_is_a_new_slice_while_anything_is_left(desk):
    decision = request(desk, "KO", "buy", 600.0)
    for _ in range(3):
        assert not desk.desk.execute(FillReport(decision.request_id, 200.0, 50.0)).duplicate
    assert desk.desk.execute(FillReport(decision.request_id, 200.0, 50.0)).duplicate
    (position,) = desk.state.positions.values()
    assert position.quantity == 12 * SCALE


def test_a_failure_with_a_filled_part_books_the_part_and_frees_the_rest(desk):
    decision = request(desk, "KO", "buy", 600.0)
    desk.desk.execute(FillReport(decision.request_id, 150.0, 50.0, success=False))
    assert not desk.state.reservations
    assert desk.state.totals.cash_claim == 0
    assert desk.state.totals.gross == 150 * SCALE


def test_a_failure_without_a_fill_needs_no_price(desk):
    decision = request(desk, "KO", "buy", 600.0)
    desk.desk.execute(FillReport(decision.request_id, 0.0, 0.0, success=False))
    assert not desk.state.reservations
    assert desk.state.settled[decision.request_id].status is ReservationStatus.NOT_SENT


def test_an_overfill_is_a_fact_and_flagged(desk):
    decision = request(desk, "KO", "buy", 600.0)
    execution = desk.desk.execute(FillReport(decision.request_id, 700.0, 50.0))
    assert execution.flags == ("OVERFILL",)
    assert desk.state.totals.gross == 700 * SCALE
    assert desk.alarms[0][0] == "OVERFILL"
    assert "filled are 700.00 in all, approved were 600.00" in desk.alarms[0][1]


def test_ordinary_slippage_is_no_overfill(desk):
    decision = request(desk, "KO", "buy", 600.0)
    assert desk.desk.execute(FillReport(decision.request_id, 603.0, 50.0)).flags == ()


def test_a_fill_after_the_expiry_is_booked_and_the_reservation_counted_until_then(desk):
    decision = request(desk, "KO", "buy", 600.0)
    desk.clock.advance(301.0)
    assert desk.desk.expire() == 1
    reservation = desk.state.reservations[decision.request_id]
    assert reservation.status is ReservationStatus.EXPIRED_UNCONFIRMED
    assert desk.state.totals.cash_claim == 600 * SCALE
    execution = desk.desk.execute(FillReport(decision.request_id, 600.0, 50.0))
    assert execution.flags == ("LATE_FILL",)
    assert desk.state.totals.gross == 600 * SCALE


def test_a_fill_after_a_cancel_is_booked(desk):
    decision = request(desk, "KO", "buy", 600.0)
    desk.desk.cancel(decision.request_id)
    desk.desk.cancel(decision.request_id)
    assert desk.desk.execute(FillReport(decision.request_id, 600.0, 50.0)).flags[0] == "LATE_FILL"
    assert desk.state.totals.gross == 600 * SCALE


def test_an_unknown_request_is_recorded_told_and_raised(desk):
    with pytest.raises(UnknownRequest):
        desk.desk.execute(FillReport("nobody-1", 100.0, 50.0))
    assert desk.alarms[0][0] == "UNKNOWN_REQUEST"
    assert desk.desk.unknown_reports[0].request_id == "nobody-1"
    assert not desk.state.positions


def test_reports_that_are_not_booked_write_each_fact_once_and_only_so_many(desk):
    def reported(name, actor="rsi2", **more):
        with pytest.raises(InvalidRequest) as problem:
            desk.desk.execute(FillReport(name, 100.0, 50.0, actor=actor, **more))
        return problem.value.code

    for _ in range(3):
        assert reported("nobody", execution_id="e1") == "UNKNOWN_REQUEST"
    assert desk.state.version == len(desk.alarms) == 1
    assert {reported(f"n{number}") for number in range(99)} == {"UNKNOWN_REQUEST"}
    before = desk.state.version
    assert reported("true-1") == "TOO_MANY_REPORTS"
    assert desk.state.version == before
    assert reported("true-2", actor="another") == "UNKNOWN_REQUEST"
    decision = request(desk, "KO", "buy", 100.0)
    assert desk.desk.execute(FillReport(decision.request_id, 100.0, 50.0, actor="rsi2")).booked == 100.0
    desk.clock.advance(60.0)
    assert reported("true-1") == "UNKNOWN_REQUEST"
    assert desk.desk.unknown_reports[-1].request_id == "true-1"


def test_a_full_close_is_flat_although_the_price_moved(desk):
    hold(desk, "KO", 1000.0, bot="a")
    decision = request(desk, "KO", "sell", 1000.0)
    desk.desk.execute(FillReport(decision.request_id, decision.recommended_size, 107.0))
    assert not desk.state.positions
    assert desk.state.equity == pytest.approx(10_070.0)


def test_profit_and_fees_of_a_round_trip(desk):
    """Bought 10 at 50 with a fee of 1, sold at 55 with a fee of 1: 48 earned."""
    buy = request(desk, "KO", "buy", 500.0)
    desk.desk.execute(FillReport(buy.request_id, 500.0, 50.0, fee=1.0))
    quote(desk, "KO", 55.0)
    sell = request(desk, "KO", "sell", 550.0)
    desk.desk.execute(FillReport(sell.request_id, 550.0, 55.0, fee=1.0))
    assert desk.state.equity == pytest.approx(10_048.0)
    record = desk.state.bots["a"].record
    assert record.closed_trades == record.wins == 1
    assert record.returns[0] == pytest.approx(48.0 / 500.0)
    assert record.realised == 49 * SCALE or record.realised == 48 * SCALE


def test_a_short_earns_when_the_price_falls(desk):
    sell = request(desk, "KO", "sell", 500.0)
    desk.desk.execute(FillReport(sell.request_id, 500.0, 50.0))
    quote(desk, "KO", 45.0)
    assert desk.state.equity == pytest.approx(10_050.0)


def test_a_linear_contract_moves_cash_by_its_profit_only(desk):
    contract = Instrument(
        "ES=F", "future", "Broad index", kind=ContractKind.LINEAR, multiplier=50.0, initial_margin=0.1
    )
    desk.book.apply(InstrumentDefined(at=desk.clock.now(), actor="t", instrument=contract))
    quote(desk, "ES=F", 20.0)
    buy = request(desk, "ES=F", "buy", 1000.0)
    assert buy.approved, buy.explain()
    desk.desk.execute(FillReport(buy.request_id, 1000.0, 20.0))
    assert desk.state.cash == pytest.approx(10_000.0)
    quote(desk, "ES=F", 21.0)
    assert desk.state.equity == pytest.approx(10_050.0)
    sell = request(desk, "ES=F", "sell", 1050.0)
    desk.desk.execute(FillReport(sell.request_id, 1050.0, 21.0))
    assert desk.state.cash == pytest.approx(10_050.0)
    assert not desk.state.positions


def test_a_split_changes_units_and_price_and_nothing_else(desk):
    hold(desk, "KO", 1000.0)
    quote(desk, "KO", 110.0)
    before = desk.state.equity
    desk.book.apply(SplitApplied(at=desk.clock.now(), actor="t", symbol="KO", ratio=2.0))
    assert desk.state.equity == pytest.approx(before)
    (position,) = desk.state.positions.values()
    assert position.quantity == 20 * SCALE


@pytest.mark.parametrize("amount", [5000.0, -2000.0])
def test_deposits_and_withdrawals_leave_the_drawdown(desk, amount):
    desk.book.apply(
        CashMoved(at=desk.clock.now(), actor="t", account_id="main", kind=CashKind.FEE, amount=-1000 * SCALE)
    )
    assert desk.state.drawdown.drawdown == pytest.approx(0.10)
    kind = CashKind.DEPOSIT if amount > 0 else CashKind.WITHDRAWAL
    desk.book.apply(
        CashMoved(at=desk.clock.now(), actor="t", account_id="main", kind=kind, amount=int(amount) * SCALE)
    )
    assert desk.state.drawdown.drawdown == pytest.approx(0.10)
    assert desk.state.equity == pytest.approx(9000.0 + amount)
    assert desk.state.high_water_mark == pytest.approx((9000.0 + amount) / 0.9)


# -- threads -------------------------------------------------------------------------------------------


def test_many_threads_cannot_exceed_a_limit_together(make_desk):
    desk = make_desk(
        order_config={
            "max_orders_per_minute": 1000,
            "max_orders_per_minute_total": 10_000,
            "duplicate_window": 0.0,
        }
    )
    barrier = threading.Barrier(8)
    decisions = []

    def bot(name):
        barrier.wait()
        decisions.extend(request(desk, "KO", "buy", 100.0, name) for _ in range(40))

    threads = [threading.Thread(target=bot, args=(f"bot{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    approved = sum(d.recommended_size for d in decisions)
    assert len(decisions) == 320
    assert approved == pytest.approx(1500.0)  # 15 % of 10,000 in one stock
    assert len({d.request_id for d in decisions}) == 320


# -- bad input -----------------------------------------------------------------------------------------

GOOD = {"symbol": "KO", "action": "buy", "size": 100.0, "strategy": "", "bot_name": "a"}
BAD = [
    ("size", float("nan"), "NOT_FINITE"),
    ("size", float("inf"), "NOT_FINITE"),
    ("size", -float("inf"), "NOT_FINITE"),
    ("size", 0.0, "NOT_POSITIVE"),
    ("size", -0.0, "NOT_POSITIVE"),
    ("size", -1.0, "NOT_POSITIVE"),
    ("size", "100", "WRONG_TYPE"),
    ("size", None, "WRONG_TYPE"),
    ("size", True, "WRONG_TYPE"),
    ("size", 1e13, "OUT_OF_RANGE"),
    ("size", 10**400, "OUT_OF_RANGE"),
    ("symbol", "", "INVALID_SYMBOL"),
    ("symbol", " ", "INVALID_SYMBOL"),
    ("symbol", "A\n", "INVALID_SYMBOL"),
    ("symbol", "A" * 5000, "INVALID_SYMBOL"),
    ("symbol", "../../x", "INVALID_SYMBOL"),
    ("symbol", "<script>", "INVALID_SYMBOL"),
    ("symbol", "\uff21\uff21", "INVALID_SYMBOL"),
    ("symbol", "\u0410APL", "INVALID_SYMBOL"),
    ("symbol", None, "INVALID_SYMBOL"),
    ("action", "hold", "INVALID_ACTION"),
    ("action", "BUY ", "INVALID_ACTION"),
    ("action", None, "INVALID_ACTION"),
    ("action", ["buy"], "INVALID_ACTION"),
    ("confidence", -0.1, "NOT_POSITIVE"),
    ("confidence", 1.1, "OUT_OF_RANGE"),
    ("confidence", float("nan"), "NOT_FINITE"),
    ("price", float("nan"), "NOT_FINITE"),
    ("price", 0.0, "NOT_POSITIVE"),
    ("price", "cheap", "WRONG_TYPE"),
    ("risk_amount", -5.0, "NOT_POSITIVE"),
    ("bot_name", "", "INVALID_NAME"),
    ("bot_name", "a\x00b", "INVALID_NAME"),
    ("bot_name", 5, "INVALID_NAME"),
    ("strategy", 5, "INVALID_NAME"),
    ("request_id", "", "INVALID_REQUEST_ID"),
    ("request_id", "x" * 129, "INVALID_REQUEST_ID"),
    ("account_id", "elsewhere", "UNKNOWN_ACCOUNT"),
]


def test_names_hold_no_character_that_is_not_seen():
    """Oracle: the categories of `unicodedata`, over all code points."""
    for code in range(0x110000):
        seen = unicodedata.category(chr(code)) not in {"Cc", "Cf", "Zl", "Zp", "Cs", "Cn"}
        if seen:
            assert checked_name(f"a{chr(code)}b", "name")
        elif unicodedata.category(chr(code)) != "Cn":  # a later Unicode may give it a meaning
            with pytest.raises(InvalidRequest, match="INVALID_NAME"):
                checked_name(f"a{chr(code)}b", "name")


@pytest.mark.parametrize(("field", "value", "code"), BAD)
def test_malformed_requests_name_the_field_and_change_nothing(desk, field, value, code):
    before = desk.state
    with pytest.raises(InvalidRequest) as caught:
        desk.desk.request(OrderTicket(**{**GOOD, field: value}))
    assert caught.value.code == code
    assert desk.state is before


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("size", float("nan"), "NOT_FINITE"),
        ("size", -1.0, "NOT_POSITIVE"),
        ("size", "x", "WRONG_TYPE"),
        ("price", 0.0, "NOT_POSITIVE"),
        ("price", float("inf"), "NOT_FINITE"),
        ("success", "false", "WRONG_TYPE"),
        ("fee", -1.0, "NOT_POSITIVE"),
        ("quantity", float("nan"), "NOT_FINITE"),
        ("execution_id", "", "INVALID_NAME"),
    ],
)
def test_malformed_reports_change_nothing(desk, field, value, code):
    decision = request(desk, "KO", "buy", 100.0)
    before = desk.state
    good = {"request_id": decision.request_id, "size": 100.0, "price": 50.0}
    with pytest.raises(InvalidRequest) as caught:
        desk.desk.execute(FillReport(**{**good, field: value}))
    assert caught.value.code == code
    assert desk.state is before


def test_what_passed_accuses_nobody(desk):
    decision = request(desk, "AAPL", "buy", 5_000.0)
    assert decision.outcome == "cut"
    cuts = {f.code for f in decision.findings if not decision.passed(f)}
    assert cuts == set(decision.rejection_reasons)
    said = {f.code: decision.says(f) for f in decision.findings}
    assert said["SINGLE_NAME_LIMIT"] == "AAPL would be 50.00% of equity, allowed are 15.00%"
    assert said["BOT_DISABLED"] == "bot: nothing against it"
    assert said["GROSS_LIMIT"] == "gross: 50.00%, limit 100.00%"
    blame = ("disabled", "not on the list", "only closing", "would meet", "can't be", "halted")
    assert not [
        text for f in decision.findings if decision.passed(f) for text in blame if text in decision.says(f)
    ]


def test_dust_beyond_a_close_is_left_out_and_said(desk):
    hold(desk, "SPY", 300.0, price=300.0, bot="a")
    quote(desk, "SPY", 300.0)
    decision = request(desk, "SPY", "sell", 301.0)
    assert (decision.outcome, decision.recommended_size, decision.rejection_reasons) == (
        "approved",
        300.0,
        (),
    )
    assert decision.explain().startswith(
        "Approved: sell SPY 300.00 of the 301.00 asked for; the rest is too small to be traded."
    )


def test_a_close_by_a_bot_that_is_off_is_no_cut_for_dust(make_manager):
    manager, _ = make_manager()
    manager.add_position("SPY", 300.0, 300.0, bot_name="a")
    manager.register_bot("a")
    manager.set_bot_enabled("a", enabled=False, reason="a test")
    decision = manager.request_trade(OrderTicket("SPY", "sell", 300.01, "", "a"))
    assert (decision.outcome, decision.recommended_size) == ("approved", 300.0)
    assert "Cut" not in decision.explain()


@pytest.mark.parametrize(("environment", "approved"), [("paper", True), ("live", False)])
def test_real_money_opens_nothing_on_a_daily_series(make_manager, environment, approved):
    manager, _ = make_manager(environment=environment)
    for limit in (None, 130.0):  # one rule: a market order is no safer than one with a limit
        decision = manager.evaluate_trade("AAPL", "buy", 500.0, price=limit)
        assert decision.approved is approved
        assert ("NO_PRICE" in decision.rejection_reasons) is not approved
    manager.update_prices({"AAPL": 130.0})
    assert manager.evaluate_trade("AAPL", "buy", 500.0).approved
    far = manager.evaluate_trade("AAPL", "buy", 500.0, price=150.0)
    assert far.rejection_reasons[0] == "PRICE_COLLAR"


def test_an_approval_counts_at_what_its_units_cost_by_now(make_manager):
    """Two approvals whose price rose before they filled stand together within the limit, in either order."""
    manager, clock = make_manager(bot_config={"probation_share": 1.0})
    for bot in ("a", "b"):
        manager.register_bot(bot, f"s-{bot}", max_position_size=9_000.0)
    price = 100.0
    manager.update_prices({"KO": price})
    first = manager.request_trade(OrderTicket("KO", "buy", 800.0, "s-a", "a"))
    for _ in range(8):
        price *= 1.04
        clock.advance(3.0)
        manager.update_prices({"KO": price})
    second = manager.request_trade(OrderTicket("KO", "buy", 900.0, "s-b", "b"))
    assert "SINGLE_NAME_LIMIT" in second.rejection_reasons
    for decision in (first, second):
        assert decision.quantity is not None
        report = FillReport(decision.request_id, decision.quantity * price, price, quantity=decision.quantity)
        assert manager.execute_trade(report).flags == ()
    held = manager.state.totals.names["KO"].sides.net / SCALE
    limit = manager.config.portfolio_limits.max_single_position
    assert held <= limit * manager.state.equity + 1e-4
    assert held > 0.95 * limit * manager.state.equity


def test_an_approval_counts_in_full_although_its_price_fell(desk):
    quote(desk, "KO", 100.0)
    assert request(desk, "KO", "buy", 800.0).approved
    quote(desk, "KO", 70.0)
    assert desk.state.totals.names["KO"].sides.buys == 800 * SCALE


def test_nothing_filled_yet_frees_nothing(desk):
    quote(desk, "AAPL", 100.0)
    decision = request(desk, "AAPL", "buy", 500.0)
    told = desk.desk.execute(FillReport(decision.request_id, 0.0, 0.0, final=False))
    assert told.booked == 0.0
    assert desk.state.reservations[decision.request_id].opening == 500 * SCALE
    desk.desk.execute(FillReport(decision.request_id, 0.0, 0.0))
    assert not desk.state.reservations


def test_no_lot_is_rounded_up(make_manager):
    manager, _ = make_manager(portfolio_value=1e9, bot_config={"probation_share": 1.0})
    manager.register_bot("a", "", max_position_size=1e9)
    manager.define_instrument(Instrument("AAPL", "equity", "tech", lot=1.0, multiplier=1000.0))
    manager.update_prices({"AAPL": 100.0})
    assert (
        manager.desk.ask(OrderTicket("AAPL", "buy", 299_999.96, bot_name="a")).recommended_size == 200_000.0
    )
    assert manager.desk.ask(OrderTicket("AAPL", "buy", 300_000.0, bot_name="a")).recommended_size == 300_000.0
