"""Commands from a chat: who may, what is confirmed, that nothing is done twice, and what outages do."""

from __future__ import annotations

import logging
from threading import Thread

import pytest

from risk_management.alerts.secrets import guard_logs
from risk_management.alerts.telegram_api import TelegramApi
from risk_management.clock import SystemClock
from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.order_desk import OrderTicket
from risk_management.errors import ConfigurationError, StoreUnavailable
from risk_management.integration.alerting import Alerting
from risk_management.integration.dashboard_integration import RiskDashboardAPI
from risk_management.integration.telegram.bot import TelegramBot
from risk_management.integration.trading_integration import TradingSystemIntegration
from risk_management.model.portfolio import Scope, TradingMode
from risk_management.service.numbers import exposition
from risk_management.store.sql_journal import SqlJournal
from risk_management.tests.integration.telegram.world import ALICE, BOB, CHAT, TOKEN, bot_server
from risk_management.tests.integration.test_alerting import started, until


@pytest.fixture
def server():
    with bot_server() as found:
        yield found


@pytest.fixture
def world(make_manager):
    manager, clock = make_manager()
    manager.register_bot("alpha", "trend")
    manager.add_position("KO", 600.0, 60.0, bot_name="alpha", strategy="trend")
    return manager, clock


def api_of(server):
    return TelegramApi(server.service.url, TOKEN, SystemClock(), ("127.0.0.1",), wait=0)


def listening(manager, server, users=()):
    bot = TelegramBot(manager, api_of(server), CHAT, frozenset(users))
    bot.step()
    return bot


@pytest.fixture
def bot(world, server):
    return listening(world[0], server)


def answered(bot, server):
    before = len(server.said)
    bot.step()
    return server.texts[before:]


def asked(bot, server, text, who=ALICE):
    """Give a command; returns the data of its buttons."""
    server.write(text, who)
    bot.step()
    return server.buttons()


# -- looks ------------------------------------------------------------------------------------------


def test_looks_are_short_plain_texts(world, bot, server):
    manager, _ = world
    manager.request_trade(OrderTicket("PG", "buy", 100.0, "", "alpha", request_id="r-1"))
    for word in ("status", "limits", "positions", "bots", "help", "why r-1"):
        server.write(f"/{word}")
    status, limits, positions, bots, told, why = answered(bot, server)
    assert "new trades allowed" in status
    assert f"Equity {manager.state.equity:,.2f} USD" in status
    assert "sample" in status
    top = max(manager.look().limits, key=lambda use: use.strain)
    assert limits.splitlines()[0] == f"{top.use:.0%} {top.explain()}"
    [held] = manager.state.positions.values()
    assert positions.startswith(f"{held.symbol} ")
    assert "Approved and open: 1" in positions
    assert "alpha: active, realised +0.00; 1 approved, 0 cut, 0 refused" in bots
    assert "/resume REASON" in told
    assert why == manager.desk.decision("r-1").explain()
    assert all("parse_mode" not in one and len(one["text"]) < 1500 for one in server.said)
    assert {one["chat_id"] for one in server.said} == {CHAT}


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("/why", "/why ID"),
        ("/why nobody", "No request has the id 'nobody'"),
        ("/pause", "Known: alpha"),
        ("/pause gamma", "Known: alpha"),
        ("/resume", "/resume REASON"),
        ("/sell everything", "There is no /sell"),
        ("/STATUS@Risk_Bot", "new trades allowed"),
    ],
)
def test_what_means_nothing_is_told(world, bot, server, text, word):
    version = world[0].state.version
    server.write(text)
    [said] = answered(bot, server)
    assert word in said
    assert world[0].state.version == version


@pytest.mark.parametrize("text", ["halt now", "hello", "", "/", "/halt@other_bot now", "x /halt now"])
def test_what_is_no_command_is_not_answered(world, bot, server, text):
    server.write(text)
    assert answered(bot, server) == []
    assert world[0].state.mode is TradingMode.ACTIVE


# -- changes ----------------------------------------------------------------------------------------


def test_a_change_waits_for_its_confirmation(world, bot, server):
    manager, _ = world
    yes, _no = asked(bot, server, "/halt the feed is odd")
    assert "Stop all trading?" in server.texts[-1]
    assert manager.state.mode is TradingMode.ACTIVE
    server.press(yes)
    [said] = answered(bot, server)
    assert said.startswith("All trading is stopped")
    [hold] = manager.state.holds.values()
    assert (hold.mode, hold.actor, hold.reason) == (
        TradingMode.HALTED,
        "telegram:alice_r",
        "the feed is odd",
    )
    assert server.notices == ["Done."]
    server.press(yes)  # once
    assert answered(bot, server) == []
    assert server.notices[-1].startswith("Nothing waits")


