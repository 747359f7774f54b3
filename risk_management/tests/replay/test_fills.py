"""Past fills under limits: the account as it was by a plain loop, and what limits would have made of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from risk_management.config.risk_config import RiskManagementConfig
from risk_management.demo.accounting import Account, CostModel
from risk_management.demo.bots import BOTS
from risk_management.demo.market import QUICK_PERIODS, STOCKS, Market
from risk_management.demo.simulation import fill_of, orders_after
from risk_management.errors import InsufficientData, InvalidRequest, MarketDataError
from risk_management.market_data.fills_file import FillRow
from risk_management.replay.comparison import Change
from risk_management.replay.fills import replay_fills

DAYS = pd.bdate_range("2020-01-01", periods=260)
FIRST = 200
"""Row of the first traded day: enough history lies before it."""


@pytest.fixture(scope="module")
def closes():
    rng = np.random.default_rng(4)
    moves = rng.normal(0.0, 0.01, (len(DAYS), 3))
    return pd.DataFrame(100.0 * np.exp(moves.cumsum(axis=0)), index=DAYS, columns=["AAA", "BBB", "CCC"])


def config(**limits) -> RiskManagementConfig:
    loose = {
        "max_risk_per_trade": 1.0,
        "max_single_position": 0.9,
        "max_sector_exposure": 5.0,
        "max_gross_exposure": 5.0,
        "max_net_exposure": 5.0,
        "max_leverage": 5.0,
        "max_strategy_exposure": 5.0,
        "min_cash": 0.0,
    }
    return RiskManagementConfig().update(
        portfolio_limits={**loose, **limits},
        market_data_config={"min_observations": 100, "window": 150},
        correlation_config={"window": 100, "spike_pair": 1.0, "spike_average": 1.0},
        order_config={"max_order_size": 5.0},
        heat_config={"max_open_risk": 1.0},
        var_config={"daily_var_limit": 0.9, "daily_es_limit": 0.95},
        stress_config={"max_stress_loss": 1.0},
        bot_config={"max_exposure": 5.0, "probation_share": 1.0},
    )


def fill(row, symbol, side, quantity, price, *, line=2, hour=15, **more) -> FillRow:
    time = DAYS[row].to_pydatetime().replace(tzinfo=UTC) + timedelta(hours=hour)
    return FillRow(time, symbol, side, quantity, price, line=line, **more)


def trades(closes):
    """Long, added to, sold through to a short, covered; another name; fees."""
    c = closes.to_numpy()
    return [
        fill(FIRST, "AAA", 1, 10.0, c[FIRST, 0], fee=1.0, line=2),
        fill(FIRST + 3, "BBB", -1, 8.0, c[FIRST + 3, 1] * 1.01, fee=0.5, line=3),
        fill(FIRST + 5, "AAA", 1, 4.0, c[FIRST + 5, 0], line=4),
        fill(FIRST + 9, "AAA", -1, 20.0, c[FIRST + 9, 0] * 0.995, fee=2.0, line=5),
        fill(FIRST + 12, "CCC", 1, 3.0, c[FIRST + 12, 2], line=6),
        fill(FIRST + 15, "AAA", 1, 6.0, c[FIRST + 15, 0], line=7),
        fill(FIRST + 15, "BBB", 1, 3.0, c[FIRST + 15, 1], line=8),
    ]


def naive(closes, rows, value):
    """Equity at the close of every day from the first fill on."""
    cash, units, path = value, dict.fromkeys(closes.columns, 0.0), {}
    for day in range(FIRST, len(DAYS)):
        for row in rows:
            if row.time.date() == DAYS[day].date():
                cash -= row.side * row.quantity * row.price + row.fee
                units[row.symbol] += row.side * row.quantity
        path[DAYS[day].date()] = cash + sum(n * closes.iloc[day][s] for s, n in units.items())
    return path


def test_the_account_as_it_was_is_a_plain_loop(closes):
    rows = trades(closes)
    found = replay_fills(rows, config(), 10_000.0, prices=closes)
    path = naive(closes, rows, 10_000.0)
    assert {end.day: end.equity for end in found.was.days} == pytest.approx(path, abs=1e-6)
    values = np.array([10_000.0, *path.values()])
    assert found.was.profit == pytest.approx(values[-1] - 10_000.0)
    peaks = np.maximum.accumulate(values)
    assert found.was.max_drawdown == pytest.approx((1.0 - values / peaks).max(), abs=2e-3)  # fills count too
    assert found.was.worst_day == pytest.approx((values[1:] / values[:-1] - 1.0).min())
    assert found.was.fees == 3.5
    assert (found.was.halted_days, found.was.reducing_days, found.was.closed_by_system) == (0, 0, 0)
    # limits that hold nothing back change nothing
    assert found.differing == ()
    assert found.would == found.was
    assert (found.saved, found.cost) == (0.0, 0.0)


def test_tighter_limits_by_hand(closes):
    """5 % of 10,000 in a name at 100: 5 of 10 units. Sold at 90 they saved 50, and half the fee."""
    flat = closes.copy()
    flat.iloc[FIRST:, 0] = 100.0
    flat.iloc[FIRST + 4 :, 0] = 90.0
    rows = [
        fill(FIRST, "AAA", 1, 10.0, 100.0, fee=1.0),
        fill(FIRST + 4, "AAA", -1, 10.0, 90.0, line=3),
    ]
    found = replay_fills(rows, config(max_single_position=0.05), 10_000.0, prices=flat)
    assert [(d.was, d.would_be, d.change, d.reason) for d in found.decisions] == [
        (1000.0, pytest.approx(500.0), Change.CUT, "SINGLE_NAME_LIMIT"),
        (900.0, pytest.approx(450.0), Change.HELD, ""),
    ]
    assert found.saved == pytest.approx(50.0 + 0.5)
    assert found.cost == 0.0
    assert found.until.date() == DAYS[FIRST + 4].date()  # flat: nothing is left to mark
    half = found.would
    assert (half.profit, half.fees) == (pytest.approx(-50.0 - 0.5), pytest.approx(0.5))


def test_one_fill_is_marked_to_the_end(closes):
    price = float(closes.iloc[FIRST, 1])
    found = replay_fills([fill(FIRST, "BBB", -1, 5.0, price)], config(), 10_000.0, prices=closes)
    assert found.was.profit == pytest.approx(-5.0 * (closes.iloc[-1, 1] - price))
    assert found.until.date() == DAYS[-1].date()
    assert len(found.decisions) == 1


def test_losses_stop_later_purchases(closes):
    """Equity falls by 20 %: beyond the tiers of 15 % a purchase is refused, and the book was trimmed."""
    fall = closes.copy()
    fall.iloc[FIRST:, 0] = 100.0
    fall.iloc[FIRST + 3 :, 0] = 75.0
    fall.iloc[FIRST + 8 :, 0] = 60.0
    rows = [
        fill(FIRST, "AAA", 1, 80.0, 100.0),
        fill(FIRST + 5, "BBB", 1, 20.0, float(fall.iloc[FIRST + 5, 1]), line=3),
    ]
    found = replay_fills(rows, config(max_gross_exposure=1.0, max_net_exposure=1.0), 10_000.0, prices=fall)
    assert found.decisions[0].change is Change.SAME
    assert found.decisions[1].change is Change.STOPPED
    assert found.would.closed_by_system > 0
    assert found.would.reducing_days > 0
    assert found.saved > 0.0
    assert found.was.reducing_days == 0


def test_nothing_later_is_read(closes):
    """Later prices and fills of another world change no earlier decision and no earlier equity."""
    rows = trades(closes)
    tight = config(max_single_position=0.06)
    found = replay_fills(rows, tight, 10_000.0, prices=closes)
    assert any(d.change is not Change.SAME for d in found.decisions[:4])
    rng = np.random.default_rng(7)
    other = closes.copy()
    cut = FIRST + 10
    other.iloc[cut:] *= np.exp(rng.normal(0.0, 0.02, other.iloc[cut:].shape))
    later = [
        fill(cut + n, s, side, 5.0, float(other.iloc[cut + n][s]), line=9 + n)
        for n, (s, side) in enumerate([("CCC", -1), ("BBB", 1), ("AAA", 1)])
    ]
    changed = replay_fills([*rows[:4], *later], tight, 10_000.0, prices=other)
    assert changed.decisions[:4] == found.decisions[:4]
    count = cut - FIRST
    assert changed.would.days[:count] == found.would.days[:count]
    assert changed.decisions[4:] != found.decisions[4:]


def test_parts_of_the_period(closes):
    rows = trades(closes)
    since, until = rows[2].time, rows[5].time
    found = replay_fills(rows, config(), 10_000.0, prices=closes, since=since, until=until)
    assert [d.request_id for d in found.decisions] == ["line-4", "line-5", "line-6", "line-7", "line-8"]
    path = naive(closes, rows, 10_000.0)
    assert found.was.days[-1].equity == pytest.approx(path[until.date() - timedelta(days=1)], rel=0.05)
    with pytest.raises(InvalidRequest, match="nothing lies after"):
        replay_fills(rows, config(), 10_000.0, prices=closes, since=datetime(2030, 1, 1, tzinfo=UTC))
    with pytest.raises(MarketDataError, match="no fill lies before"):
        replay_fills(rows, config(), 10_000.0, prices=closes, until=datetime(2000, 1, 1, tzinfo=UTC))


def test_a_bot_sells_its_own(closes):
    price = float(closes.iloc[FIRST, 0])
    rows = [
        fill(FIRST, "AAA", 1, 10.0, price, bot="one", strategy="s", line=2),
        fill(FIRST, "AAA", 1, 10.0, price, bot="two", strategy="t", line=3, hour=16),
        fill(FIRST + 1, "AAA", -1, 10.0, price, bot="two", strategy="t", line=4),
    ]
    found = replay_fills(rows, config(), 10_000.0, prices=closes)
    assert [d.bot for d in found.decisions] == ["one", "two", "two"]
    assert found.differing == ()


def test_unknown_symbols_and_closes_of_another_level(closes):
    price = float(closes.iloc[FIRST, 0])
    rows = [
        fill(FIRST, "AAA", 1, 5.0, 1.2 * price, line=2),  # the closes are adjusted by a sixth
        fill(FIRST, "NEVER", 1, 5.0, 20.0, line=3, hour=16),
        fill(FIRST + 5, "NEVER", -1, 5.0, 22.0, line=4),
    ]
    found = replay_fills(rows, config(), 10_000.0, prices=closes)
    said = " ".join(found.notes)
    assert "Closes of AAA stand at another level than the fills" in said
    assert "No prices of NEVER" in said
    last = 5.0 * 1.2 * price * (closes.iloc[-1, 0] / price - 1.0)
    assert found.was.profit == pytest.approx(last + 5.0 * 2.0)
    assert found.was.days[0].equity == pytest.approx(10_000.0)  # the day of the fill ends at its price


def test_fills_that_the_prices_do_not_fit(closes):
    price = float(closes.iloc[FIRST, 0])
    split = [fill(FIRST, "AAA", 1, 5.0, 4.0 * price, line=n) for n in (2, 3)]
    with pytest.raises(MarketDataError) as caught:
        replay_fills(split, config(), 10_000.0, subject="my.csv", prices=closes)
    lines = str(caught.value).splitlines()
    assert [line.split(", column")[0] for line in lines] == ["my.csv, line 2", "my.csv, line 3"]
    assert "if its units were split since" in lines[0]
    with pytest.raises(InsufficientData, match=r"my.csv, line 2: .* gives 9 daily returns before"):
        replay_fills([fill(10, "AAA", 1, 5.0, 100.0)], config(), 1e4, subject="my.csv", prices=closes)
    late = fill(FIRST, "AAA", 1, 5.0, price)
    late = FillRow(datetime(2025, 1, 1, tzinfo=UTC), "AAA", 1, 5.0, price, line=2)
    with pytest.raises(MarketDataError, match="1 of 1 fills, from 2025-01-01 on, lie after the last prices"):
        replay_fills([late], config(), 10_000.0, prices=closes)
    for value in (0.0, -1.0, float("nan")):
        with pytest.raises(InvalidRequest, match="portfolio_value"):
            replay_fills([fill(FIRST, "AAA", 1, 5.0, price)], config(), value, prices=closes)


def test_a_jump_between_closes_is_told(closes):
    jump = closes.copy()
    jump.iloc[FIRST + 3 :, 0] /= 4.0
    row = fill(FIRST, "AAA", 1, 5.0, float(jump.iloc[FIRST, 0]))
    found = replay_fills([row], config(), 10_000.0, prices=jump)
    assert any(note.startswith("AAA moved by -7") and "split" in note for note in found.notes)


def test_many_fills_of_one_second_are_no_runaway_bot(closes):
    price = float(closes.iloc[FIRST, 0])
    rows = [fill(FIRST, "AAA", 1, 0.5, price, bot="one", line=n + 2) for n in range(90)]
    assert replay_fills(rows, config(), 10_000.0, prices=closes).differing == ()


def test_shadow_mode_in_the_settings_holds_back_all_the_same(closes):
    """Whoever tries limits in shadow mode asks what they would do."""
    row = fill(FIRST, "AAA", 1, 10.0, float(closes.iloc[FIRST, 0]))
    tight = config(max_single_position=0.05).update(shadow_mode=True)
    assert replay_fills([row], tight, 10_000.0, prices=closes).decisions[0].change is Change.CUT


def test_the_bots_of_the_demo_without_a_gate():
    """The demo keeps its own account of the same trades; what closes all leaves no dust to ask again."""
    market, costs = Market.sample(), CostModel()
    account, waiting, rows, path = Account(100_000.0, len(BOTS), len(STOCKS)), [], [], {}
    for day in list(market.rows(QUICK_PERIODS[1]))[:60]:
        date = market.dates[day].item()
        for order in waiting:
            done, bot = fill_of(market, day, order, costs), BOTS[order.bot]
            account.book(done, float(market.closes[day, order.column]))
            close = datetime(date.year, date.month, date.day, 21, tzinfo=UTC)
            side = 1 if done.units > 0.0 else -1
            symbol = STOCKS[order.column]
            rows.append(
                FillRow(
                    close,
                    symbol,
                    side,
                    abs(done.units),
                    done.price,
                    done.fee,
                    bot.name,
                    bot.strategy,
                    line=2 + len(rows),
                )
            )
        path[date] = account.equity(market.closes[day])
        waiting = orders_after(market, day, account, path[date])
    found = replay_fills(rows, RiskManagementConfig(), 100_000.0, until=rows[-1].time)
    ends = {end.day: end.equity for end in found.was.days}
    assert len(rows) > 80
    assert ends == pytest.approx({day: path[day] for day in ends}, abs=0.01)
    changes = found.changes
    assert changes[Change.STOPPED] + changes[Change.CUT] > 20
    assert changes[Change.ALLOWED] == changes[Change.RAISED] == 0
    sales = [d for d in found.decisions if d.action == "sell"]
    assert {d.change for d in sales} <= {Change.SAME, Change.HELD}
    assert all(0.0 <= d.would_be <= d.was * (1.0 + 1e-9) for d in sales)
    assert found.would.profit - found.was.profit == pytest.approx(found.saved - found.cost, abs=1e-6)
