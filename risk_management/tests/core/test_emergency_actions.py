"""What emergency rows do, each against an oracle; rows over a part of the book; cool-downs."""

from __future__ import annotations

import ast
import importlib
import itertools
import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

import risk_management.core
from risk_management.config.risk_config import DrawdownConfig, RiskManagementConfig, load_risk_config
from risk_management.core.drawdown import begin
from risk_management.core.emergency import EmergencyAction, EmergencyRow, step
from risk_management.core.emergency_rows import emergency_rows
from risk_management.core.order_desk import OrderTicket
from risk_management.core.reduction import best_value_first, cost_rate, cut_cluster, cut_to_var
from risk_management.errors import ConfigurationError
from risk_management.model.drawdown import Recovery
from risk_management.model.emergency import EmergencyMemory
from risk_management.model.money import SCALE
from risk_management.model.portfolio import OWN_CAUSES, SYSTEM, Scope, TradingMode

DAY = date(2020, 3, 16)


def row(action, **facts):
    return {"name": "mine", "metric": "gross_exposure", "threshold": 0.3, "action": action, **facts}


def book(make_manager, *rows, **money):
    manager, clock = make_manager(portfolio_value=100_000.0, emergency_config={"rows": rows})
    manager.register_bot("a", "trend", 100_000.0)
    manager.register_bot("b", "mean")
    for symbol, size in money.items():
        bot = "b" if symbol in ("KO", "JPM") else "a"
        strategy = manager.state.bots[bot].strategy
        manager.add_position(symbol, size, 100.0, strategy, bot_name=bot)
        manager.update_prices({symbol: 100.0})
    return manager, clock


def working(manager):
    return {r.request_id for r in manager.state.reservations.values()}


def ask(manager, request_id, symbol="XOM", bot="a", size=300.0, action="buy"):
    return manager.request_trade(OrderTicket(symbol, action, size, bot_name=bot, request_id=request_id))


def test_scale_down_multiplies_sizes_while_it_holds(make_manager):
    manager, clock = book(make_manager, row("scale_down", amount=0.5, release=0.29), AAPL=29_900.0)
    before = ask(manager, "1", bot="b", size=10_000.0).recommended_size
    manager.desk.cancel("1")
    manager.update_prices({"AAPL": 101.0})
    manager.assess_overall_risk()
    assert manager.state.drawdown.effective_multiplier == 0.5
    clock.advance(60.0)
    decision = ask(manager, "2", bot="b", size=10_000.0)
    after = decision.recommended_size
    assert decision.approved, decision.explain()
    assert after == pytest.approx(0.5 * before, rel=0.02)
    assert "SCALED_DOWN" in decision.rejection_reasons
    assert "DRAWDOWN_LIMIT" not in decision.rejection_reasons
    assert "row mine holds: new positions stand at 50.00% of their size" in decision.explain()
    manager.desk.cancel("2")
    for price in (97.0, 94.0):
        manager.update_prices({"AAPL": price})
    manager.assess_overall_risk()
    assert manager.state.drawdown.effective_multiplier == 1.0


@pytest.mark.parametrize(
    ("tier", "tranche", "scales", "multiplier", "row_named"),
    [
        (1.0, None, (), 1.0, ""),
        (1.0, None, (("a", 0.7), ("b", 0.5)), 0.5, "b"),
        (0.5, None, (("a", 0.7),), 0.5, ""),
        (0.5, None, (("a", 0.5),), 0.5, ""),
        (0.0, None, (("a", 0.1),), 0.0, ""),
        (0.0, 0.25, (("a", 0.1),), 0.1, "a"),
        (0.0, 0.25, (("a", 0.5),), 0.25, ""),
    ],
)
def test_of_tier_and_rows_the_smallest_is_said(tier, tranche, scales, multiplier, row_named):
    begun = begin(10_000.0, datetime(2020, 3, 16, tzinfo=UTC), DrawdownConfig())
    recovery = None if tranche is None else Recovery(tranche, 1.0, DAY)
    drawdown = replace(begun, multiplier=tier, recovery=recovery, scales=scales)
    assert (drawdown.effective_multiplier, drawdown.scaling_row) == (multiplier, row_named)