def test_halt_now_asks_nothing_and_needs_no_figures(world, bot, server, monkeypatch):
    manager, _ = world

    def broken(*_):
        raise AssertionError("it looked at figures")

    monkeypatch.setattr(manager, "look", broken)
    server.write("/halt now a crash", BOB)
    [said] = answered(bot, server)
    assert said.startswith("All trading is stopped")
    [hold] = manager.state.holds.values()
    assert (hold.actor, hold.reason) == ("telegram:22", "a crash")


def test_halt_now_works_without_a_disk(server, tmp_path, monkeypatch):
    journal = SqlJournal(str(tmp_path / "s.db"))
    manager = started(server.service.url, journal)
    bot = listening(manager, server)

    def no_disk(*_words):
        raise StoreUnavailable("no disk")

    with monkeypatch.context() as patch:
        patch.setattr(journal, "write", no_disk)
        patch.setattr(journal, "reopen", no_disk)
        server.write("/halt now")
        [said] = answered(bot, server)
    assert manager.state.mode is TradingMode.HALTED
    assert "store can't be written" in said
    manager.mend_store()
    manager.close()


def test_resume_names_what_it_ends_and_keeps_the_reason(world, bot, server):
    manager, _ = world
    manager.emergency_stop("a drill", actor="carol")
    yes, _no = asked(bot, server, "/resume it was   a\ndrill")
    assert "halted by carol: a drill" in server.texts[-1]
    assert "Reason: it was a drill" in server.texts[-1]
    server.press(yes)
    [said] = answered(bot, server)
    assert said == "Released:\n- emergency_stop: a drill"
    assert manager.state.mode is TradingMode.ACTIVE


def test_reduce_and_pause(world, bot, server):
    manager, _ = world
    manager.request_trade(OrderTicket("PG", "buy", 100.0, "", "alpha"))
    yes, _no = asked(bot, server, "/pause ALPHA too many losses")
    server.press(yes)
    assert "alpha is paused; 1 open entries are cancelled" in answered(bot, server)[0]
    alpha = manager.state.bots["alpha"]
    assert (alpha.enabled, alpha.disabled_reason) == (False, "too many losses")
    yes, _no = asked(bot, server, "/reduce")
    server.press(yes)
    answered(bot, server)
    assert manager.state.mode_of(Scope.PORTFOLIO, "") is TradingMode.REDUCING
    yes, _no = asked(bot, server, "/resume calm again")
    server.press(yes)
    answered(bot, server)
    assert manager.state.mode is TradingMode.ACTIVE


def test_left_as_it_is(world, bot, server):
    yes, no = asked(bot, server, "/halt")
    server.press(no)
    assert answered(bot, server) == ["Left as it is."]
    server.press(yes)
    assert answered(bot, server) == []
    assert world[0].state.mode is TradingMode.ACTIVE


def test_a_confirmation_expires(world, bot, server):
    manager, clock = world
    yes, _no = asked(bot, server, "/halt")
    clock.advance(60.5)
    server.press(yes)
    assert answered(bot, server) == []
    assert "60 s are over" in server.notices[-1]
    assert manager.state.mode is TradingMode.ACTIVE
    yes, _no = asked(bot, server, "/halt")
    clock.advance(59.5)
    server.press(yes)
    answered(bot, server)
    assert manager.state.mode is TradingMode.HALTED


def test_only_who_asked_may_confirm(world, bot, server):
    manager, _ = world
    yes, no = asked(bot, server, "/halt")
    server.press(yes, BOB)
    server.press(no, BOB)
    assert answered(bot, server) == []
    assert server.notices == ["Only who asked may confirm this."] * 2
    assert manager.state.mode is TradingMode.ACTIVE
    server.press(yes)
    answered(bot, server)
    assert manager.state.mode is TradingMode.HALTED


def test_forged_buttons_do_nothing(world, bot, server):
    yes, _no = asked(bot, server, "/halt")
    for data in ("yes:", "yes:guess", yes[:-1], yes.upper(), "halt", "", "yes", f" {yes}", "x" * 64):
        server.press(data)
    assert answered(bot, server) == []
    server.press(yes, chat=777)  # pressed below a copy in another chat
    bot.step()
    assert bot.ignored["chat"] == 1
    assert world[0].state.mode is TradingMode.ACTIVE


# -- who --------------------------------------------------------------------------------------------


