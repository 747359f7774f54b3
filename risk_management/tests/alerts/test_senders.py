"""Every sender against a real server on this machine: what arrives, and what is made of every answer."""

from __future__ import annotations

import email
import hashlib
import hmac
import logging
import subprocess
from datetime import UTC, datetime
from email.policy import default

import pytest
from pydantic import SecretStr

from risk_management.alerts.channels import configured
from risk_management.alerts.message import Message
from risk_management.alerts.outcome import Outcome, Verdict
from risk_management.alerts.senders import SENDERS, senders_of
from risk_management.alerts.senders._address import is_private
from risk_management.alerts.senders._http import Poster, Timeouts, seconds
from risk_management.alerts.senders._text import cut
from risk_management.alerts.senders.email import Email, MailServer
from risk_management.clock import ManualClock
from risk_management.config.risk_config import AlertConfig
from risk_management.model.alert import AlertSeverity
from risk_management.tests.alerts.services import http_service, mail_service

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
EASY = Timeouts(connect=5.0, total=10.0)
QUICK = Timeouts(connect=1.0, total=0.4)
"""Where the service never answers."""
SILENT = ("hang", "drip")
HTTP = ("telegram", "discord", "slack", "webhook")
CANARY = "canary-5d1f"


def message(title="CRITICAL: heat_is_high", text="heat is 81, above 80", key="a1-b2") -> Message:
    return Message(key, AlertSeverity.CRITICAL, title, text, NOON, {"alert_id": "a1"})


def settings(url: str = "http://127.0.0.1:9", **more) -> AlertConfig:
    return AlertConfig(
        telegram_bot_token=SecretStr(f"123:{CANARY}"),
        telegram_chat_id="-100",
        telegram_api_url=url,
        discord_webhook_url=SecretStr(f"{url}/discord/{CANARY}"),
        slack_webhook_url=SecretStr(f"{url}/slack/{CANARY}"),
        webhook_url=SecretStr(f"{url}/hook/{CANARY}"),
        smtp_server="127.0.0.1",
        smtp_username="risk@example.com",
        smtp_security="none",
        private_hosts=("127.0.0.1",),
        **more,
    )


def sent(name: str, url: str, **more) -> Outcome:
    return senders_of(settings(url, **more), EASY)[name].send(message())


def test_every_named_channel_has_a_sender():
    assert set(SENDERS.names()) == set(HTTP) | {"email"} == set(configured(settings()))
    assert configured(AlertConfig()) == ()


@pytest.mark.parametrize("name", HTTP)
def test_it_arrives(name):
    with http_service() as service:
        assert sent(name, service.url).verdict is Verdict.DELIVERED
    [taken] = service.taken
    said = json_text(taken)
    assert "81" in said
    assert "Host" in taken.headers
    assert taken.headers["Host"] == service.url.removeprefix("http://")


def json_text(taken) -> str:
    body = taken.json
    return str(body.get("text") or body.get("content"))


@pytest.mark.parametrize("name", HTTP)
@pytest.mark.parametrize(
    ("plan", "verdict", "after"),
    [
        (500, Verdict.RETRY, None),
        (503, Verdict.RETRY, None),
        ((429, {"Retry-After": "7"}, b""), Verdict.RETRY, 7.0),
        ((503, {"Retry-After": "Mon, 02 Mar 2026 12:00:30 GMT"}, b""), Verdict.RETRY, 30.0),
        ((429, {"Retry-After": "nan"}, b""), Verdict.RETRY, None),
        ((429, {"Retry-After": "-5"}, b""), Verdict.RETRY, 0.0),
        ((429, {"Retry-After": "999999"}, b""), Verdict.RETRY, 3600.0),
        ((429, {"Retry-After": "soon"}, b""), Verdict.RETRY, None),
        (400, Verdict.REFUSED, None),
        (401, Verdict.REFUSED, None),
        (404, Verdict.REFUSED, None),
        ((302, {"Location": "http://169.254.169.254/"}, b""), Verdict.REFUSED, None),
        ("reset", Verdict.RETRY, None),
        ("garbage", Verdict.RETRY, None),
        ("hang", Verdict.RETRY, None),
        ("drip", Verdict.RETRY, None),
    ],
)
def test_what_is_made_of_an_answer(name, plan, verdict, after):
    with http_service(lambda _taken: plan) as service:
        made = senders_of(settings(service.url), QUICK if plan in SILENT else EASY)[name]
        made._poster.clock = ManualClock(NOON)
        outcome = made.send(message())
    assert (outcome.verdict, outcome.after) == (verdict, after)
    assert outcome.reason
    assert CANARY not in str(outcome)


def test_a_flood_is_read_to_a_bound():
    with http_service(lambda _taken: "flood") as service:
        reply = Poster(ManualClock(NOON), ("127.0.0.1",)).post(service.url, b"", {})
    assert len(reply.body) == 64 * 1024


