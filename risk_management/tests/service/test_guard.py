"""Nobody without the right gets in: every address that there is, against every credential that is none."""

from __future__ import annotations

import logging
import secrets
from itertools import count
from typing import Final

import pytest
from flask import Flask
from typer.testing import CliRunner

from risk_management.cli.main import app as cli
from risk_management.config.risk_config import load_risk_config
from risk_management.errors import ConfigurationError
from risk_management.integration.dashboard_integration import (
    ENDPOINTS,
    RiskDashboardAPI,
    create_risk_routes,
)
from risk_management.model.access import Access
from risk_management.plots import FIGURES
from risk_management.service.blueprint import METHODS
from risk_management.service.guard import Guard
from risk_management.service.openapi import PREFIX
from risk_management.service.problems import Problem
from risk_management.service.routes import API, ROOT
from risk_management.service.throttle import Throttle

OPEN = {"/healthz", "/readyz", "/login", "/", "/dashboard", "/manifest.json", "/static/{version}/{name}"}
"""What may be asked without a token; written here by hand."""
addresses = (f"127.9.{n // 250}.{n % 250}" for n in count())


def bad_credentials(service) -> list[dict[str, str]]:
    right = service.secrets["admin"]
    revoked, secret = service.tokens.create("old", Access.ADMIN, actor="test")
    service.tokens.revoke(revoked.token_id)
    return [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer "},
        {"Authorization": f"Bearer {right[:-1]}"},
        {"Authorization": f"Bearer {right}x"},
        {"Authorization": f"Bearer {right.swapcase()}"},
        {"Authorization": f"Bearer  {right}"},
        {"Authorization": f"Basic {right}"},
        {"Authorization": right},
        {"Authorization": f"bearer {right}"},
        {"Authorization": f"Bearer {right}, Bearer {right}"},
        {"Authorization": f"Bearer {secret}"},
        {"Authorization": "Bearer é\xff\xfe"},
        {"Authorization": f"Bearer {secrets.token_urlsafe(32)}"},
        {"Cookie": f"risk_session={right}"},
        {"X-Authorization": f"Bearer {right}", "X-Token": right},
    ]


def paths(app: Flask) -> list[str]:
    """An address for every rule of the app, those that catch all included."""
    named = {"request_id": "x", "name": "x", "version": "1", "rest": "some/where"}
    named |= {"alert_id": "x", "liquidation_id": "x", "rule_id": "x", "silence_id": "x"}
    rules = [rule.rule for rule in app.url_map.iter_rules()]
    for name, value in named.items():
        rules = [rule.replace(f"<path:{name}>", value).replace(f"<{name}>", value) for rule in rules]
    assert not any("<" in rule for rule in rules)
    return rules


def test_a_wrong_token_is_told_from_none(service):
    none = service.call("GET", "state", scope=None)
    wrong = service.call("GET", "state", scope="risk_" + secrets.token_urlsafe(32))
    assert (none.status, wrong.status) == (401, 401)
    assert "send a token" in none.json["error"]["message"]
    assert "not known here, or was revoked" in wrong.json["error"]["message"]


def test_refused_acts_do_not_swell_the_journal(fresh):
    """20 a minute and token are named; every one is refused all the same."""
    service = fresh()
    before = service.manager.state.version
    for _ in range(60):
        assert service.call("PATCH", "config", {}, "trade").code == "NOT_ALLOWED"
    assert service.manager.state.version == before + 20
    service.call("PATCH", "config", {}, "read")
    assert service.manager.state.version == before + 21


def test_no_address_answers_without_a_token(service):
    """All rules x all methods x 17 credentials; and in the query a token is none."""
    client, version = service.app.test_client(), service.manager.state.version
    credentials = bad_credentials(service)
    assert len(credentials) == 17
    asked = 0
    for path in paths(service.app):
        if path.removeprefix(PREFIX).replace("/1/x", "/{version}/{name}") in OPEN:
            continue
        for method in METHODS:
            for headers in credentials:
                answer = client.open(
                    f"{path}?token={service.secrets['admin']}",
                    method=method,
                    headers={"Host": "127.0.0.1", **headers},
                    environ_overrides={"REMOTE_ADDR": next(addresses)},
                )
                assert answer.status_code == 401, (path, method, headers)
                asked += 1
    assert asked > 17 * 8 * len({route.path for route in API if route.access is not None})
    assert service.manager.state.version == version