def test_others_are_ignored_and_counted(world, server):
    manager, _ = world
    bot = listening(manager, server, users=[ALICE["id"]])
    server.write("/halt now", chat=999)
    server.write("/halt now", BOB)
    server.write("/halt now", {**ALICE, "is_bot": True})
    server.write("/halt now", forward_origin={"type": "user"})
    server.write("/halt now", sender_chat={"id": CHAT})
    server.put(message={"chat": {"id": CHAT}, "text": "/halt now"})
    assert answered(bot, server) == []
    assert manager.state.mode is TradingMode.ACTIVE
    assert bot.ignored == {"chat": 1, "user": 1, "unread": 4}
    server.write("/halt now")
    assert len(answered(bot, server)) == 1


# -- once -------------------------------------------------------------------------------------------


def test_an_update_that_comes_again_is_done_once(world, bot, server):
    manager, _ = world
    server.forgets = True
    server.write("/halt now")
    bot.step()
    manager.release_emergency("me", "over")
    for _ in range(3):
        bot.step()
    assert manager.state.mode is TradingMode.ACTIVE
    assert len(server.said) == 1


def test_a_restart_carries_nothing_out_twice(world, bot, server):
    """The process ends after the deed and before the service hears of it: the update comes again."""
    manager, _ = world
    server.write("/halt now")
    bot.step()
    bot.stop()
    assert len(server.updates) == 1  # still unconfirmed
    manager.release_emergency("me", "over")
    for number in range(24):
        server.write("/halt now" if number % 2 else "just talk")
    again = TelegramBot(manager, api_of(server), CHAT)
    while server.updates:
        again.step()
    assert again.step() >= 0.0
    assert manager.state.mode is TradingMode.ACTIVE
    [_done, said] = server.texts
    assert said.startswith("13 commands were sent before")
    assert "too old" in said
    assert again.ignored == {"old": 13}
    server.write("/halt now")
    again.step()
    assert manager.state.mode is TradingMode.HALTED


def test_a_confirmation_does_not_outlive_the_process(world, bot, server):
    yes, _no = asked(bot, server, "/halt")
    again = listening(world[0], server)
    again.step()
    server.press(yes)
    again.step()
    assert world[0].state.mode is TradingMode.ACTIVE
    assert server.notices[-1].startswith("Nothing waits")


# -- outages ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "bad",
    [
        500,
        401,
        409,
        "reset",
        "garbage",
        (200, {}, b"[]"),
        (200, {}, b'{"ok":true,"result":7}'),
        (200, {}, b'{"ok":true,"result":[{"no":1}]}'),
        (200, {}, b"\xff\xfe not json"),
        (200, {}, b"[" * 100_000),
    ],
)
def test_an_outage_backs_off_is_told_and_ends(world, bot, server, bad, caplog):
    manager, _ = world
    settings = RiskManagementConfig().update(alert_config={"telegram_bot_token": TOKEN}).alert_config
    guard_logs(settings)  # as the alerting does before it starts a bot
    for name in (None, "httpx", "httpcore.http11", "httpcore.connection"):
        caplog.set_level(logging.DEBUG, logger=name)
    server.bad["getUpdates"] = bad
    waits = [bot.step() for _ in range(8)]
    assert all(0.0 < wait <= 60.0 for wait in waits)
    assert waits[3] > 2 * waits[0]
    [alert] = [one for one in manager.alert_manager.active if one.rule_id == "telegram_commands"]
    assert "can't be read" in alert.message
    server.bad.clear()
    server.write("/halt now")
    bot.step()
    assert manager.state.mode is TradingMode.HALTED
    assert not [one for one in manager.alert_manager.active if one.rule_id == "telegram_commands"]
    told = caplog.text + repr([one.as_dict() for one in manager.alert_manager.history]) + repr(server.said)
    assert "canary" not in told
    assert "/bot***/getUpdates" in told  # httpx told the address, masked


def test_a_limit_of_the_service_is_kept(world, bot, server):
    manager, clock = world
    body = b'{"ok":false,"parameters":{"retry_after":7},"description":"Too Many Requests"}'
    server.bad["getUpdates"] = (429, {}, body)
    assert bot.step() >= 7.0
    server.bad = {"sendMessage": (429, {}, body)}
    server.write("/halt now")
    bot.step()
    assert manager.state.mode is TradingMode.HALTED  # the deed waits for no answer
    server.bad.clear()
    clock.advance(6.0)
    assert answered(bot, server) == []
    clock.advance(1.5)
    [said] = answered(bot, server)
    assert said.startswith("All trading is stopped")


def test_an_answer_that_is_never_taken_is_given_up(world, bot, server):
    _, clock = world
    server.bad["sendMessage"] = 500
    server.write("/status")
    for _ in range(10):
        bot.step()
        clock.advance(2.0)
    server.bad.clear()
    server.write("/bots")
    assert len(answered(bot, server)) == 1