def test_cancel_open_orders_keeps_what_protects(make_manager):
    manager, _ = book(make_manager, row("cancel_open_orders"), AAPL=31_000.0)
    ask(manager, "entry")
    ask(manager, "exit", "AAPL", action="sell", size=1_000.0)
    manager.assess_overall_risk()
    assert working(manager) == {"exit"}
    assert manager.state.mode is TradingMode.ACTIVE


def test_reduce_only_and_halt_over_one_bot_leave_the_others(make_manager):
    for action, mode in (("reduce_only", TradingMode.REDUCING), ("halt", TradingMode.HALTED)):
        manager, _ = book(make_manager, row(action, scope="bot"), AAPL=31_000.0, KO=5_000.0)
        ask(manager, "hers")
        ask(manager, "his", "PG", bot="b")
        manager.assess_overall_risk()
        assert manager.state.mode_of(Scope.BOT, "a") is mode
        assert manager.state.mode_of(Scope.BOT, "b") is TradingMode.ACTIVE
        assert manager.state.mode is TradingMode.ACTIVE
        assert ("hers" in working(manager)) is (action == "reduce_only")
        assert "his" in working(manager)
    manager.set_mode(TradingMode.ACTIVE, "looked at", scope=Scope.BOT, name="a")
    assert manager.state.mode_of(Scope.BOT, "a") is TradingMode.ACTIVE


def test_a_row_s_hold_ends_by_itself_below_its_release(make_manager):
    mine = row("reduce_only", scope="symbol", subject="AAPL", release=0.25)
    manager, _ = book(make_manager, mine, AAPL=31_000.0)
    manager.assess_overall_risk()
    assert manager.state.mode_of(Scope.SYMBOL, "AAPL") is TradingMode.REDUCING
    for size, mode in ((3_000.0, TradingMode.REDUCING), (5_000.0, TradingMode.ACTIVE)):
        manager.record_fill("AAPL", "sell", size / 100.0, 100.0, execution_id=str(size), bot_name="a")
        manager.assess_overall_risk()
        assert manager.state.mode_of(Scope.SYMBOL, "AAPL") is mode


@pytest.mark.parametrize(
    ("scope", "subject", "left"),
    [("bot", "a", {"KO", "JPM"}), ("strategy", "trend", {"KO", "JPM"}), ("symbol", "", {"KO", "JPM", "PG"})],
)
def test_liquidate_over_a_part_closes_that_part_alone(make_manager, scope, subject, left):
    mine = row("liquidate", scope=scope, subject=subject, confirmations=2)
    manager, _ = book(make_manager, mine, AAPL=31_000.0, PG=2_000.0, KO=3_000.0, JPM=4_000.0)
    manager.assess_overall_risk(confirmed=False)
    named = subject or "AAPL"
    assert manager.state.mode_of(Scope(scope), named) is TradingMode.REDUCING  # it waits for a second look
    manager.update_prices({"AAPL": 100.5})
    manager.assess_overall_risk(confirmed=False)
    assert {key.symbol for key in manager.state.positions} == left
    assert manager.state.mode_of(Scope(scope), named) is TradingMode.HALTED
    assert manager.state.mode is TradingMode.ACTIVE


def test_an_engine_whose_book_another_may_have_liquidates_nothing(make_manager, monkeypatch):
    """Two engines of one account that both act on the same fall would sell everything twice."""
    manager, _ = book(make_manager, row("liquidate"), AAPL=31_000.0)
    with monkeypatch.context() as patch:
        patch.setattr(type(manager.book), "may_be_taken", True)
        manager.assess_overall_risk(confirmed=True)
        assert manager.state.positions
    manager.assess_overall_risk(confirmed=True)
    assert not manager.state.positions


def test_the_loss_of_a_symbol_bot_and_strategy_are_measured(make_manager):
    watched = (("symbol", "AAPL", 0.04), ("bot", "a", 0.02), ("strategy", "trend", 0.0345))
    for scope, subject, threshold in watched:
        mine = row("warn", metric="drawdown", scope=scope, subject=subject, threshold=threshold)
        manager, _ = book(make_manager, mine, AAPL=50_000.0, KO=5_000.0)
        manager.assess_overall_risk()
        manager.update_prices({"AAPL": 96.01})
        assert not manager.assess_overall_risk().emergencies
        manager.update_prices({"AAPL": 96.0 if scope == "symbol" else 95.9})
        said = manager.assess_overall_risk().emergencies
        assert len(said) == 1
        if scope == "symbol":  # 4 % of its cost
            assert said == ("drawdown of symbol AAPL 4.00% (threshold 4.00%)",)


