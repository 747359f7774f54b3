"""The dead man's switch, and bots that fail again and again; on a clock that only the test moves."""

from __future__ import annotations

import pytest

from risk_management.core.fill_report import FillReport
from risk_management.core.heartbeats import Heartbeats
from risk_management.core.order_desk import OrderTicket
from risk_management.errors import InvalidRequest
from risk_management.integration.monitoring import Feed, Watcher
from risk_management.model.portfolio import Scope, TradingMode


def ask(manager, request_id="r", bot="a", size=100.0, action="buy", symbol="KO"):
    return manager.request_trade(OrderTicket(symbol, action, size, bot_name=bot, request_id=request_id))


def modes(manager, clock, scope, name, silences):
    seen = []
    for seconds in silences:
        clock.advance(seconds)
        manager.check_heartbeats()
        seen.append(manager.state.mode_of(scope, name).value)
    return seen


def test_a_silent_bot_may_only_close_then_nothing_until_a_person_puts_it_back(make_manager):
    manager, clock = make_manager(heartbeat_config={"bots": {"a": 30.0}})
    manager.register_bot("a")
    manager.register_bot("b")
    ask(manager)
    ask(manager, "other", "b")
    assert modes(manager, clock, Scope.BOT, "a", [30.0, 0.5]) == ["active", "reducing"]
    assert {r.key.bot for r in manager.state.reservations.values()} == {"b"}
    manager.heartbeat("bot", "a")
    assert modes(manager, clock, Scope.BOT, "a", [1.0]) == ["active"]
    assert modes(manager, clock, Scope.BOT, "a", [40.0, 49.5]) == ["reducing", "halted"]
    manager.heartbeat("bot", "a")
    assert modes(manager, clock, Scope.BOT, "a", [1.0]) == ["halted"]
    manager.set_mode(TradingMode.ACTIVE, "looked at", scope=Scope.BOT, name="a")
    assert modes(manager, clock, Scope.BOT, "a", [1.0]) == ["active"]
    assert manager.state.mode_of(Scope.BOT, "b") is TradingMode.ACTIVE


def test_a_bot_s_requests_are_heartbeats_and_nobody_is_watched_unasked(make_manager):
    manager, clock = make_manager(heartbeat_config={"bots": {"*": 30.0}})
    manager.register_bot("a")
    for number in range(5):
        clock.advance(25.0)
        ask(manager, str(number), size=100.0 + number)
        assert manager.check_heartbeats() == ()
    manager, clock = make_manager()
    manager.register_bot("a")
    clock.advance(1e5)
    assert manager.check_heartbeats() == ()
    assert manager.state.mode is TradingMode.ACTIVE


@pytest.mark.parametrize(("kind", "name"), [("feed", "yahoo"), ("engine", "monitoring")])
def test_a_silent_feed_or_engine_holds_the_portfolio(make_manager, kind, name):
    manager, clock = make_manager()
    manager.heartbeat(kind, name)
    ask(manager)
    assert modes(manager, clock, Scope.PORTFOLIO, "", [60.0, 0.5]) == ["active", "reducing"]
    assert not manager.state.reservations
    manager.heartbeat(kind, name)
    assert modes(manager, clock, Scope.PORTFOLIO, "", [1.0, 181.0]) == ["active", "halted"]
    manager.heartbeat(kind, name)
    assert manager.check_heartbeats() == ()
    assert manager.state.mode is TradingMode.HALTED
    manager.release_emergency("ann", "it is back")
    assert manager.state.mode is TradingMode.ACTIVE


def test_prices_are_a_feed_s_heartbeat(make_manager):
    manager, clock = make_manager()
    manager.heartbeat("feed", "yahoo")
    for _ in range(4):
        clock.advance(50.0)
        manager.update_prices({"KO": 60.0}, source="yahoo")
        assert manager.check_heartbeats() == ()
    clock.advance(50.0)
    manager.update_prices({"KO": 60.0}, source="another")
    clock.advance(50.0)
    assert "feed yahoo was not heard of for 100 s (allowed 60)" in manager.check_heartbeats()[0]


