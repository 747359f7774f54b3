"""Pictures of alerts: drawn by a process of their own, within a mail or after a text, never instead of it."""

from __future__ import annotations

import email
import io
import json
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.policy import default
from functools import partial

import pytest

from risk_management.alerts.chart import Chart, NoPicture, Picture, can_draw, drawn
from risk_management.alerts.delivery import Delivery
from risk_management.alerts.message import Message, message_of
from risk_management.alerts.outbox import MemoryOutbox, RowState
from risk_management.alerts.outcome import DELIVERED, Verdict, refused
from risk_management.alerts.senders import senders_of
from risk_management.alerts.senders.email import Email, MailServer
from risk_management.alerts.steady import SteadyOutbox
from risk_management.clock import ManualClock, SystemClock
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.integration import pictures
from risk_management.integration.alerting import Alerting
from risk_management.integration.pictures import Pictures
from risk_management.model.alert import AlertSeverity
from risk_management.tests.alerts.services import http_service, mail_service
from risk_management.tests.alerts.test_delivery import Heard, message, sql_outbox, worked_off
from risk_management.tests.alerts.test_senders import settings
from risk_management.tests.store.world import small_foundation

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
SHOWN = Picture(PNG, "Chart of drawdown <now> 12.00%; limit 15.00%.")


class Fixed:
    """Gives one picture, or none, or fails."""

    def __init__(self, made: Picture | Exception | None = SHOWN) -> None:
        self.made = made

    def picture(self, _message: Message) -> Picture | None:
        if isinstance(self.made, Exception):
            raise self.made
        return self.made


class Following:
    """A sender that remembers the order of texts and pictures."""

    caps = ()

    def __init__(self, outcome=DELIVERED) -> None:
        self.outcome = outcome
        self.given: list[str] = []

    def send(self, said: Message):
        self.given.append(f"text {said.key}")
        return DELIVERED

    def send_picture(self, said: Message, picture: Picture):
        self.given.append(f"picture {said.key}")
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


@pytest.fixture(params=["memory", "sql", "steady"])
def outbox(request, tmp_path):
    if request.param == "memory":
        yield MemoryOutbox()
        return
    found = sql_outbox(tmp_path)
    yield found if request.param == "sql" else SteadyOutbox(found)
    found.close()


def delivered(outbox, sender, pictures) -> Heard:
    clock, heard = ManualClock(NOON), Heard()
    delivery = Delivery(outbox, {"a": sender}, clock, heard, label="paper", pictures=pictures)
    outbox.put(message(1), ["a"])
    outbox.put(message(2, at=1), ["a"])
    worked_off(delivery, "a", clock, outbox)
    for _ in range(5):
        delivery.channels["a"].step()
        clock.advance(1.0)
    return heard


def test_texts_go_first_and_pictures_follow(outbox):
    sender = Following()
    delivered(outbox, sender, Fixed())
    assert sender.given == ["text m1", "text m2", "picture m1", "picture m2"]
    assert [row.last_error for row in outbox.rows(RowState.SENT, 5)] == ["", ""]


@pytest.mark.parametrize(
    ("outcome", "pictures", "why"),
    [
        (refused("HTTP 413"), Fixed(), "HTTP 413"),
        (RuntimeError("https://secret"), Fixed(), "it raised RuntimeError"),
        (DELIVERED, Fixed(NoPicture("drawing took more than 10 s")), "drawing took more than 10 s"),
        (DELIVERED, Fixed(ZeroDivisionError("x")), "ZeroDivisionError"),
    ],
)
def test_a_picture_that_is_missing_is_noted_and_the_text_is_sent_once(outbox, outcome, pictures, why):
    sender = Following(outcome)
    heard = delivered(outbox, sender, pictures)
    assert [one for one in sender.given if one.startswith("text")] == ["text m1", "text m2"]
    rows = outbox.rows(RowState.SENT, 5)
    assert {(row.last_error, row.tries) for row in rows} == {(f"sent without its picture: {why}", 1)}
    assert heard.said == []  # the channel is fine