def test_a_loss_of_what_may_hold_nothing_is_acted_on(make_manager):
    """The least that can be set for a bot and a strategy switches their own stops off no more."""
    mine = row("halt", metric="drawdown", scope="strategy", subject="trend", threshold=0.1)
    manager, _ = book(make_manager, mine)
    manager.register_bot("c", "trend")
    manager.add_position("AAPL", 30_000.0, 100.0, "trend", bot_name="c")
    manager.update_prices({"AAPL": 100.0})
    manager.reconfigure(
        manager.config.update(
            bot_config={"max_exposure": 0.0}, portfolio_limits={"max_strategy_exposure": 0.0}
        ),
        actor="ops",
    )
    manager.assess_overall_risk()
    assert manager.state.bots["c"].enabled
    assert manager.state.mode_of(Scope.STRATEGY, "trend") is TradingMode.ACTIVE
    manager.update_prices({"AAPL": 97.0})
    manager.assess_overall_risk()
    assert manager.state.bots["c"].disabled_reason.startswith("lost 900.00, all of what it may hold")
    assert manager.state.mode_of(Scope.STRATEGY, "trend") is TradingMode.HALTED
    assert (Scope.STRATEGY, "trend", "strategy_drawdown") in manager.state.holds


def test_the_largest_cluster_is_cut_the_cheapest_first(make_manager):
    """Fractional knapsack: by brute force over every sequence no other one costs less."""
    manager, _ = make_manager(portfolio_value=100_000.0)
    state = manager.state
    labels = state.model.cluster
    stocks = [s for s in state.model.matrix.symbols if s not in ("SPY", "QQQ")]
    groups = {}
    for symbol in stocks:
        groups.setdefault(labels[state.model.columns[symbol]], []).append(symbol)
    members = max(groups.values(), key=len)[:4]
    assert len(members) >= 2
    for number, symbol in enumerate(members):
        volume = 200.0 * (number + 1) ** 2
        known = manager.state.instruments[symbol]
        manager.define_instrument(
            type(known)(**{**{f: getattr(known, f) for f in known.__slots__}, "average_daily_volume": volume})
        )
        manager.add_position(symbol, 8_000.0, 100.0)
    settings, target = manager.config.liquidation_config, 0.4 * 8_000.0 * len(members)
    cuts = cut_cluster(manager.state, settings, target, "x")
    positions = {p.symbol: p for p in manager.state.positions.values()}
    rates = {s: cost_rate(manager.state, settings, p) for s, p in positions.items()}
    ours = sum(-c.quantity / SCALE * 100.0 * rates[c.key.symbol] for c in cuts)
    assert sum(-c.quantity / SCALE * 100.0 for c in cuts) == pytest.approx(8_000.0 * len(members) - target)

    def cost(sequence):
        need, paid = 8_000.0 * len(members) - target, 0.0
        for symbol in sequence:
            taken = min(need, 8_000.0)
            need, paid = need - taken, paid + taken * rates[symbol]
        return paid

    assert ours == pytest.approx(min(cost(s) for s in itertools.permutations(members)), rel=1e-6)


def test_trim_to_an_amount_meets_it_with_no_more_than_needed(make_manager):
    held = {"AAPL": 20_000.0, "XOM": 20_000.0, "KO": 20_000.0, "SPY": 20_000.0}
    manager, _ = book(make_manager, row("trim", amount=0.25), **held)
    manager.assess_overall_risk()
    gross = (manager.state.totals.long + manager.state.totals.short) / SCALE
    assert gross == pytest.approx(25_000.0, abs=0.01)
    manager, _ = book(make_manager, **held)
    state = manager.state
    order = best_value_first(state, manager.config.liquidation_config)
    pnl = state.totals.pnl
    value = {}
    for p in order:  # by numpy alone: covariance with the book for each unit of expected cost
        column = state.model.scenarios[:, state.model.columns[p.symbol]]
        value[p.symbol] = np.cov(column, pnl)[0, 1] / {"SPY": 0.0002}.get(p.symbol, 0.0005)
    assert [p.symbol for p in order] == sorted(value, key=lambda s: -value[s])
    cuts = cut_to_var(state, 500.0, "x", order)
    after = pnl.copy()
    for cut in cuts:
        after += cut.quantity / SCALE * 100.0 * state.model.scenarios[:, state.model.columns[cut.key.symbol]]
    assert -np.quantile(after, 0.05) == pytest.approx(500.0, abs=0.01)