def test_it_is_told_once_and_resolved(make_manager):
    manager, clock = make_manager()
    manager.heartbeat("feed", "yahoo")
    clock.advance(61.0)
    assert len(manager.check_heartbeats()) == 1
    assert manager.check_heartbeats() == ()
    assert any("yahoo" in alert.message for alert in manager.alert_manager.active)
    manager.heartbeat("feed", "yahoo")
    manager.check_heartbeats()
    assert not any("yahoo" in alert.message for alert in manager.alert_manager.active)


def test_a_name_that_was_never_there_can_be_forgotten_and_stays_so(make_manager):
    manager, clock = make_manager()
    manager.heartbeat("feed", "tpyo")
    assert modes(manager, clock, Scope.PORTFOLIO, "", [61.0, 130.0]) == ["reducing", "halted"]
    assert manager.forget_heartbeat("feed", "tpyo", "mistyped", actor="ann")
    assert manager.state.mode is TradingMode.HALTED
    manager.release_emergency("ann", "mistyped")
    assert modes(manager, clock, Scope.PORTFOLIO, "", [1000.0]) == ["active"]
    assert not manager.forget_heartbeat("feed", "tpyo", "again")


def test_what_waits_for_a_feed_that_is_forgotten_ends_with_it(make_manager):
    manager, clock = make_manager()
    manager.heartbeat("feed", "old")
    assert modes(manager, clock, Scope.PORTFOLIO, "", [61.0]) == ["reducing"]
    manager.forget_heartbeat("feed", "old", "another one is used now")
    assert manager.state.mode is TradingMode.ACTIVE
    assert not any("old" in alert.message for alert in manager.alert_manager.active)
    with pytest.raises(InvalidRequest, match=r"heartbeat_config\.bots"):
        manager.forget_heartbeat("bot", "a", "no")


def test_only_so_many_names_are_watched(make_manager):
    manager, _ = make_manager()
    for number in range(100):
        manager.heartbeat("feed", f"f{number}")
    manager.heartbeat("feed", "f7")
    with pytest.raises(InvalidRequest, match="100 feeds and engines"):
        manager.heartbeat("engine", "one more")
    manager.forget_heartbeat("feed", "f7", "gone")
    manager.heartbeat("engine", "one more")


# -- failures in a row ----------------------------------------------------------------------------------


def trade(manager, number, entry, leave):
    """A round trip of one unit."""
    for action, price in (("buy", entry), ("sell", leave)):
        manager.record_fill("KO", action, 1.0, price, execution_id=f"{number}{action}", bot_name="a")


def test_losses_in_a_row_switch_a_bot_off_until_a_person_puts_it_back(make_manager):
    manager, _ = make_manager(bot_config={"max_losses_in_a_row": 3})
    manager.register_bot("a")
    for number, leave in enumerate((59.0, 59.0, 61.0, 59.0, 59.0)):
        trade(manager, number, 60.0, leave)
        manager.assess_overall_risk()
        assert manager.state.bots["a"].enabled
    trade(manager, 9, 60.0, 59.0)
    manager.assess_overall_risk()
    bot = manager.state.bots["a"]
    assert not bot.enabled
    assert "3 losing trades in a row (limit 3)" in bot.disabled_reason
    assert "BOT_DISABLED" in ask(manager).rejection_reasons
    manager.set_bot_enabled("a", enabled=True)
    for number in (10, 11):
        manager.assess_overall_risk()
        assert manager.state.bots["a"].enabled
        trade(manager, number, 60.0, 59.0)
    manager.assess_overall_risk()
    assert manager.state.bots["a"].enabled
    trade(manager, 12, 60.0, 59.0)
    manager.assess_overall_risk()
    assert not manager.state.bots["a"].enabled


def test_orders_that_come_to_nothing_in_a_row_switch_a_bot_off(make_manager):
    manager, clock = make_manager(bot_config={"max_rejects_in_a_row": 3})
    manager.register_bot("a")

    def report(number, success):
        clock.advance(11.0)
        manager.update_prices({"KO": 60.0})
        assert ask(manager, str(number)).approved
        size = 100.0 if success else 0.0
        manager.execute_trade(FillReport(str(number), size, 60.0, success=success, execution_id=f"e{number}"))
        manager.assess_overall_risk()
        return manager.state.bots["a"].enabled

    assert [report(n, n == 2) for n in range(5)] == [True] * 5  # a fill begins the count anew
    assert report(5, success=False) is False
    manager.set_bot_enabled("a", enabled=True)
    assert report(6, success=False)


