"""Every figure: strict JSON in both themes, and the numbers of the view that it shows."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from risk_management import plots
from risk_management.clock import ManualClock
from risk_management.core.order_desk import OrderTicket
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.errors import InvalidRequest
from risk_management.integration.dashboard_integration import RiskDashboardAPI
from risk_management.plots.positions import positions_figure


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
    assert bars_of(made) == pytest.approx([max(use.use, 0.0) for use in looked.limits])
    first = looked.limits[0]
    assert f"{100 * first.used:.2f}% of {100 * first.limit:.2f}%" in made.layout.meta["finding"]


def labels(made) -> str:
    """All words in a figure: annotations and the names above bars."""
    named = [
        text for trace in made.data if trace.type == "scatter" and trace.mode == "text" for text in trace.text
    ]
    return " ".join([*filter(None, texts(made)), *named])


def test_the_treemap_sums_to_the_open_risk_of_all_positions(full):
    made = plots.figure("positions", full)
    (tree,) = made.data
    rows = full.heatmap()["positions"]
    leaves = {tree.labels[i]: tree.values[i] for i in range(len(tree.ids)) if tree.ids[i].count("/") == 2}
    assert leaves == {row["symbol"]: row["risk"] for row in rows}
    by_id = dict(zip(tree.ids, tree.values, strict=True))
    assert by_id["book"] == pytest.approx(sum(leaves.values()))
    for parent in set(tree.parents) - {""}:
        inside = sum(v for p, v in zip(tree.parents, tree.values, strict=True) if p == parent)
        assert by_id[parent] == pytest.approx(inside), parent
    colours = dict(zip(tree.labels, tree.marker.colors, strict=True))
    assert colours["SPY"] == pytest.approx(410.0 / 400.0 - 1.0)
    assert colours["AAPL"] == pytest.approx(60.0 / 900.0), "a short gains by a fall"


@pytest.mark.parametrize("by", ["sector", "strategy", "bot"])
def test_the_treemap_groups_by_what_is_asked(full, by):
    (tree,) = positions_figure(full.heatmap(), by=by).data
    groups = {i.removeprefix(f"{by}/") for i in tree.ids if i.count("/") == 1}
    assert groups == {row[by] or f"no {by}" for row in full.heatmap()["positions"]}


def test_heat_points_of_the_clusters_sum_to_the_heat(full):
    looked = full.manager.look()
    whole, *clusters = bars_of(plots.figure("heat", full))
    assert whole == pytest.approx(looked.heat.raw_heat)
    assert sum(clusters) == pytest.approx(whole)


def test_the_correlation_matrix_is_that_of_the_assessment_in_the_order_of_its_tree(full):
    found = full.manager.look().correlation
    made = plots.figure("correlation", full)
    (cells,) = [trace for trace in made.data if trace.type == "heatmap"]
    order = [found.symbols.index(name) for name in made.layout.xaxis.ticktext]
    assert sorted(order) == list(range(len(found.symbols)))
    assert np.array(cells.z) == pytest.approx(found.matrix[np.ix_(order, order)])
    assert f"{found.max_pairwise_correlation:.2f}" in made.layout.meta["finding"]


def test_a_cell_of_the_matrix_names_its_pair_and_the_pair_is_drawn(full):
    cells = next(trace for trace in plots.figure("correlation", full).data if trace.type == "heatmap")
    names = list(full.correlation()["symbols"])
    assert {pair for row in cells.customdata for pair in row} == {f"{a}~{b}" for a in names for b in names}
    view = full.pair("SPY", "KO")
    made = plots.pair_figure(view)
    assert list(made.data[0].y) == view["rho"]
    assert f"{view['rho'][-1]:.2f}" in made.layout.meta["finding"]


def test_var_methods_and_components_are_those_of_the_summary(full):
    summary = full.manager.var_calculator.calculate_portfolio_var()
    made = plots.figure("var_methods", full)
    (var,) = [trace for trace in made.data if trace.name == "VaR"]
    wanted = sorted(r.var_pct for r in summary.total_var.values() if (r.confidence, r.horizon) == (0.95, 1))
    assert list(var.x) == pytest.approx(wanted)
    assert (
        f"VaR {summary.headline.var_pct:.2%} of equity, limit {summary.limit:.2%}"
        in made.layout.meta["finding"]
    )
    parts = bars_of(plots.figure("var_components", full))
    assert parts == pytest.approx(sorted((c.component_var for c in summary.by_symbol.values()), reverse=True))
    assert sum(parts) == pytest.approx(summary.headline.var_value)


def test_the_distribution_counts_every_scenario_once(full):
    state = full.manager.state
    made = plots.figure("distribution", full)
    (columns,) = made.data
    assert sum(columns.y) == len(state.totals.pnl)
    worst = state.totals.pnl.min() / state.equity
    assert columns.x[0] - columns.width[0] / 2.0 == pytest.approx(worst)
    held = full.manager.var_calculator.calculate_portfolio_var().headline
    assert f"more than {held.var_pct:.2%}; then {held.es_pct:.2%}" in made.layout.meta["finding"]


def test_exceptions_are_the_days_below_their_var(full):
    found = full.manager.var_calculator.backtest([full.manager.config.var_config.default_method], years=4.0)
    made = plots.figure("var_backtest", full)
    days, var, over = made.data
    assert len(over.x) == int(found.exceptions(found.default, 0.95).sum())
    assert len(days.x) == len(var.x) == len(found.dates)


def test_stress_bars_are_the_losses_of_the_suite(full):
    suite = full.manager.stress_tester.run_full_stress_suite()
    losses = sorted((-result.portfolio_pnl_pct for result in suite.results.values()), reverse=True)
    bars = bars_of(plots.figure("stress", full))
    assert bars == pytest.approx(losses[: len(bars)])


def test_reverse_stress_says_the_distance_of_each_limit(full):
    tester = full.manager.stress_tester
    wanted = [tester.run_reverse_stress(limit) for limit in ("daily_loss", "drawdown", "liquidation")]
    found = sorted(r.distance for r in wanted if r.status == "ok")
    assert bars_of(plots.figure("reverse_stress", full)) == pytest.approx(found)


def test_bots_show_what_they_use_and_their_budget(full):
    view = full.bots()
    made = plots.figure("bots", full)
    assert sorted(bars_of(made)) == pytest.approx(sorted(bot["limits"]["used"] for bot in view["bots"]))
    assert "RSI2" in labels(made)


def test_what_has_no_history_says_so_and_draws_nothing(full):
    for name in ("equity", "drawdown", "decisions"):
        made = plots.figure(name, full)
        assert not made.data
        assert "No history yet" in labels(made).replace("<br>", " ")


def test_equity_drawdown_and_decisions_of_a_store(foundation, tmp_path):
    clock = ManualClock(foundation.clock.now())
    config = foundation.config.update(store=str(tmp_path / "risk.db"), bot_config={"register_unknown": True})
    manager = AdvancedRiskManager.on(replace(foundation, config=config, clock=clock))
    manager.add_position("SPY", 5000, 400.0)
    prices = [400.0, 408.0, 396.0, 399.0]
    outcomes = []
    for day, price in enumerate(prices):
        manager.update_prices({"SPY": price, "KO": 60.0})
        manager.assess_overall_risk()
        for number, size in enumerate((300.0, 9000.0)):
            said = manager.request_trade(
                OrderTicket("KO", "buy", size, bot_name="RSI2", request_id=f"{day}-{number}")
            )
            outcomes.append(said.outcome)
        clock.advance(86_400.0)
    manager.assess_overall_risk()
    manager.emergency_stop("to see it", actor="me")
    api = RiskDashboardAPI(manager)
    equity = plots.figure("equity", api)
    line, *marks = equity.data
    assert line.y[-1] == pytest.approx(manager.state.equity)
    assert {"stop", "alert"} <= {trace.name for trace in marks}
    alerts = api.history()["alerts"]["told"]
    assert len({alert["alert_id"] for alert in alerts}) == len(alerts) > 1, "each once"
    assert "to see it" in " ".join(text for trace in marks for text in trace.hovertext)
    line, *marks = plots.figure("drawdown", api).data
    assert {"stop", "alert"} <= {trace.name for trace in marks}
    under = line.y
    assert under[-1] == pytest.approx(-manager.look().metrics["drawdown"])
    assert min(under) == pytest.approx(9_950.0 / 10_100.0 - 1.0), "from the second day's mark"
    bars = {trace.name: sum(trace.y) for trace in plots.figure("decisions", api).data}
    assert bars == {name: outcomes.count(name) for name in ("approved", "cut", "refused")}
    manager.request_trade(OrderTicket("KO", "buy", 300.0, bot_name="RSI2", request_id="late"))
    bars = {trace.name: sum(trace.y) for trace in plots.figure("decisions", api).data}
    assert bars["refused"] == outcomes.count("refused") + 1, "only what is new is read, and it is"
    manager.close()


def test_names_of_a_user_are_no_tags(foundation):
    manager = manager_on(foundation)
    manager.register_bot("<b>x</b>", "<i>s</i>", 1000)
    manager.add_position("SPY", 1000, 400.0, "<i>s</i>", bot_name="<b>x</b>")
    api = RiskDashboardAPI(manager)
    for name in plots.names():
        drawn = plots.figure(name, api).to_plotly_json()
        drawn["layout"].pop("meta")  # plain text for a page, which escapes it
        written = json.dumps(drawn)
        assert "<b>x</b>" not in written
        assert "<i>s" not in written