def test_a_row_that_acted_cools_down(make_manager):
    mine = EmergencyRow("x", "drawdown", 0.1, EmergencyAction.WARN, cooldown=60.0)
    memory, acted = EmergencyMemory(), []
    start = datetime(2020, 3, 16, 15, 0, tzinfo=UTC)
    for seconds, value in ((0, 0.2), (10, 0.05), (20, 0.2), (59, 0.2), (60, 0.2), (61, 0.2)):
        now = start + timedelta(seconds=seconds)
        result = step([mine], {"drawdown": value}, memory, DAY, now=now)
        memory = result.memory
        acted += [seconds] * len(result.acting)
    assert acted == [0, 60]


@pytest.mark.parametrize(
    "wrong",
    [
        row("scale_down"),
        row("scale_down", amount=0.0),
        row("scale_down", amount=0.5, scope="bot"),
        row("trim", scope="symbol"),
        row("halt", scope="bot", metric="var_95"),
        row("halt", subject="a"),
        row("warn", release=0.4),
    ],
)
def test_rows_that_mean_nothing_are_refused(foundation, wrong):
    with pytest.raises(ConfigurationError, match="mine"):
        emergency_rows(foundation.config.update(emergency_config={"rows": (wrong,)}))


@pytest.mark.parametrize("name", sorted({*OWN_CAUSES, "heartbeat:feed:yahoo", "liquidation:1"}))
def test_no_row_goes_by_what_another_stop_goes_by(make_manager, name):
    """Its hold would take the place of a person's stop, and end it when the row ends."""
    manager, _ = book(make_manager, AAPL=31_000.0)
    manager.emergency_stop("fire", actor="ann")
    with pytest.raises(ConfigurationError, match=f"'{name}' is what another stop of the system goes by"):
        manager.reconfigure(
            manager.config.update(emergency_config={"rows": ({**row("reduce_only"), "name": name},)}),
            actor="bob",
        )
    manager.assess_overall_risk()
    assert manager.state.is_stopped


def test_every_cause_of_a_hold_is_kept_from_rows():
    """Oracle: the source. What the core names a hold by is an own cause, or the name of a built-in row."""
    rows = {one.name for one in emergency_rows(RiskManagementConfig())}
    root, found = Path(risk_management.core.__file__).parent, {}
    for path in root.rglob("*.py"):
        where = ".".join(("risk_management.core", *path.relative_to(root).with_suffix("").parts))
        module = importlib.import_module(where.removesuffix(".__init__"))
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(func=ast.Name("Hold" | "_hold") | ast.Attribute(attr="stop"), args=parts):
                    pass
                case ast.Tuple(elts=[ast.Attribute(ast.Name("Scope")), *parts]):
                    pass
                case _:
                    continue
            said = [p.value for p in parts if isinstance(p, ast.Constant)]
            said += [getattr(module, p.id, None) for p in parts if isinstance(p, ast.Name)]
            found |= {cause: where for cause in said if isinstance(cause, str)}
    causes = found.keys() - {"", SYSTEM} - rows
    assert {"emergency_stop", "ledger", "liquidation", "price_jump", "store", "unreconciled"} <= causes
    assert causes <= OWN_CAUSES, {cause: found[cause] for cause in causes - OWN_CAUSES}