def test_an_order_told_again_after_a_failed_write_counts_once(make_manager):
    manager, clock = make_manager(bot_config={"max_rejects_in_a_row": 3})
    manager.register_bot("a")
    failures = manager.desk.failures
    for request_id in ("1", "1", "2", "1", "2"):
        failures.not_filled("a", request_id)
    assert list(failures.events(manager.state, manager.config, clock.now())) == []
    failures.not_filled("a", "3")
    assert [event.bot.name for event in failures.events(manager.state, manager.config, clock.now())] == ["a"]


def test_a_fill_between_two_looks_hides_no_row(make_manager):
    manager, clock = make_manager(bot_config={"max_rejects_in_a_row": 3})
    manager.register_bot("a")
    failures = manager.desk.failures

    def off():
        return [event.bot.name for event in failures.events(manager.state, manager.config, clock.now())]

    for request_id in ("1", "2", "3"):
        failures.not_filled("a", request_id)
    failures.filled("a")
    assert off() == ["a"]
    failures.not_filled("a", "4")
    failures.filled("a")
    assert off() == []


def test_malformed_requests_in_a_row_switch_a_bot_off(make_manager):
    manager, _ = make_manager(bot_config={"max_errors_in_a_row": 3})
    manager.register_bot("a")
    for count, size in enumerate((-1.0, -1.0, 100.0, -1.0, -1.0, -1.0)):
        if size < 0.0:
            with pytest.raises(InvalidRequest):
                ask(manager, str(count), size=size)
        else:
            ask(manager, str(count), size=size)
        manager.assess_overall_risk()
        assert manager.state.bots["a"].enabled is (count < 5)


def test_a_person_ends_no_alert_of_what_still_stands(make_manager):
    manager, clock = make_manager()
    manager.heartbeat("feed", "csv")
    manager.emergency_stop("fraud", actor="ann")
    manager.register_bot("a")
    clock.advance(70.0)
    manager.check_heartbeats()
    alerts = manager.alert_manager
    causes = ("halted by emergency_stop: fraud", "reducing by heartbeat:feed:csv")
    for alert, cause in zip(alerts.active, causes, strict=True):
        with pytest.raises(InvalidRequest, match=cause) as refused:
            alerts.end_raised(alert.alert_id, "bob", "over")
        assert refused.value.code == "ALERT_OF_RULE"
    manager.heartbeat("feed", "csv")
    manager.check_heartbeats()
    manager.release_emergency("ann", "it was none")
    assert alerts.active == ()
    manager.liquidate("everything", "end of it", actor="ann")  # nothing is held: over at once
    other = alerts.raise_alert("system_error", "critical", "a disk is full", key="disk")
    assert alerts.end_raised(other.alert_id, "bob").state == "resolved"


def test_a_hundred_other_names_take_no_place_from_the_product_s_own(make_manager):
    manager, clock = make_manager()
    for number in range(100):
        manager.heartbeat("feed", f"w{number}")
    with pytest.raises(InvalidRequest, match="more than 100"):
        manager.heartbeat("feed", "one more")

    class Source:
        name = "real"

        def latest(self, symbols):
            return {"KO": (61.0, clock.now())}

    watcher = Watcher(manager, lambda: None, 3600.0, Source(), 3600.0)
    manager.heartbeat("engine", "monitoring")
    assert not watcher.is_running
    Feed(manager, Source()).pull()
    assert manager.state.quotes["KO"].price == 61.0
    clock.advance(70.0)
    assert any(text.startswith("feed real ") for text in manager.check_heartbeats())


@pytest.mark.parametrize(("later", "mode"), [("new", "active"), ("", "reducing"), ("old", "active")])
def test_a_feed_that_comes_back_under_another_name_after_a_restart_holds_nothing(make_manager, later, mode):
    manager, clock = make_manager()
    manager.heartbeat("feed", "old")
    clock.advance(70.0)
    manager.check_heartbeats()
    manager.heartbeats = Heartbeats(manager.book, manager.desk, clock)  # what a restart remembers of names
    if later:
        manager.heartbeat("feed", later)
        assert manager.check_heartbeats() == ()
        assert manager.state.mode.value == ("active" if later == "old" else "reducing")
    clock.advance(61.0)
    if later:
        manager.heartbeat("feed", later)
    manager.check_heartbeats()
    assert manager.state.mode.value == mode
