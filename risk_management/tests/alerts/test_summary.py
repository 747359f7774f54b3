"""Summaries: when they are due, what they say, and that each is said once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk_management.alerts.message import Message
from risk_management.alerts.occasions import Occasion, latest_occasions
from risk_management.alerts.outbox import MemoryOutbox
from risk_management.alerts.routing import channels_of_info
from risk_management.alerts.steady import SteadyOutbox
from risk_management.alerts.summary import Before, before_of, summary_message
from risk_management.clock import ManualClock
from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.order_desk import OrderTicket
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.errors import ConfigurationError
from risk_management.integration.reporting import Reporting
from risk_management.model.alert import AlertSeverity
from risk_management.store.sql_journal import SqlJournal
from risk_management.tests.store.world import small_foundation

BERLIN = ZoneInfo("Europe/Berlin")
HOOK = "https://hooks.example.com/x"


def alerts(**settings):
    return RiskManagementConfig().update(alert_config=settings).alert_config


def due(settings, *moment):
    [one] = latest_occasions(settings, datetime(*moment, tzinfo=UTC))
    return one


def test_nothing_is_due_by_itself():
    assert latest_occasions(alerts(), datetime(2026, 3, 28, 12, tzinfo=UTC)) == ()


def test_a_day_begins_at_its_local_time():
    settings = alerts(daily_summary_at="18:00", time_zone="America/New_York")
    assert due(settings, 2026, 7, 1, 21, 59).day == date(2026, 6, 30)
    assert due(settings, 2026, 7, 1, 22, 0) == Occasion(
        "daily", date(2026, 7, 1), datetime(2026, 7, 1, 22, tzinfo=UTC)
    )
    assert due(settings, 2026, 1, 5, 22, 59).day == date(2026, 1, 4)  # winter: 23:00 UTC
    assert due(settings, 2026, 1, 5, 23, 0).day == date(2026, 1, 5)


def test_the_zone_is_that_of_quiet_hours_where_none_is_given():
    quiet = {"start": "22:00", "end": "07:00", "timezone": "Asia/Tokyo"}
    settings = alerts(daily_summary_at="09:00", quiet_hours=quiet)
    assert due(settings, 2026, 7, 1, 0, 0).at == datetime(2026, 7, 1, tzinfo=UTC)
    assert alerts(quiet_hours=quiet, time_zone="UTC").report_zone() == ZoneInfo("UTC")


def test_an_hour_that_is_left_out_or_comes_twice():
    """Berlin 2026: 29 March goes from 02:00 to 03:00, 25 October from 03:00 back to 02:00."""
    settings = alerts(daily_summary_at="02:30", time_zone="Europe/Berlin")
    assert due(settings, 2026, 3, 29, 1, 29).day == date(2026, 3, 28)
    assert due(settings, 2026, 3, 29, 1, 30).day == date(2026, 3, 29)  # 03:30 on the wall
    first = due(settings, 2026, 10, 25, 0, 30)
    assert first.day == date(2026, 10, 25)
    assert due(settings, 2026, 10, 25, 1, 30) == first  # the second 02:30 is the same occasion


@given(
    st.times(),
    st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Havana"]),
    st.integers(0, 365),
)
def test_every_day_has_one_occasion(at, zone, first):
    settings = alerts(daily_summary_at=at.replace(tzinfo=None), time_zone=zone)
    now, seen = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=first), []
    for _ in range(4 * 48):  # four days in half hours
        now += timedelta(minutes=30)
        [one] = latest_occasions(settings, now)
        assert one.at <= now
        if one not in seen:
            seen.append(one)
    days = [one.day for one in seen]
    assert days == [days[0] + timedelta(days=n) for n in range(len(days))]
    assert len(days) in (4, 5, 6)  # the last comes an hour earlier where clocks were put forward


def test_the_week_has_its_day():
    settings = alerts(weekly_report_on="friday", weekly_report_at="17:00")
    assert due(settings, 2026, 11, 27, 16, 59).day == date(2026, 11, 20)
    assert due(settings, 2026, 11, 27, 17, 0).day == date(2026, 11, 27)
    assert due(settings, 2026, 12, 3, 23, 0).day == date(2026, 11, 27)


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"daily_summary_at": "25:00"}, "daily_summary_at"),
        ({"daily_summary_at": "18:00+02:00"}, "without an offset"),
        ({"weekly_report_on": "fryday"}, "weekly_report_on"),
        ({"time_zone": "Europe/Nowhere"}, "no time zone"),
        ({"summary_channels": ("pager",)}, "pager"),
    ],
)
def test_settings_that_mean_nothing(wrong, word):
    with pytest.raises(ConfigurationError, match=word):
        alerts(**wrong)


def test_where_a_summary_goes():
    both = {"webhook_url": HOOK, "slack_webhook_url": HOOK}
    assert channels_of_info(alerts(**both)) == ("slack", "webhook")
    assert channels_of_info(alerts(**both, summary_channels=("slack",))) == ("slack",)
    loud = {"channels": ("slack",), "severities": ("critical", "emergency")}
    narrow = {"channels": ("slack",), "bots": ("a",)}
    rest = {"channels": ("webhook",)}
    assert channels_of_info(alerts(**both, routes=(loud, narrow, rest))) == ("webhook",)
    assert channels_of_info(alerts(**both, routes=(loud, narrow))) == ("slack", "webhook")


# -- what it says -----------------------------------------------------------------------------------

DAY = Occasion("daily", date(2026, 11, 28), datetime(2026, 11, 28, 18, tzinfo=UTC))


@pytest.fixture
def book(make_manager):
    manager, clock = make_manager()
    manager.register_bot("alpha", "trend")
    manager.register_bot("beta", "mean")
    manager.add_position("KO", 600.0, 60.0, bot_name="alpha", strategy="trend")
    return manager, clock


def said(manager, clock, before=None, occasion=DAY):
    return summary_message(manager.state, manager.look(), occasion, before, clock.now())


def test_it_says_how_the_book_stands(book):
    manager, clock = book
    text = said(manager, clock).text
    state, seen = manager.state, manager.look()
    assert f"Equity {state.equity:,.2f} USD." in text
    [[symbol, risk]] = seen.heat.risk_by_symbol.items()
    assert f"Largest open risks {symbol} {risk:,.2f}." in text
    assert "Mode active, new trades allowed." in text
    assert "No decisions." in text
    assert "sample" in text.split("Leans on:")[1].lower()
    assert len(text) < 1500


def test_an_empty_book_uses_nothing(make_manager):
    text = said(*make_manager()).text
    assert "Drawdown 0.00% of 15.00%, heat 0.0 of 100, VaR use 0%." in text
    assert "No open risk." in text


def test_profit_is_counted_from_the_last_one_and_flows_are_none(book):
    manager, clock = book
    first = said(manager, clock)
    price = manager.state.positions[next(iter(manager.state.positions))].entry_price
    before_equity = manager.state.equity
    manager.update_prices({"KO": price})
    manager.record_cash("deposit", 1000.0)
    at_start = manager.state.equity
    manager.update_prices({"KO": 1.05 * price})
    gained = manager.state.equity - at_start
    assert gained == pytest.approx(30.0, rel=1e-6)
    text = said(manager, clock, before_of(first)).text
    whole = manager.state.equity - 1000.0 - before_equity
    line = next(line for line in text.splitlines() if line.startswith("Since the last one"))
    money = float(line.split("UTC) ")[1].split(" ")[0].replace(",", ""))
    assert money == pytest.approx(whole, abs=0.02)
    assert money < 100.0  # the deposit is no profit


def test_decisions_are_those_since_the_last_one(book):
    manager, clock = book
    manager.request_trade(OrderTicket("PG", "buy", 100.0, "trend", "alpha"))
    first = said(manager, clock)
    assert "- alpha: 1, 0, 0" in first.text
    assert "Decisions so far" in first.text
    manager.set_bot_enabled("beta", enabled=False)
    manager.request_trade(OrderTicket("PG", "buy", 100.0, "mean", "beta"))
    again = Message.from_text(first.as_text())  # as it comes back from a store
    text = said(manager, clock, before_of(again)).text
    assert "Decisions since the last one" in text
    assert "- beta: 0, 0, 1" in text
    assert "- alpha" not in text
    assert "Switched off: beta." in text


def test_it_says_what_blocks_and_what_fires(book):
    manager, clock = book
    manager.emergency_stop("a drill", actor="me")
    text = said(manager, clock).text
    assert "Mode halted, new trades stopped." in text
    assert "a drill" in text.split("stopped by")[1]
    assert "Alerts that fire: 1." in text
    assert "- emergency: all trading stopped by me" in text
    manager.release_emergency("me", "over")
    text = said(manager, clock).text
    assert "No alert fires." in text
    assert "Over since: " in text
    later = Before(clock.now() + timedelta(seconds=1), 1.0, {})
    assert "Over since" not in said(manager, clock, later).text


def test_a_week_tells_its_days(book):
    manager, clock = book
    drawdown = replace(manager.state.drawdown, closes=(1.0, 1.1, 0.99))
    state = replace(manager.state, drawdown=drawdown)
    week = Occasion("weekly", DAY.day, DAY.at)
    message = summary_message(state, manager.look(), week, None, clock.now())
    assert message.title == "Weekly report, Sat 28 Nov 2026"
    assert "Past trading days +10.00%, -10.00%." in message.text


def test_facts_of_another_kind_are_not_believed():
    told = Message("k", AlertSeverity.INFO, "t", "x", DAY.at, {"value": "1", "decisions": {}})
    assert before_of(told) is None
    assert before_of(None) is None


# -- once -------------------------------------------------------------------------------------------


def reporting(store, clock, **settings):
    foundation = small_foundation()
    config = foundation.config.update(
        alert_config={"webhook_url": HOOK, "daily_summary_at": "18:00", **settings}
    )
    journal = None if store is None else SqlJournal(store)
    manager = AdvancedRiskManager.on(replace(foundation, config=config, clock=clock), journal=journal)
    return manager, Reporting(manager)


def keys(manager):
    return [due.message.key for due in manager.outbox.due("webhook", float("inf"), 100)]


def test_a_day_is_said_once_also_after_a_restart(tmp_path):
    store, clock = str(tmp_path / "s.db"), ManualClock(datetime(2020, 7, 15, 17, 0, tzinfo=UTC))
    manager, reports = reporting(store, clock)
    assert reports.step() == ()  # the day before is none of its business
    clock.move_to(datetime(2020, 7, 15, 18, 0, 2, tzinfo=UTC))
    [key] = reports.step()
    assert key.startswith("daily-2020-07-15-")
    assert reports.step() == ()
    manager.close()
    clock.advance(60)
    manager, reports = reporting(store, clock)
    assert reports.step() == ()
    assert keys(manager) == [key]
    manager.close()
    clock.move_to(datetime(2020, 7, 17, 0, 0, 1, tzinfo=UTC))  # it was down at the time of the 16th
    manager, reports = reporting(store, clock)
    [late] = reports.step()
    assert late.startswith("daily-2020-07-16-")
    assert keys(manager) == [key, late]
    manager.close()


def test_one_that_fails_is_tried_again(monkeypatch):
    clock = ManualClock(datetime(2020, 7, 15, 17, 0, tzinfo=UTC))
    manager, reports = reporting(None, clock)
    clock.advance(3600)
    with monkeypatch.context() as patch:
        patch.setattr(manager, "look", lambda: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            reports.step()
    assert len(reports.step()) == 1


def test_alerting_that_is_off_says_nothing():
    clock = ManualClock(datetime(2020, 7, 15, 17, 0, tzinfo=UTC))
    _, reports = reporting(None, clock, enabled=False)
    clock.advance(3600)
    assert reports.step() == ()


def test_the_newest_message_is_found_on_disk_and_in_memory(tmp_path):
    manager, _ = reporting(str(tmp_path / "t.db"), ManualClock(DAY.at))
    for outbox in (MemoryOutbox(), manager.outbox, SteadyOutbox(MemoryOutbox())):
        assert outbox.newest("daily-") is None
        for key in ("daily-2026-11-27-a", "daily-2026-11-28-a", "daily_x", "weekly-2026-12-01-a"):
            outbox.put(Message(key, AlertSeverity.INFO, "t", "x", DAY.at), ["webhook"])
        outbox.sent("daily-2026-11-28-a", "webhook", 0.0)
        newest = outbox.newest("daily-")
        assert newest is not None
        assert newest.key == "daily-2026-11-28-a"
    manager.close()


def test_times_are_settings(tmp_path):
    file = tmp_path / "risk.toml"
    file.write_text('[alert_config]\ndaily_summary_at = "18:00"\nweekly_report_on = "sunday"\n')
    from risk_management.config.risk_config import load_risk_config  # noqa: PLC0415

    loaded = load_risk_config(file).alert_config
    assert (loaded.daily_summary_at, loaded.weekly_report_on) == (time(18, 0), "sunday")