def test_a_row_makes_no_stop_laxer(make_manager):
    """What it halted before its settings changed is ended by a person, not by what the row does now."""
    manager, clock = book(make_manager, row("halt"), AAPL=31_000.0)
    manager.assess_overall_risk()
    assert manager.state.mode is TradingMode.HALTED
    laxer = row("reduce_only", cooldown=1.0)
    manager.reconfigure(manager.config.update(emergency_config={"rows": (laxer,)}), actor="bob")
    for seconds, size in ((0, None), (10, None), (20, 5_000.0)):
        clock.advance(seconds)
        if size:
            manager.record_fill("AAPL", "sell", size / 100.0, 100.0, execution_id="e", bot_name="a")
        manager.update_prices({"AAPL": 100.0 + seconds / 100.0})
        manager.assess_overall_risk()
        (hold,) = manager.state.holds.values()
        assert (hold.mode, hold.latched) == (TradingMode.HALTED, True)
    assert manager.release_emergency("ann", "looked at")
    assert manager.state.mode is TradingMode.ACTIVE


PAGE = Path(__file__).resolve().parents[3] / "docs" / "emergencies.md"


@pytest.mark.skipif(not PAGE.is_file(), reason="the docs are not in the installed package")
def test_the_page_says_the_figures_of_the_defaults():
    config = RiskManagementConfig()
    drawdown, emergency, correlation = (
        config.drawdown_config,
        config.emergency_config,
        config.correlation_config,
    )
    lines = {
        name: line
        for line in PAGE.read_text(encoding="utf-8").splitlines()
        if line.startswith("|")
        for name in line.split("|")[1].replace("`", "").split(",")
        for name in [name.strip()]
    }

    def has(name, *figures):
        for figure in figures:
            assert figure in lines[name], (name, figure)

    def percent(value):
        return f"{100.0 * value:g} %"

    rows = {row.name: row for row in emergency_rows(config)}
    assert rows.keys() <= lines.keys()
    has("emergency_drawdown", percent(emergency.liquidation_drawdown), f"after {emergency.confirmations} ")
    has("drawdown_trim", percent(drawdown.max_portfolio_drawdown), f"{100 * drawdown.hysteresis:g} points")
    has("var_halt", percent(emergency.var_halt), percent(emergency.var_release), "two trading days")
    has("var_trim", percent(emergency.var_trim), "three days")
    assert (emergency.var_release_days, emergency.var_trim_days) == (2, 3)
    has("correlation_spike", percent(correlation.spike_weight))
    for level in (correlation.spike_pair, correlation.spike_rise, correlation.spike_average):
        has("correlation_spike", f"{level:.2f}")
    has("daily_loss", percent(drawdown.daily_loss_limit), percent(drawdown.weekly_loss_limit))
    has("rolling_loss", percent(drawdown.rolling_loss_limit), percent(rows["rolling_loss"].release))
    has("rolling_loss", f"{drawdown.rolling_days} trading days")
    has("system_error", f"{emergency.max_check_errors} decisions")
    levels = drawdown.tier_levels()
    tiers = next(line for name, line in lines.items() if name.startswith("drawdown 5 %"))
    for level, multiplier in levels:
        assert percent(level) in tiers
        assert multiplier == 0.0 or percent(multiplier) in tiers
    has("a bot lost 15 % of what it may hold", percent(drawdown.max_bot_drawdown))
    has("a strategy lost 15 % of its budget", percent(drawdown.max_strategy_drawdown))
    orders = config.order_config
    most = f"{orders.runaway_multiple * orders.max_orders_per_minute:g} times"
    has(f"a bot asks more than {most} in a minute (3 x 20)", most)


@pytest.mark.skipif(not PAGE.is_file(), reason="the docs are not in the installed package")
def test_the_page_s_rows_are_rows_and_its_snippet_runs(foundation, tmp_path):
    text = PAGE.read_text(encoding="utf-8")
    rows, code = (re.findall(rf"```{kind}\n(.*?)```", text, re.S) for kind in ("toml", "python"))
    (tmp_path / "risk.toml").write_text("".join(rows))
    assert [row.name for row in emergency_rows(load_risk_config(tmp_path / "risk.toml"))][-2:] == [
        "bot_bleeds",
        "crowded",
    ]
    found: dict[str, object] = {}
    exec("".join(code), found)  # noqa: S102 - our own page
    assert not found["manager"].state.positions
    for action in EmergencyAction:
        assert f"| `{action.value}` |" in text