GARBAGE = [
    {"message": None},
    {"message": []},
    {"message": {"text": "/halt now"}},
    {"message": {"chat": CHAT, "from": ALICE, "text": "/halt now"}},
    {"message": {"chat": {"id": str(CHAT)}, "from": ALICE, "text": "/halt now"}},
    {"message": {"chat": {"id": CHAT}, "from": {"id": True, "is_bot": False}, "text": "/halt now"}},
    {"message": {"chat": {"id": CHAT}, "from": ALICE, "text": ["/halt now"]}},
    {"message": {"chat": {"id": CHAT}, "from": ALICE, "photo": []}},
    {"callback_query": {"id": "1", "from": ALICE, "data": "yes:x"}},
    {"callback_query": {"id": 1, "from": ALICE, "data": "yes:x", "message": {"chat": {"id": CHAT}}}},
    {"edited_message": {"chat": {"id": CHAT}, "from": ALICE, "text": "/halt now"}},
    {},
]


def test_garbage_is_passed_over(world, bot, server):
    for what in GARBAGE:
        server.put(**what)
    server.write("/why \x00\u202e\ud83d" + "x" * 4000)
    server.write("/bots")
    assert len(answered(bot, server)) + len(answered(bot, server)) == 2
    assert bot.ignored == {"unread": len(GARBAGE)}
    assert world[0].state.mode is TradingMode.ACTIVE


def test_a_mistake_of_ours_ends_no_other_command(world, server, monkeypatch):
    manager, _ = world
    bot = TelegramBot(manager, api_of(server), CHAT)
    bot.start()
    until(lambda: bot._is_ready)
    with monkeypatch.context() as patch:
        patch.setattr(manager, "look", lambda: 1 / 0)
        server.write("/status")
        server.write("/halt now")
        until(lambda: len(server.said) == 2)
    bot.stop()
    assert "ZeroDivisionError" in server.texts[0]
    assert manager.state.mode is TradingMode.HALTED


# -- with the alerting ------------------------------------------------------------------------------


def with_commands(server, **more):
    return started(
        server.service.url,
        telegram_bot_token=TOKEN,
        telegram_chat_id=str(CHAT),
        telegram_api_url=server.service.url,
        webhook_url=None,
        **more,
    )


def test_it_starts_and_ends_with_the_alerting(server):
    manager = with_commands(server, telegram_commands=True)
    alerting = Alerting(manager)
    alerting.start()
    until(lambda: server.asked)
    server.write("/help", chat=5)
    until(lambda: alerting.ignored_commands == {"chat": 1})
    server.write("/halt now")
    until(lambda: any(text.startswith("All trading is stopped") for text in server.texts))
    alerting.close()
    number = len(server.asked)
    server.write("/status")
    assert len(server.asked) == number
    manager.close()


def test_it_is_off_by_default(server):
    manager = with_commands(server)
    alerting = Alerting(manager)
    alerting.start()
    manager.emergency_stop("x")
    until(lambda: server.said)
    alerting.close()
    assert server.asked == []
    manager.close()


def test_an_end_does_not_wait_for_the_long_question(server):
    """The service holds the question back; it is given up, and none is asked any more."""
    api = TelegramApi(server.service.url, TOKEN, SystemClock(), ("127.0.0.1",), wait=25)
    server.bad["getUpdates"] = "hang"
    found = []
    thread = Thread(target=lambda: found.append(api.updates(None)))
    thread.start()
    until(lambda: server.service.taken)
    assert server.service.taken[0].json["timeout"] == 25
    api.give_up()
    thread.join()
    found.append(api.updates(None))
    assert [one.reason for one in found] == ["given up: it was told to end"] * 2
    assert server.service.asked == 1


def test_what_is_ignored_is_a_metric(server):
    settings = {
        "telegram_commands": True,
        "telegram_bot_token": TOKEN,
        "telegram_chat_id": str(CHAT),
        "telegram_api_url": server.service.url,
        "private_hosts": ("127.0.0.1",),
    }
    integration = TradingSystemIntegration(RiskManagementConfig().update(alert_config=settings))
    integration.alerting.start()
    until(lambda: server.asked)
    server.write("/halt now", chat=5)
    until(lambda: integration.alerting.ignored_commands)
    text = exposition(RiskDashboardAPI(integration))
    assert 'risk_telegram_ignored_total{reason="chat"} 1.0' in text
    integration.close()


@pytest.mark.parametrize("wrong", [{}, {"telegram_bot_token": TOKEN}, {"chat": "@room"}])
def test_commands_need_a_token_and_a_chat(wrong):
    given = {"telegram_commands": True, **wrong}
    if "chat" in given:
        given |= {"telegram_bot_token": TOKEN, "telegram_chat_id": given.pop("chat")}
    with pytest.raises(ConfigurationError, match="telegram_commands"):
        RiskManagementConfig().update(alert_config=given)