def test_telegram_falls_back_to_plain_text():
    with http_service(lambda taken: 400 if "parse_mode" in taken.json else None) as service:
        assert sent("telegram", service.url).verdict is Verdict.DELIVERED
    assert service.asked == 2
    assert service.taken[0].path == f"/bot123:{CANARY}/sendMessage"
    assert service.taken[0].json["text"].startswith("CRITICAL: heat_is_high\n")


def test_telegram_says_what_to_do():
    with http_service(
        lambda _taken: (
            400,
            {},
            b'{"ok":false,"description":"chat not found","parameters":{"migrate_to_chat_id":-7}}',
        )
    ) as service:
        outcome = sent("telegram", service.url)
    assert "chat not found" in outcome.reason
    assert "TELEGRAM_CHAT_ID=-7" in outcome.remedy


@pytest.mark.parametrize(
    ("name", "markup", "wanted"),
    [
        ("telegram", "<b>&_*x", "&lt;b&gt;&amp;_*x"),
        ("discord", "@everyone **x** _y_", r"\@everyone \*\*x\*\* \_y\_"),
        ("slack", "<!channel> & <http://x|y>", "&lt;!channel&gt; &amp; &lt;http://x|y&gt;"),
    ],
)
def test_markup_is_text(name, markup, wanted):
    with http_service() as service:
        made = senders_of(settings(service.url), EASY)[name]
        made.send(message(text=markup))
    assert wanted in json_text(service.taken[0])


@pytest.mark.parametrize(("name", "most"), [("telegram", 4096), ("discord", 2000), ("slack", 4000)])
def test_long_texts_are_cut(name, most):
    with http_service() as service:
        made = senders_of(settings(service.url), EASY)[name]
        for text in ("x" * 6000, "\U0001f600" * 5000, "_" * 5000):
            assert made.send(message(title="t" * 999, text=text)).verdict is Verdict.DELIVERED
    for taken in service.taken:
        said = json_text(taken)
        assert len(said.encode("utf-16-le")) // 2 <= most
        assert said.endswith("…")


def test_cutting_splits_no_letter():
    assert cut("abc", 3) == "abc"
    assert cut("abcd", 3) == "ab…"
    assert cut("\U0001f600\U0001f600", 3) == "\U0001f600…"
    assert cut("\ud800" * 9, 3) == "??…"


def test_the_webhook_is_signed_and_names_its_message():
    with http_service() as service:
        sent("webhook", service.url, webhook_signing_key=SecretStr("key"))
    [taken] = service.taken
    assert taken.headers["Idempotency-Key"] == taken.json["key"] == "a1-b2"
    assert taken.json["alert"] == {"alert_id": "a1"}
    signed = taken.headers["X-Risk-Timestamp"].encode() + b"." + taken.body
    wanted = hmac.new(b"key", signed, hashlib.sha256).hexdigest()
    assert taken.headers["X-Risk-Signature"] == f"sha256={wanted}"


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.0.0.1", "172.16.0.9", "192.168.1.1", "169.254.169.254", "0.0.0.1", "100.64.0.1"),
        *("::1", "::", "fe80::1%eth0", "fc00::1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::"),
        *("224.0.0.1", "255.255.255.255", "ff02::1"),
        *("fec0::1", "::127.0.0.1", "::ffff:0:127.0.0.1", "64:ff9b:1::7f00:1", "2001:0:7f00:1::"),
    ],
)
def test_private_addresses(address):
    assert is_private(address)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_addresses_of_the_internet(address):
    assert not is_private(address)


@pytest.mark.parametrize("name", HTTP)
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_this_machine_is_reached_only_where_the_file_says_so(name, host):
    with http_service() as service:
        given = settings(service.url.replace("127.0.0.1", host))
        given.private_hosts = ("another.example",)
        outcome = senders_of(given, EASY)[name].send(message())
    assert outcome.verdict is Verdict.REFUSED
    assert "SSRF_BLOCKED" in outcome.reason
    assert "private_hosts" in outcome.remedy
    assert service.asked == 0


def test_seconds_that_can_be_believed():
    assert seconds("7") is seconds(None) is seconds(float("inf")) is None
    assert seconds(3) == 3.0


# -- mail ---------------------------------------------------------------------------------------------


def mailer(port: int, **more) -> Email:
    server = MailServer("127.0.0.1", port, **{"security": "none", "seconds": 10.0, **more})
    return Email(server, "risk@example.com", ("a@example.com", "b@example.com"), ManualClock(NOON))


def test_mail_arrives_whole():
    with mail_service() as box:
        hostile = message(title="CRITICAL:\r\nBcc: evil@example.com", text="heat ≥ 80\n.\nend")
        assert mailer(box.port).send(hostile).verdict is Verdict.DELIVERED
    mail = email.message_from_bytes(box.taken[0], policy=default)
    assert mail["Subject"] == "CRITICAL: Bcc: evil@example.com"
    assert mail["Bcc"] is None
    assert mail["Message-ID"] == "<a1-b2@example.com>"
    assert mail["To"] == "a@example.com, b@example.com"
    assert mail.get_content().splitlines() == ["heat ≥ 80", ".", "end"]


