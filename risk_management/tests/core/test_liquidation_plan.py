"""The plan of a liquidation against brute force: risk on its path, lots, dust, markets that do not trade."""

from __future__ import annotations

import itertools
import math
import random
from collections import defaultdict

import numpy as np
import pytest

from risk_management.core.liquidation.cost import impact_cost
from risk_management.core.liquidation.plan import plan_liquidation
from risk_management.errors import InvalidRequest
from risk_management.model.broker import MarketState, MarketStatus
from risk_management.model.liquidation import EVERYTHING, LiquidationScope, SentOrder
from risk_management.model.money import SCALE
from risk_management.model.portfolio import PositionKey

STOCKS = ("AAPL", "MSFT", "KO", "JPM", "XOM", "PG", "SPY", "QQQ")


def market(manager, symbol, price=100.0, status=MarketStatus.OPEN, spread=0.0004, **facts):
    half = 0.5 * spread * price
    return MarketState(
        symbol,
        status,
        manager.clock.now(),
        bid=price - half,
        ask=price + half,
        normal_spread=0.0004,
        daily_volume=facts.pop("daily_volume", 1e6),
        **facts,
    )


def markets(manager, **changed):
    symbols = {key.symbol for key in manager.state.positions}
    return {s: changed.get(s) or market(manager, s) for s in symbols}


def plan(manager, scope="everything", known=None, **settings):
    config = manager.config.update(liquidation_config=settings) if settings else manager.config
    told = markets(manager) if known is None else known
    scope = LiquidationScope.of(scope)
    return plan_liquidation(manager.state, config, scope, told, manager.clock.now())


def hold(manager, **money):
    for symbol, size in money.items():
        manager.add_position(symbol, size, 100.0, bot_name="a")
        manager.update_prices({symbol: 100.0})


def tails(manager, units):
    """VaR and ES of a book of units at 100, by numpy alone."""
    model = manager.state.model
    rows = model.scenarios[:, [model.columns[s] for s in units]]
    pnl = rows @ np.array([100.0 * u for u in units.values()])
    ordered = np.sort(pnl)
    mass = 0.025 * len(pnl)
    whole = math.floor(mass)
    es = -(ordered[:whole].sum() + (mass - whole) * ordered[whole]) / mass
    return -np.quantile(pnl, 0.05), es


def walked(manager, made):
    """Units left behind each step, from the positions and the plan's orders alone."""
    units = defaultdict(float)
    for key, position in manager.state.positions.items():
        units[key.symbol] += position.quantity / SCALE
    yield dict(units)
    for step in made.steps:
        for order in step.orders:
            units[order.symbol] += order.quantity / SCALE
        yield dict(units)


@pytest.mark.parametrize("seed", range(40))
def test_risk_never_rises_on_the_way_and_the_end_is_flat(make_manager, seed):
    """Random books, long and short, in slices: every step by brute force from units and returns."""
    draw = random.Random(seed)
    manager, _ = make_manager(portfolio_value=100_000.0)
    chosen = draw.sample(STOCKS, draw.randint(2, 7))
    hold(manager, **{s: draw.choice([1, -1]) * draw.uniform(500.0, 20_000.0) for s in chosen})
    volumes = {s: market(manager, s, daily_volume=draw.uniform(20.0, 2e4), lot=1) for s in chosen}
    made = plan(manager, known=volumes, max_slices=draw.randint(1, 9))
    seen = [tails(manager, units) for units in walked(manager, made)]
    for (var, es), (next_var, next_es) in itertools.pairwise(seen):
        assert next_var <= var + 1e-6
        assert next_es <= es + 1e-6
    *_, last = walked(manager, made)
    assert all(abs(units) < 1e-5 for units in last.values())
    assert not made.left
    points = [made.before, *(step.after for step in made.steps)]
    assert [p.var for p in points] == pytest.approx([var for var, _ in seen], abs=1e-5)
    assert [p.gross for p in points] == pytest.approx(
        [100.0 * sum(map(abs, units.values())) for units in walked(manager, made)], abs=1e-5
    )


def test_a_hedge_goes_with_what_it_hedges(make_manager):
    """Two owners of much the same risk: closing either alone, the larger first, would raise VaR."""
    manager, _ = make_manager(portfolio_value=100_000.0)
    hold(manager, SPY=10_000.0, QQQ=-9_000.0)
    var, _ = tails(manager, {"SPY": 100.0, "QQQ": -90.0})
    naive, _ = tails(manager, {"SPY": 0.0, "QQQ": -90.0})
    assert naive > var  # what a largest-first sequence would do
    made = plan(manager)
    assert [{o.symbol for o in step.orders} for step in made.steps][-1] == {"SPY", "QQQ"}


