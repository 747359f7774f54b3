"""The routes in somebody's Flask app: complete, read-only, for this machine only."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pytest
from flask import Flask

from risk_management.clock import ManualClock
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.errors import MarketDataError
from risk_management.integration.dashboard_integration import (
    ENDPOINTS,
    RiskDashboardAPI,
    create_risk_routes,
)


@pytest.fixture
def api(foundation) -> RiskDashboardAPI:
    manager = AdvancedRiskManager.on(replace(foundation, clock=ManualClock(foundation.clock.now())))
    manager.add_position("KO", 500, 60.0, "value")
    return RiskDashboardAPI(manager)


@pytest.fixture
def app(api) -> Flask:
    host = Flask("host")
    host.add_url_rule("/own", view_func=lambda: "mine")
    create_risk_routes(host, api)
    return host


@pytest.mark.parametrize("name", ENDPOINTS)
def test_every_endpoint(app, api, name):
    answer = app.test_client().get(f"/api/risk/{name}")
    assert answer.status_code == 200
    assert answer.content_type == "application/json"
    assert json.loads(answer.data, parse_constant=pytest.fail) == api.view(name)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("name", ENDPOINTS)
def test_only_reading(app, name, method):
    answer = app.test_client().open(f"/api/risk/{name}", method=method)
    assert answer.status_code == 405
    assert answer.json["error"]["code"] == "METHOD_NOT_ALLOWED"
    assert answer.headers["Allow"] == "GET, HEAD"


def test_head(app):
    answer = app.test_client().head("/api/risk/metrics")
    assert answer.status_code == 200
    assert answer.data == b""


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:5000", 200),
        ("127.0.0.1:8080", 200),
        ("[::1]:5000", 200),
        ("evil.example", 403),
        ("localhost.evil.example", 403),
        ("evil.example:5000", 403),
        ("127.0.0.1.nip.io", 403),
        ("127.0.0.2", 403),
        ("192.168.1.5", 403),
        ("localhost:5000@evil.example", 403),
        ("localhost.", 403),
        ("", 403),
        ("0.0.0.0", 403),  # noqa: S104 - nothing is bound
        ("2130706433", 403),
    ],
)
@pytest.mark.parametrize("name", ["metrics", "bots"])
def test_names_that_it_answers_to(app, name, host, status):
    answer = app.test_client().get(f"/api/risk/{name}", headers={"Host": host})
    assert answer.status_code == status
    if status == 403:
        assert answer.json["error"]["code"] == "NOT_LOCAL"
        assert "KO" not in answer.text


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("127.0.0.1", 200),
        ("::1", 200),
        ("::ffff:127.0.0.1", 200),
        ("10.0.0.7", 403),
        ("", 403),
        ("1270.0.0.1", 403),
    ],
)
def test_addresses_that_it_answers_to(app, address, status):
    client = app.test_client()
    answer = client.get("/api/risk/metrics", environ_overrides={"REMOTE_ADDR": address})
    assert answer.status_code == status


def test_forwarded_names_do_not_count(app):
    answer = app.test_client().get(
        "/api/risk/metrics", headers={"Host": "evil.example", "X-Forwarded-Host": "localhost"}
    )
    assert answer.status_code == 403


def test_the_hosts_own_routes_are_left_alone(app):
    answer = app.test_client().get("/own", headers={"Host": "shop.example"})
    assert answer.text == "mine"
    assert "Content-Security-Policy" not in answer.headers
    assert app.test_client().get("/api/risk/nothing").status_code == 404


@pytest.mark.parametrize("path", ["/api/risk/metrics", "/api/risk/alerts"])
@pytest.mark.parametrize("host", ["localhost", "evil.example"])
def test_headers(app, path, host):
    headers = app.test_client().get(path, headers={"Host": host}).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "Access-Control-Allow-Origin" not in headers


def test_what_did_not_change_is_not_sent_again(app, api):
    client = app.test_client()
    first = client.get("/api/risk/stress")
    again = client.get("/api/risk/stress", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    api.manager.record_cash("dividend", 1.0)
    third = client.get("/api/risk/stress", headers={"If-None-Match": first.headers["ETag"]})
    assert third.status_code == 200


def test_mounting_twice_does_nothing_the_second_time(app, api):
    rules = list(app.url_map.iter_rules())
    create_risk_routes(app, api)
    create_risk_routes(app, api, url_prefix="/elsewhere")
    assert list(app.url_map.iter_rules()) == rules
    assert app.test_client().get("/api/risk/metrics").status_code == 200


def test_two_apps_and_another_prefix(api):
    for prefix in ("/api/risk", "/risk/v1"):
        host = Flask("another")
        create_risk_routes(host, api, url_prefix=prefix)
        assert host.test_client().get(f"{prefix}/metrics").status_code == 200


def test_under_a_prefix_of_the_host(app):
    answer = app.test_client().get("/api/risk/metrics", environ_overrides={"SCRIPT_NAME": "/desk"})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("problem", "status", "code"),
    [
        (MarketDataError("/home/me/secret.csv, line 3"), 503, "UNAVAILABLE"),
        (ZeroDivisionError("/home/me/secret.csv"), 500, "INTERNAL_ERROR"),
    ],
)
@pytest.mark.parametrize("testing", [True, False])
def test_errors_tell_nothing_of_the_inside(app, api, monkeypatch, problem, status, code, testing):
    def fail(name):
        raise problem

    app.testing = testing
    monkeypatch.setattr(api, "view", fail)
    answer = app.test_client().get("/api/risk/metrics")
    assert answer.status_code == status
    assert answer.json["error"]["code"] == code
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text


def test_importing_does_not_import_flask():
    code = "import sys, risk_management.integration.dashboard_integration; assert 'flask' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
