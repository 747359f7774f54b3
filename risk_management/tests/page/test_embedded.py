"""The page in somebody's own Flask app, under a prefix: it shows, and acts with a token alone."""

from __future__ import annotations

import secrets
import threading
from dataclasses import replace

import pytest
from flask import Flask
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.serving import make_server
from werkzeug.wrappers import Response

from risk_management.clock import ManualClock
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.integration.dashboard_integration import RiskDashboardAPI, create_risk_routes
from risk_management.model.portfolio import TradingMode


@pytest.fixture
def host(foundation, monkeypatch):
    secret = secrets.token_urlsafe(32)
    monkeypatch.setenv("RISK_TOKEN", secret)
    manager = AdvancedRiskManager.on(replace(foundation, clock=ManualClock(foundation.clock.now())))
    manager.add_position("KO", 500, 60.0, "value")
    app = Flask("host")
    create_risk_routes(app, RiskDashboardAPI(manager), url_prefix="/risk")
    mounted = DispatcherMiddleware(Response("host", status=404), {"/desk": app})
    server = make_server("127.0.0.1", 0, mounted, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield manager, f"http://127.0.0.1:{server.server_port}", secret
    server.shutdown()
    thread.join(10)
    server.server_close()


def test_the_page_in_somebodys_app(visit, host):
    manager, address, secret = host
    visitor = visit(address)
    page = visitor.page
    page.goto(f"{address}/desk/risk/dashboard")
    page.get_by_text("Asking every 2 s").wait_for()  # the host's threads are not ours to hold
    page.goto(f"{address}/desk/risk/dashboard#/heatmap")
    page.locator("[data-drawn=positions] .main-svg").first.wait_for()
    assert page.locator("[data-panel=positions] tbody tr").count() == 1
    page.goto(f"{address}/desk/risk/dashboard#/overview")
    page.get_by_text("Sign in to read what was done").wait_for()
    page.get_by_role("button", name="Halt everything").click(force=True)
    page.get_by_label("Token").fill(secret)
    page.get_by_role("dialog").get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Signed in as RISK_TOKEN").wait_for()
    page.get_by_role("button", name="Halt everything").click()
    visitor.fill(reason="from the host's page", confirm="portfolio")
    page.get_by_role("dialog").get_by_role("button", name="Halt all trading").click()
    page.locator(".verdict.bad strong").get_by_text("Halted").wait_for()
    assert manager.state.mode is TradingMode.HALTED