def test_a_long_header_is_named(service):
    answer = service.call("GET", "state", scope=None, headers={"Authorization": "Bearer " + "a" * 7000})
    assert (answer.status, answer.code) == (431, "HEADER_TOO_LARGE")
    answer = service.call("GET", "state", scope=None, headers={"X-Long": "a" * 30_000})
    assert (answer.status, answer.code) == (431, "HEADER_TOO_LARGE")


@pytest.mark.parametrize("route", [*API, *ROOT], ids=lambda route: f"{route.method} {route.path}")
def test_every_scope_reaches_as_far_as_is_written(service, route):
    path = route.path if route in ROOT else f"/api/risk{route.path}"
    path = path.replace("{request_id}", "none").replace("{name}", "none").replace("{version}", "none")
    for scope in Access:
        answer = service.call(route.method, path, b"" if route.changes else None, scope.value)
        allowed = route.access is None or scope.rank >= route.access.rank
        assert (answer.status == 403) == (not allowed), (scope, answer)
        if not allowed:
            assert answer.code == "NOT_ALLOWED"


def test_open_is_what_is_written_here():
    assert {route.path for route in (*API, *ROOT) if route.access is None} == OPEN
    asked_by_readers = {route.path for route in API if route.access is Access.READ and route.changes}
    looks = {"/what-if", "/session", "/stress/own", "/stress/reverse", "/liquidation/plan"}
    assert asked_by_readers == looks


def test_another_bots_token(service):
    service.manager.register_bot("other")
    _, other = service.tokens.create("other", Access.TRADE, bot="other", actor="test")
    assert service.ask(request_id="mine", size=55).json["approved"]
    for answer in (
        service.ask(other, bot_name="RSI2"),
        service.ask("trade", bot_name="other"),
        service.call("GET", "trades/mine", scope=other),
        service.call("DELETE", "trades/mine", scope=other),
        service.call("POST", "trades/mine/executions", {"executed_size": 55, "executed_price": 60.0}, other),
        service.call(
            "POST", "what-if", {"symbol": "KO", "action": "buy", "size": 1, "bot_name": "RSI2"}, other
        ),
    ):
        assert (answer.status, answer.code) == (403, "NOT_YOUR_BOT")
    reused = service.ask(other, request_id="mine", size=55)  # the same words from another bot
    assert (reused.status, reused.code) == (409, "REQUEST_ID_REUSED")
    assert "recommended_size" not in reused.json
    assert "RSI2" not in reused.data.decode()
    assert service.call("GET", "trades/mine", scope="trade").json["status"] == "reserved"
    assert service.ask(other, size=66).json["bot_name"] == "other"


def test_a_bot_is_registered_when_its_token_is_first_used(service):
    _, secret = service.tokens.create("new", Access.TRADE, bot="newcomer", actor="test")
    assert "newcomer" not in service.manager.state.bots
    assert service.ask(secret, size=77).json["approved"]
    assert service.manager.state.bots["newcomer"].auto_registered is False


def test_methods(service):
    for method, path in (
        ("GET", "emergency-stop"),
        ("POST", "metrics"),
        ("PUT", "trades"),
        ("OPTIONS", "state"),
    ):
        answer = service.call(method, path)
        assert (answer.status, answer.code) == (405, "METHOD_NOT_ALLOWED")
        assert answer.headers["Allow"]
        assert "Access-Control-Allow-Origin" not in answer.headers
    head = service.call("HEAD", "state")
    assert (head.status, head.data) == (200, b"")
    for path in ("nothing", "trades/a/b", "//trades", "/api/risk", "/other", "/api/risk/../x"):
        answer = service.call("GET", path)
        assert (answer.status, answer.code) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.nip.io", "", "localhost.", "0.0.0.0", "2130706433", "localhost@evil"],  # noqa: S104
)
def test_names_that_it_does_not_answer_to(service, host):
    answer = service.call("GET", "state", headers={"Host": host})
    assert (answer.status, answer.code) == (403, "BAD_HOST")


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://[", "http://127.0.0.1:1", "file://"]
)
def test_pages_of_others_may_not_ask(service, origin):
    for method, path, body in (("GET", "state", None), ("POST", "emergency-stop", {"reason": "x"})):
        answer = service.call(method, path, body, headers={"Origin": origin})
        assert (answer.status, answer.code) == (403, "BAD_ORIGIN")
    own = {"Origin": f"http://127.0.0.1:{service.port}"}
    assert service.call("GET", "state", headers=own).status == 200


def test_headers_of_every_answer(service):
    for answer in (
        service.call("GET", "state"),
        service.call("GET", "state", scope=None),
        service.call("GET", "no"),
    ):
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "private, no-cache"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert "Werkzeug" not in str(answer.headers)