def test_where_nothing_is_to_be_seen_nothing_follows(outbox):
    sender = Following()
    delivered(outbox, sender, Fixed(None))
    assert sender.given == ["text m1", "text m2"]
    assert {row.last_error for row in outbox.rows(RowState.SENT, 5)} == {""}


def test_a_mail_holds_its_picture_and_says_what_it_shows():
    with mail_service() as box:
        server = MailServer("127.0.0.1", box.port, "none")
        sender = Email(server, "risk@example.com", ("a@example.com",), ManualClock(NOON))
        assert sender.send_with(message(1), SHOWN).verdict is Verdict.DELIVERED
    mail = email.message_from_bytes(box.taken[0], policy=default)
    assert mail.get_content_type() == "multipart/alternative"
    plain = mail.get_body(("plain",)).get_content().splitlines()
    assert plain == ["alert number <1>.", "", SHOWN.text]
    html = mail.get_body(("html",)).get_content()
    (image,) = (part for part in mail.walk() if part.get_content_type() == "image/png")
    assert image.get_content() == PNG
    assert f'src="cid:{image["Content-ID"].strip("<>")}"' in html
    assert "alert number &lt;1&gt;." in html
    assert 'alt="Chart of drawdown &lt;now&gt; 12.00%; limit 15.00%."' in html


def test_a_mail_without_its_picture_goes_as_text_and_says_so(tmp_path):
    outbox = sql_outbox(tmp_path)
    with mail_service() as box:
        sender = Email(
            MailServer("127.0.0.1", box.port, "none"), "r@example.com", ("a@b.c",), ManualClock(NOON)
        )
        delivered(outbox, sender, Fixed(NoPicture("drawing failed with code 1")))
    assert len(box.taken) == 2
    assert email.message_from_bytes(box.taken[0], policy=default).get_content_type() == "text/plain"
    assert {row.last_error for row in outbox.rows(RowState.SENT, 5)} == {
        "sent without its picture: drawing failed with code 1"
    }
    outbox.close()


def _fields(taken) -> dict[str, tuple[str | None, bytes]]:
    """The parts of a form, read by the standard library: file name and content by the field's name."""
    head = f"Content-Type: {taken.headers['Content-Type']}\r\n\r\n".encode()
    form = email.message_from_bytes(head + taken.body, policy=default)
    return {
        part.get_param("name", header="Content-Disposition"): (
            part.get_filename(),
            part.get_payload(decode=True),
        )
        for part in form.iter_parts()
    }


def test_telegram_and_discord_take_a_picture_with_its_words():
    said = message(1, AlertSeverity.CRITICAL)
    long = Picture(PNG, "x" * 3000)
    with http_service() as web:
        senders = senders_of(settings(web.url))
        assert senders["telegram"].send_picture(said, long).verdict is Verdict.DELIVERED
        assert senders["discord"].send_picture(said, SHOWN).verdict is Verdict.DELIVERED
        assert not hasattr(senders["slack"], "send_picture")  # a webhook of Slack takes no files
        assert not hasattr(senders["webhook"], "send_picture")
        web.plan = lambda _taken: (413, {}, b'{"ok":false,"description":"Request Entity Too Large"}')
        too_large = senders["telegram"].send_picture(said, SHOWN)
    photo, file = web.taken[0], web.taken[1]
    assert photo.path.endswith("/sendPhoto")
    fields = _fields(photo)
    assert fields["photo"] == ("chart.png", PNG)
    assert len(fields["caption"][1].decode()) == 1024
    assert fields["caption"][1].startswith(b"title 1\nxxx")
    assert fields["disable_notification"][1] == b"true"
    fields = _fields(file)
    assert fields["files[0]"] == ("chart.png", PNG)
    body = json.loads(fields["payload_json"][1])
    assert (body["content"], body["allowed_mentions"]) == ("**title 1**", {"parse": []})
    assert body["attachments"] == [{"id": 0, "description": SHOWN.text}]
    assert (too_large.verdict, too_large.reason) == (
        Verdict.REFUSED,
        "HTTP 413: Request Entity Too Large",
    )


# -- what is drawn ------------------------------------------------------------------------------------


def test_what_takes_too_long_is_ended():
    points = ((NOON, 0.1), (NOON + timedelta(hours=1), 0.2))
    with pytest.raises(NoPicture, match=r"took more than 0.001 s"):
        drawn(Chart("Heat", "score", points), seconds=0.001)