@pytest.mark.parametrize(
    ("plan", "verdict"),
    [
        ("451 try later", Verdict.RETRY),
        ("421 busy", Verdict.RETRY),
        ("554 spam", Verdict.REFUSED),
        ("drop", Verdict.RETRY),
        ("hang", Verdict.RETRY),
    ],
)
def test_what_is_made_of_a_mail_servers_answer(plan, verdict):
    with mail_service(lambda _mail: plan) as box:
        outcome = mailer(box.port, seconds=0.4 if plan in SILENT else 10.0).send(message())
    assert outcome.verdict is verdict
    assert outcome.reason


def test_no_starttls_no_mail():
    with mail_service() as box:
        outcome = mailer(box.port, security="starttls").send(message())
    assert outcome.verdict is Verdict.REFUSED
    assert outcome.reason == "the mail server offers no STARTTLS"
    assert box.taken == []


def test_a_relay_without_a_login_says_that_it_is_the_login():
    with mail_service() as box:
        server = MailServer("127.0.0.1", box.port, "none", "risk@example.com", "secret", 10.0)
        outcome = Email(server, "risk@example.com", ("you@example.com",), ManualClock(NOON)).send(message())
    assert outcome.verdict is Verdict.REFUSED
    assert outcome.reason == "the mail server offers no login on this way"
    assert "take SMTP_PASSWORD out" in outcome.remedy
    assert box.taken == []


def test_nobody_listens():
    outcome = mailer(1).send(message())
    assert outcome.verdict is Verdict.RETRY
    assert "SMTP_SERVER" in outcome.remedy


def _certificate(folder, host: str):
    files = [str(folder / name) for name in ("key.pem", "cert.pem")]
    asked = "openssl req -x509 -newkey rsa:2048 -nodes -days 2"
    named = ["-subj", f"/CN={host}", "-addext", f"subjectAltName={host}"]
    subprocess.run(
        [*asked.split(" "), *named, "-keyout", files[0], "-out", files[1]], check=True, capture_output=True
    )
    return files


@pytest.mark.parametrize("is_trusted", [True, False])
def test_starttls_with_a_certificate(tmp_path, monkeypatch, is_trusted):
    import ssl  # noqa: PLC0415

    key, certificate = _certificate(tmp_path, "IP:127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    if is_trusted:
        monkeypatch.setenv("SSL_CERT_FILE", certificate)
    with mail_service(tls_context=context, require_starttls=True) as box:
        outcome = mailer(box.port, security="starttls").send(message())
    assert outcome.verdict is (Verdict.DELIVERED if is_trusted else Verdict.REFUSED)
    assert len(box.taken) == is_trusted


# -- any other service ---------------------------------------------------------------------------------


def test_apprise_sends_what_has_no_sender_of_ours():
    with http_service() as service:
        url = service.url.replace("http://", "json://") + f"/{CANARY}"
        given = AlertConfig(urls=(SecretStr(url),), private_hosts=("127.0.0.1",))
        assert configured(given) == ("url:json",)
        made = senders_of(given, EASY)["url:json"]
        assert made.send(message()).verdict is Verdict.DELIVERED
        service.plan = lambda _taken: 500
        assert made.send(message()).verdict is Verdict.RETRY
    assert service.taken[0].json["message"] == "heat is 81, above 80"
    assert "github" not in str(service.taken[0].json)


def test_apprise_reaches_no_private_host():
    with http_service() as service:
        given = AlertConfig(urls=(SecretStr(service.url.replace("http://", "json://")),))
        outcome = senders_of(given, EASY)["url:json"].send(message())
    assert "SSRF_BLOCKED" in outcome.reason
    assert service.asked == 0


def test_no_secret_is_logged(caplog):
    """With everything logged, through success and every failure."""
    from risk_management.alerts.secrets import guard_logs  # noqa: PLC0415

    caplog.set_level(logging.DEBUG)
    plans = [None, 500, "reset", "garbage", "hang", 404, (302, {"Location": f"http://x/{CANARY}"}, b"")]
    with http_service() as service, mail_service(lambda _mail: "554 no") as box:
        given = settings(
            service.url,
            smtp_port=box.port,
            smtp_password=None,
            urls=(SecretStr(service.url.replace("http://", f"json://user:{CANARY}@")),),
        )
        guard_logs(given)
        for name in ("httpx", "httpcore.connection", "httpcore.http11", "urllib3.connectionpool", "apprise"):
            logging.getLogger(name).setLevel(logging.DEBUG)  # somebody wants to see everything
        for plan in plans:
            service.plan = lambda _taken, plan=plan: plan
            for made in senders_of(given, QUICK).values():
                assert CANARY not in str(made.send(message()))
    assert any(record.name.startswith("httpcore") for record in caplog.records)
    assert CANARY not in caplog.text