def test_wrong_tokens_are_slowed_down_and_right_ones_are_not(service):
    guard_throttle = Throttle(most=3)
    app = Flask("throttled")
    create = Guard(
        RiskDashboardAPI(service.manager),
        service.tokens,
        hosts=frozenset({"127.0.0.1"}),
        throttle=guard_throttle,
    )
    route = {"GET": API[1]}
    codes = []
    for secret in ("wrong", "wrong", "wrong", "wrong", service.secrets["admin"]):
        with app.test_request_context(
            headers={"Host": "127.0.0.1", "Authorization": f"Bearer {secret}"}
        ) as context:
            try:
                create.admit(context.request, "/x", route)
                codes.append("in")
            except Problem as problem:
                codes.append(problem.code)
    assert codes == ["UNAUTHENTICATED"] * 3 + ["TOO_MANY_TRIES", "in"]
    notes = [e for e in service.journal.reader.entries() if e.kind == "Noted" and "wrong tokens" in e.body]
    assert len(notes) == 1


def test_what_is_refused_is_kept(fresh):
    service = fresh()  # of one that was refused often, only the first of a minute are kept
    before = service.manager.state.version
    service.call("POST", "emergency-stop", {"reason": "x"}, "read")
    notes = [e for e in service.journal.reader.entries() if e.kind == "Noted" and e.seq > before]
    (refused,) = (note for note in notes if "/emergency-stop" in note.body)
    assert refused.actor.startswith("read (token ")


# -- in somebody's app ------------------------------------------------------------------------------


@pytest.fixture
def embedded(service, monkeypatch):
    secret = secrets.token_urlsafe(32)
    monkeypatch.setenv("RISK_TOKEN", secret)
    host = Flask("host")
    host.add_url_rule("/own", view_func=lambda: "mine", methods=["GET", "POST"])
    create_risk_routes(host, RiskDashboardAPI(service.manager))
    return host, {"Authorization": f"Bearer {secret}"}


SHOWN: Final = {"/pulse", "/figures", "/figures/{name}", "/dashboard", "/manifest.json"}
"""What the page reads of the seven views, in another form, and the page itself, which holds nothing."""


def test_embedded_seven_views_are_open_and_nothing_else(embedded):
    host, token = embedded
    client = host.test_client()
    for route in API:
        path = f"/api/risk{route.path}".replace("{request_id}", "x").replace("{name}", "limits")
        if "{version}" in path:
            continue  # files of the page
        answer = client.open(path, method=route.method)
        is_view = route.method == "GET" and (route.path[1:] in ENDPOINTS or route.path in SHOWN)
        assert answer.status_code == (200 if is_view else 401), route
    shown = client.get("/api/risk/figures").json["figures"]
    assert {figure["view"] for figure in shown} <= set(ENDPOINTS)
    beyond = [name for name, plot in FIGURES.items() if plot.view not in ENDPOINTS]
    for name in beyond:
        assert client.get(f"/api/risk/figures/{name}").status_code == 401
        assert client.get(f"/api/risk/figures/{name}", headers=token).status_code in (200, 503)
    assert client.get("/api/risk/state", headers=token).status_code == 200
    assert client.post("/own").text == "mine"
    asked = client.post("/api/risk/emergency-stop", json={}, headers=token)
    assert asked.status_code == 400
    loosen = {"changes": {"shadow_mode": True}, "reason": "x"}
    assert client.patch("/api/risk/config", json=loosen, headers=token).status_code == 403


def test_embedded_answers_to_this_machine_alone(embedded):
    host, token = embedded
    for headers, address in (({"Host": "shop.example"}, "127.0.0.1"), ({}, "10.0.0.7")):
        answer = host.test_client().get(
            "/api/risk/state", headers={**token, **headers}, environ_overrides={"REMOTE_ADDR": address}
        )
        assert (answer.status_code, answer.json["error"]["code"]) == (403, "NOT_LOCAL")


def test_embedded_knows_the_tokens_of_the_store(service, foundation, tmp_path, monkeypatch):
    host = Flask("host")
    monkeypatch.setattr(service.manager, "book", service.manager.book)
    create_risk_routes(host, RiskDashboardAPI(service.manager))
    config = service.manager.config.update(store=str(service.path))
    monkeypatch.setattr(type(service.manager), "config", property(lambda _: config))
    right = {"Authorization": f"Bearer {service.secrets['read']}"}
    assert host.test_client().get("/api/risk/state", headers=right).status_code == 200
    assert host.test_client().get("/api/risk/state", headers={"Authorization": "Bearer x"}).status_code == 401


