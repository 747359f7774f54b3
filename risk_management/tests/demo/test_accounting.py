"""Cash and positions add up to equity, costs to what was lost on the way."""

from __future__ import annotations

import numpy as np
import pytest

from risk_management.demo.accounting import Account, CostModel, Fill
from risk_management.demo.market import STOCKS, Period
from risk_management.demo.simulation import (
    Order,
    at_exposure,
    buy_and_hold,
    fill_of,
    run_ungated,
    run_volatility_target,
)

SPRING = Period("spring", "2020-02-03", "2020-05-29")


def test_costs_by_hand():
    costs = CostModel()
    assert costs.slippage(0.0, 0.02) == pytest.approx(3e-4)
    assert costs.slippage(-500_000.0, 0.02) == pytest.approx(3e-4 + 0.02 * 0.1)
    assert costs.fee(-800.0) == pytest.approx(0.08)


def test_a_round_trip_by_hand():
    account = Account(1000.0, 1, 1)
    account.book(Fill(0, 0, 10.0, 20.2, 0.5), close=20.0)
    assert account.cash == pytest.approx(1000.0 - 202.0 - 0.5)
    assert account.equity(np.array([21.0])) == pytest.approx(797.5 + 210.0)
    assert account.exposure(np.array([21.0])) == pytest.approx(210.0 / 1007.5)
    account.book(Fill(0, 0, -10.0, 21.9, 0.5), close=22.0)
    assert account.units[0, 0] == 0.0
    assert account.cash == pytest.approx(1000.0 - 202.0 + 219.0 - 1.0)
    assert account.commissions == 1.0
    assert account.slippage == pytest.approx(10 * 0.2 + 10 * 0.1)
    assert account.turnover == pytest.approx(421.0)


def test_a_fill_is_on_the_worse_side_of_the_close(market, costs):
    row = market.rows(SPRING)[10]
    close = market.closes[row, 0]
    bought = fill_of(market, row, Order(0, 0, 1000.0), costs)
    sold = fill_of(market, row, Order(0, 0, -1000.0, units=-3.0), costs)
    assert bought.price > close > sold.price
    assert bought.units * bought.price == pytest.approx(1000.0)
    assert sold.units == -3.0


def test_equity_moves_by_prices_and_costs_alone(market, costs):
    rows = market.rows(SPRING)
    path = run_ungated(market, rows, 10_000.0, costs)
    returns = market.closes[rows[1] : rows[-1] + 1] / market.closes[rows[0] : rows[-1]] - 1.0
    earned = (path.weights[:-1] * path.equity[:-1, None] * returns).sum()
    lost = path.commissions + path.slippage
    assert path.fills > 100
    assert path.equity[-1] - 10_000.0 == pytest.approx(earned - lost, abs=1e-6)


def test_the_first_trades_come_a_day_after_the_first_signal(market, costs):
    path = run_ungated(market, market.rows(SPRING), 10_000.0, costs)
    assert path.exposure[0] == 0.0
    assert path.exposure[1] > 0.0


def test_without_costs_nothing_is_lost(market):
    free = CostModel(commission=0.0, half_spread=0.0, daily_volume=1e30)
    path = run_ungated(market, market.rows(SPRING), 10_000.0, free)
    assert path.commissions + path.slippage == pytest.approx(0.0, abs=1e-6)


def test_scaled_arms_come_out_at_the_exposure_asked_for(market, costs):
    rows = market.rows(SPRING)
    bots = run_ungated(market, rows, 10_000.0, costs)
    scaled = at_exposure(lambda x: run_ungated(market, rows, 10_000.0, costs, share=x), 0.3, 0.3)
    target = at_exposure(lambda x: run_volatility_target(market, rows, 10_000.0, costs, bots, x), 0.3, 0.01)
    assert scaled.exposure.mean() == pytest.approx(0.3, rel=2e-3)
    assert target.exposure.mean() == pytest.approx(0.3, rel=2e-3)
    assert target.exposure.max() <= bots.exposure.max() * 1.3


def test_held_stocks_against_their_prices(market):
    rows = market.rows(SPRING)
    free = CostModel(commission=0.0, half_spread=0.0, daily_volume=1e30)
    path = buy_and_hold(market, rows, 10_000.0, free)
    grown = (market.closes[rows[-1]] / market.closes[rows[0]]).mean()
    assert path.equity[-1] == pytest.approx(10_000.0 * grown)
    assert path.fills == len(STOCKS)