def test_the_chart_of_an_alert_is_its_metric_until_then_against_its_limit():
    manager = AdvancedRiskManager.on(small_foundation())
    alerts, drawer = manager.alert_manager, Pictures(manager)
    start = manager.clock.now()
    quiet = dict(manager.look().metrics)
    for minute, heat in enumerate((10.0, 30.0, 50.0, 70.0)):
        told = alerts.evaluate({**quiet, "portfolio_heat": heat}, start + timedelta(minutes=minute))
    said = message_of(next(alert for alert in told if alert.rule_id == "heat_warning"))
    chart = drawer.chart(said)
    assert [value for _, value in chart.points] == [10.0, 30.0, 50.0, 70.0]
    assert (chart.unit, chart.limits) == ("score", (60.0,))
    assert chart.text.startswith("Chart of Portfolio heat from ")
    assert chart.text.endswith("UTC: between 10.0 and 70.0, now 70.0; limit 60.0.")
    (over,) = alerts.evaluate({**quiet, "portfolio_heat": 10.0}, start + timedelta(minutes=9))
    assert drawer.chart(message_of(over)) is None  # an end needs none
    raised = alerts.raise_alert("system_error", "critical", "it broke", key="disk")
    assert drawer.chart(message_of(raised)) is None


def test_the_chart_of_a_drawdown_begins_with_the_days_that_are_kept():
    manager = AdvancedRiskManager.on(small_foundation())
    state, quiet = manager.state, dict(manager.look().metrics)
    kept = replace(state.drawdown, closes=(100.0, 110.0, 99.0), peak=110.0)
    book = manager.book
    book._head = book._durable = replace(book._head, state=replace(state, drawdown=kept))
    (told,) = manager.alert_manager.evaluate(
        {**quiet, "drawdown": 0.12}, manager.clock.now() + timedelta(days=1)
    )
    chart = Pictures(manager).chart(message_of(told))
    assert [round(value, 6) for _, value in chart.points] == [0.0, 0.0, 0.1, 0.12]
    assert (told.rule_id, chart.unit, chart.limits) == ("drawdown_warning", "fraction", (0.05,))


@pytest.mark.skipif(not can_draw(), reason="the extra charts is not installed")
def test_from_the_book_to_the_chat_with_a_picture(monkeypatch):
    """The whole way with a real drawing: the limit's red line and the metric's blue one are in it."""
    from PIL import Image  # noqa: PLC0415 - comes with what draws

    monkeypatch.setattr(pictures, "drawn", partial(drawn, seconds=60.0))  # a busy machine is no fault here
    with http_service() as web:
        foundation = small_foundation()
        config = foundation.config.update(
            alert_config={
                "telegram_bot_token": "1:token",
                "telegram_chat_id": "7",
                "telegram_api_url": web.url,
                "private_hosts": ("127.0.0.1",),
            }
        )
        manager = AdvancedRiskManager.on(replace(foundation, config=config, clock=SystemClock()))
        alerting, start, quiet = Alerting(manager), manager.clock.now(), dict(manager.look().metrics)
        alerting.start()
        for minute, heat in enumerate((10.0, 40.0, 55.0, 70.0)):
            manager.alert_manager.evaluate(
                {**quiet, "portfolio_heat": heat}, start + timedelta(minutes=minute)
            )
        end = time.monotonic() + 60.0
        while len(web.taken) < 2:
            assert time.monotonic() < end, "no picture came"
            time.sleep(0.01)
        alerting.close()
        manager.close()
    text, photo = web.taken
    assert text.path.endswith("/sendMessage")
    fields = _fields(photo)
    assert b"limit 60.0." in fields["caption"][1]
    image = Image.open(io.BytesIO(fields["photo"][1])).convert("RGB")
    assert image.size == (704, 352)
    colours = {colour for _, colour in image.getcolors(1_000_000)}
    assert {(37, 99, 235), (255, 255, 255)} <= colours
    assert any(red > 200 and green < 80 and blue < 80 for red, green, blue in colours)  # dashes are soft