def test_what_can_not_trade_keeps_its_hedge(make_manager):
    manager, _ = make_manager(portfolio_value=100_000.0)
    hold(manager, SPY=10_000.0, QQQ=-4_000.0, KO=3_000.0)
    stopped = market(manager, "SPY", status=MarketStatus.HALTED)
    made = plan(manager, known=markets(manager, SPY=stopped))
    assert {one.symbol: one.why for one in made.waiting} == {"SPY": "halted", "QQQ": "hedge"}
    assert {o.symbol for o in made.orders} == {"KO"}


@pytest.mark.parametrize(
    ("status", "spread", "why"),
    [
        (MarketStatus.CLOSED, 0.0004, "closed"),
        (MarketStatus.AUCTION, 0.0004, "auction"),
        (MarketStatus.HALTED, 0.0004, "halted"),
        (MarketStatus.OPEN, 0.0020001, "wide_spread"),
        (MarketStatus.OPEN, 0.0020, ""),
        (MarketStatus.UNKNOWN, 0.0004, ""),
    ],
)
def test_the_market_s_state(make_manager, status, spread, why):
    """Nothing is sent into a closed market, and nothing into a spread of more than five times normal."""
    manager, _ = make_manager()
    hold(manager, KO=1_000.0)
    made = plan(manager, known={"KO": market(manager, "KO", status=status, spread=spread)})
    assert [one.why for one in made.waiting] == ([why] if why else [])
    assert bool(made.steps) is not bool(why)


def test_what_waits_is_hedged_where_the_settings_name_with_what(make_manager):
    manager, _ = make_manager(portfolio_value=100_000.0)
    hold(manager, AAPL=20_000.0)
    manager.update_prices({"SPY": 100.0})
    known = {
        "AAPL": market(manager, "AAPL", status=MarketStatus.CLOSED),
        "SPY": market(manager, "SPY"),
    }
    assert plan(manager, known=known).steps == ()
    made = plan(manager, known=known, hedge_symbol="SPY")
    (order,) = made.orders
    assert (order.symbol, order.side, order.reduce_only) == ("SPY", -1, False)
    aapl, spy = (manager.state.model.scenarios[:, manager.state.model.columns[s]] for s in ("AAPL", "SPY"))
    beta = np.polyfit(spy, aapl, 1)[0]
    assert order.notional == pytest.approx(20_000.0 * beta, rel=1e-4)
    assert made.after.var < made.before.var


def test_lots_least_orders_and_dust_are_said(make_manager):
    manager, _ = make_manager()
    hold(manager, KO=1_050.0, BTC=40.0)
    known = {
        "KO": market(manager, "KO", lot=SCALE),
        "BTC": market(manager, "BTC", min_notional=50.0, lot=100),
    }
    made = plan(manager, known=known)
    assert [(o.symbol, o.quantity) for o in made.orders] == [("KO", -10 * SCALE)]
    dust = {one.symbol: one for one in made.left}
    assert dust["KO"].quantity == SCALE // 2
    assert dust["BTC"].quantity == round(0.4 * SCALE)
    assert all(one.is_dust for one in made.left)
    assert "smallest order there is 50" in dust["BTC"].text
    assert "lots are 1" in dust["KO"].text


def test_slices_are_a_share_of_volume(make_manager):
    """10 % of 2,340 units a day of 23,400 s is a unit in 100 s: three in the 300 s of one order."""
    manager, _ = make_manager(portfolio_value=1e6)
    hold(manager, KO=3_000.0)
    made = plan(manager, known={"KO": market(manager, "KO", daily_volume=2_340.0)})
    assert [o.quantity / SCALE for o in made.orders] == pytest.approx([-3.0] * 10)
    assert [step.starts for step in made.steps] == pytest.approx([300.0 * n for n in range(10)])
    assert made.seconds == pytest.approx(3_000.0)


def test_coins_go_in_slices_that_only_reduce(make_manager):
    manager, _ = make_manager()
    hold(manager, BTC=1_000.0)
    made = plan(manager)
    assert [o.notional for o in made.orders] == pytest.approx([250.0] * 4)
    assert all(order.reduce_only for order in made.orders)


def test_the_cost_is_half_the_spread_and_the_square_root_of_the_share(make_manager):
    manager, _ = make_manager(portfolio_value=1e6)
    hold(manager, KO=10_000.0)
    made = plan(manager, known={"KO": market(manager, "KO", daily_volume=400.0)}, max_slices=3)
    volatility = manager.state.model.volatility[manager.state.model.columns["KO"]]
    assert made.spread_cost == pytest.approx(10_000.0 * 0.0002, rel=1e-5)
    assert made.impact_cost == pytest.approx(10_000.0 * volatility * math.sqrt(100.0 / 400.0), rel=1e-5)
    assert impact_cost(1.0, 4.0, 1.0, 0.01, 1.0) == pytest.approx(2.0 * impact_cost(1.0, 1.0, 1.0, 0.01, 1.0))
    unknown = plan(manager, known={})
    assert unknown.impact_cost == 0.0
    assert any("no daily volume is known of KO" in note for note in unknown.notes)