@pytest.mark.parametrize("secret", ["q", "changeme", "a" * 64, "short" * 4])
def test_a_secret_that_can_be_guessed_does_not_start(service, monkeypatch, secret):
    monkeypatch.setenv("RISK_TOKEN", secret)
    with pytest.raises(ConfigurationError) as said:
        create_risk_routes(Flask("host"), RiskDashboardAPI(service.manager))
    assert secret not in str(said.value)


def test_without_any_token_nothing_changes(service, monkeypatch):
    monkeypatch.delenv("RISK_TOKEN", raising=False)
    host = Flask("host")
    create_risk_routes(host, RiskDashboardAPI(service.manager))
    for header in ({}, {"Authorization": "Bearer "}, {"Authorization": "Bearer None"}):
        assert host.test_client().post("/api/risk/trades", json={}, headers=header).status_code == 401


# -- secrets ----------------------------------------------------------------------------------------


def test_no_secret_is_shown_anywhere(fresh, caplog, tmp_path):
    """Canaries in every channel's settings and in the tokens, logging at DEBUG, answers and errors of all."""
    canary = "CANARY-" + secrets.token_hex(8)
    caplog.set_level(logging.DEBUG)
    channels = {
        "telegram_bot_token": f"123:{canary}a",
        "telegram_chat_id": "5",
        "discord_webhook_url": f"https://discord.com/api/webhooks/1/{canary}b",
        "slack_webhook_url": f"https://hooks.slack.com/services/{canary}c",
        "webhook_url": f"https://example.com/{canary}d",
        "smtp_server": "localhost",
        "smtp_username": "me",
        "smtp_password": f"{canary}e",
    }
    service = fresh(alert_config=channels)
    said = []
    for route in (*API, *ROOT):
        path = route.path if route in ROOT else f"/api/risk{route.path}"
        path = path.replace("{request_id}", "x").replace("{name}", "x")
        for scope in ("admin", "read", canary, None):
            for body in (b"{}", b"[", None) if route.changes else (None,):
                answer = service.call(route.method, path, body, scope)
                said += [answer.data, str(answer.headers).encode()]
    service.call("GET", f"state?token={canary}", scope=None)
    service.ask(size=10)
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    told = b"".join(said) + caplog.text.encode() + kept
    assert canary.encode() not in told
    assert not [name for name, secret in service.secrets.items() if secret.encode() in told]


def test_secrets_of_the_environment_are_shown_nowhere(fresh, monkeypatch, caplog, tmp_path):
    """Variables of the server, logging at DEBUG: settings that are shown, changed and journaled, the OpenAPI
    document, numbers, and what is said of a secret that means nothing.
    """
    canary = "CANARY-" + secrets.token_hex(8)
    caplog.set_level(logging.DEBUG)
    for name, value in {
        "TELEGRAM_BOT_TOKEN": f"123:{canary}",
        "DISCORD_WEBHOOK_URL": f"https://discord.com/api/webhooks/1/{canary}",
        "SLACK_WEBHOOK_URL": f"https://hooks.slack.com/services/{canary}",
        "WEBHOOK_URL": f"https://example.com/{canary}",
        "SMTP_PASSWORD": canary,
        "ALERT_URLS": f"ntfys://{canary}@example.com/topic",
    }.items():
        monkeypatch.setenv(name, value)
    config = load_risk_config()
    assert config.alert_config.smtp_password.get_secret_value() == canary  # they are in use
    assert canary in config.alert_config.urls[0].get_secret_value()
    said = [repr(config), str(config.model_dump()), config.model_dump_json()]
    said += [CliRunner().invoke(cli, ["config", word]).output for word in ("show", "check")]
    monkeypatch.delenv("SMTP_PASSWORD")
    file = tmp_path / "wrong.toml"
    file.write_text(f'alert_config.smtp_password = ["{canary}"]')
    with pytest.raises(ConfigurationError) as wrong:
        load_risk_config(file)
    file.unlink()
    said.append(str(wrong.value))
    service = fresh(alert_config=config.alert_config.model_dump(exclude_none=True))
    change = {"changes": {"shadow_mode": True}, "reason": "to have them journaled"}
    assert service.call("PATCH", "config", change).status == 200
    said += [
        service.call(
            "PATCH", "config", {"changes": {"alert_config": {"smtp_password": canary}}}
        ).data.decode(),
        *(
            service.call("GET", path).data.decode()
            for path in ("config", "openapi.json", "audit", "/metrics")
        ),
    ]
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
    assert canary not in "".join(said) + caplog.text
    assert canary.encode() not in kept
