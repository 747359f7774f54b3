"""Every figure: strict JSON in both themes, and the numbers of the view that it shows."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from risk_management import plots
from risk_management.clock import ManualClock
from risk_management.core.order_desk import OrderTicket
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.errors import InvalidRequest
from risk_management.integration.dashboard_integration import RiskDashboardAPI


def manager_on(foundation) -> AdvancedRiskManager:
    return AdvancedRiskManager.on(replace(foundation, clock=ManualClock(foundation.clock.now())))


@pytest.fixture
def empty(foundation) -> RiskDashboardAPI:
    return RiskDashboardAPI(manager_on(foundation))


@pytest.fixture
def full(foundation) -> RiskDashboardAPI:
    """A book with longs, a short, a stop, an unknown name, two bots, and an order on its way."""
    manager = manager_on(foundation)
    manager.register_bot("RSI2", "mean_reversion", 3000, 0.25)
    manager.register_bot("sleeper", "trend")
    manager.add_position("SPY", 2000, 400.0, "momentum", risk_amount=100)
    manager.add_position("AAPL", -900, 150.0, "value")
    manager.add_position("NOBODY", 300, 10.0, "momentum")
    manager.add_position("KO", 800, 60.0, "mean_reversion", bot_name="RSI2")
    manager.update_prices({"SPY": 410.0, "KO": 57.0, "AAPL": 140.0})
    manager.request_trade(OrderTicket("XOM", "buy", 300.0, bot_name="RSI2", strategy="mean_reversion"))
    manager.assess_overall_risk()
    return RiskDashboardAPI(manager)


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("name", plots.names())
@pytest.mark.parametrize("which", ["empty", "full"])
def test_every_figure_is_strict_json_and_says_what_it_shows(request, which, name, theme):
    made = plots.figure(name, request.getfixturevalue(which), theme=theme)
    written = json.dumps(made.to_plotly_json(), allow_nan=False)
    assert "bdata" not in written, "plain lists, so that a page may extend them"
    meta = made.layout.meta
    assert made.layout.title.text.replace("<br>", " ") == meta["finding"].replace("&", "&amp;")
    assert meta["finding"]
    shown = " ".join(meta["notes"])
    assert "sample data, for demonstration" in shown
    json.dumps(plots.bare(made).to_plotly_json(), allow_nan=False)


def test_a_wrong_name_or_theme_is_said(full):
    with pytest.raises(InvalidRequest, match="no figure is called 'limit'; there are limits"):
        plots.figure("limit", full)
    with pytest.raises(InvalidRequest, match="no theme is called 'pink'; write dark or light"):
        plots.figure("limits", full, theme="pink")


def bars_of(made) -> list[float]:
    """Lengths of the bars that can be pointed at."""
    return [float(x) for trace in made.data if trace.type == "bar" and trace.hovertemplate for x in trace.x]


def texts(made) -> list[str]:
    return [annotation.text for annotation in made.layout.annotations]


def test_limits_are_those_of_the_assessment(full):
    looked = full.manager.look()
    made = plots.figure("limits", full)
    assert bars_of(made) == pytest.approx([use.use for use in looked.limits])
    first = looked.limits[0]
    assert f"{100 * first.used:.2f}% of {100 * first.limit:.2f}%" in made.layout.meta["finding"]