def test_what_the_broker_does_not_know_of_what_is_closed_is_said(make_manager):
    manager, _ = make_manager(portfolio_value=1e6)
    hold(manager, KO=10_000.0, SPY=10_000.0, AAPL=10_000.0)
    manager.add_position("JPM", 1000.0, 100.0, bot_name="b")
    bare = {s: MarketState(s, MarketStatus.UNKNOWN, manager.clock.now()) for s in ("KO", "JPM")}
    known = {**bare, "SPY": market(manager, "SPY", status=MarketStatus.UNKNOWN)}
    notes = " ".join(plan(manager, "bot:a", known).notes)
    assert "the broker has no price of KO now, nor says whether it is open" in notes
    assert "the broker does not say whether SPY is open" in notes
    assert "no market is told of AAPL" in notes
    assert "JPM" not in notes


def test_scopes(make_manager):
    manager, _ = make_manager(portfolio_value=100_000.0)
    manager.register_bot("a", "trend")
    manager.register_bot("b", "mean")
    for bot, symbol, size in (("a", "KO", 5_000.0), ("a", "AAPL", 4_000.0), ("b", "KO", -1_000.0)):
        manager.add_position(symbol, size, 100.0, manager.state.bots[bot].strategy, bot_name=bot)
    totals = {
        "everything": {"KO": -40.0, "AAPL": -40.0},
        "bot:a": {"KO": -50.0, "AAPL": -40.0},
        "strategy:mean": {"KO": 10.0},
        "symbol:KO": {"KO": -40.0},
        "cluster:AAPL": {"AAPL": -40.0},
    }
    for scope, expected in totals.items():
        found = defaultdict(float)
        for order in plan(manager, scope).orders:
            found[order.symbol] += order.quantity / SCALE
        assert dict(found) == pytest.approx(expected), scope
    assert plan(manager, "gross:0.05").after.gross == pytest.approx(5_000.0, abs=1.0)
    assert plan(manager, "var:0.0005").after.var == pytest.approx(50.0, abs=0.5)


@pytest.mark.parametrize(
    "text",
    ["", "all", "bot:", "everything:x", "gross:x", "gross:-1", "gross:1_0", "gross:٣", "var:nan", "cuts:x"],
)
def test_what_is_no_scope_is_refused(make_manager, text):
    manager, _ = make_manager()
    with pytest.raises(InvalidRequest):
        plan(manager, text)


def test_owners_of_both_sides_cross_each_other_first(make_manager):
    manager, _ = make_manager()
    manager.add_position("KO", 500.0, 100.0, bot_name="a")
    manager.add_position("KO", -500.0, 100.0, bot_name="b")
    (order,) = plan(manager).orders
    assert order.quantity == 0
    assert sorted(units / SCALE for _, units in order.parts) == [-5.0, 5.0]


def test_the_plan_s_id_names_positions_and_not_prices(make_manager):
    manager, _ = make_manager()
    hold(manager, KO=500.0)
    first = plan(manager).plan_id
    manager.update_prices({"KO": 101.0})
    assert plan(manager).plan_id == first
    hold(manager, AAPL=100.0)
    assert plan(manager).plan_id != first


@pytest.mark.parametrize("seed", range(20))
def test_owners_shares_do_not_depend_on_how_an_order_fills(seed):
    draw = random.Random(seed)
    keys = [PositionKey("main", "KO", "", name) for name in "abc"]
    parts = tuple((key, -draw.randint(1, 10**9)) for key in keys)
    whole = sum(units for _, units in parts)
    order = SentOrder("risk-x-1", "KO", whole, parts, None, reduce_only=True, sent_at=None)
    cuts = sorted({0, whole, *(draw.randint(whole, 0) for _ in range(6))}, reverse=True)
    found = defaultdict(int)
    for before, after in itertools.pairwise(cuts):
        shares = order.share(before, after)
        assert sum(units for _, units in shares) == after - before
        for key, units in shares:
            found[key] += units
    assert dict(found) == dict(parts)
    assert order.share(whole, whole - 5) == ((keys[0], -5),)


def test_every_symbol_of_the_book_is_planned_or_said(make_manager):
    manager, _ = make_manager(portfolio_value=1e6)
    hold(manager, **dict.fromkeys(STOCKS, 5_000.0))
    known = markets(manager, KO=market(manager, "KO", status=MarketStatus.CLOSED))
    known.pop("XOM")
    made = plan_liquidation(manager.state, manager.config, EVERYTHING, known, manager.clock.now())
    assert {o.symbol for o in made.orders} | {one.symbol for one in made.left} == set(STOCKS)
    assert any("XOM" in note for note in made.notes)
