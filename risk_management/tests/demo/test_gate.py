"""The gated arm: its books agree, it keeps its limits, it sees nothing that is yet to come."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from risk_management.demo.gate import Gate, prepare, run_gated
from risk_management.demo.market import PROXIES, Market, Period
from risk_management.demo.simulation import orders_after
from risk_management.model.money import SCALE

from .conftest import CAPITAL, CRASH

WEEKS = Period("weeks", "2008-09-15", "2008-10-31")


@pytest.fixture(scope="module")
def crash(market, prepared, costs):
    return run_gated(market, prepared, market.rows(CRASH), CAPITAL, costs)


def test_the_managers_equity_is_the_demos_own(crash):
    assert crash.largest_gap < 1e-8


def test_no_fill_is_flagged_and_exits_pass(crash):
    assert crash.flags == 0
    assert all(d.outcome == "approved" for d in crash.decisions if d.side < 0)


def test_the_crash_is_a_test_of_something(crash):
    outcomes = {d.outcome for d in crash.decisions}
    assert outcomes == {"approved", "cut", "refused"}
    assert {event.kind for event in crash.events} >= {"limit", "tier", "release"}
    assert sum(crash.mode_days.values()) == len(crash.path.equity)


def test_two_runs_are_equal(crash, market, prepared, costs):
    again = run_gated(market, prepared, market.rows(CRASH), CAPITAL, costs)
    assert again.decisions == crash.decisions
    assert again.events == crash.events
    assert np.array_equal(again.path.equity, crash.path.equity)


def test_approvals_stay_within_the_limits_on_every_day(market, prepared, costs):
    gate = Gate(market, prepared, market.rows(WEEKS)[0], CAPITAL, costs)
    for row in market.rows(WEEKS):
        gate.day(row)
        orders = orders_after(market, row, gate.account, gate.account.equity(market.closes[row]))
        gate.ask(row, orders)
        state, limits = gate.manager.state, gate.manager.config.portfolio_limits
        opened = {r.key for r in state.reservations.values() if r.opening > 0}
        for symbol in {key.symbol for key in opened}:
            assert state.totals.names[symbol].sides.worst / SCALE <= limits.max_single_position * state.equity
        for sector in {state.instruments[key.symbol].sector for key in opened}:
            assert state.totals.sectors[sector].worst / SCALE <= limits.max_sector_exposure * state.equity
        if opened:
            claims = (state.totals.gross) / SCALE
            assert claims <= limits.max_gross_exposure * state.equity + 1e-6
            left = (state.totals.cash - state.totals.cash_claim) / SCALE
            assert left >= limits.min_cash * state.equity - 1e-6


def test_scrambling_what_comes_after_a_day_changes_no_decision_up_to_it(market, costs):
    rows = market.rows(CRASH)[:25]
    rng = np.random.default_rng(3)
    closes = market.history.closes.copy()
    later = slice(rows[-1] + 1, None)
    closes[later] = rng.permutation(closes[later]) * rng.uniform(0.3, 3.0, (1, closes.shape[1]))
    scrambled = Market(replace(market.history, closes=closes))
    assert not np.array_equal(scrambled.closes, market.closes)
    runs = [run_gated(m, prepare(m, CAPITAL), rows, CAPITAL, costs) for m in (market, scrambled)]
    assert len(runs[0].decisions) > 30
    assert runs[0].decisions == runs[1].decisions
    assert runs[0].events == runs[1].events
    assert np.array_equal(runs[0].path.equity, runs[1].path.equity)


def test_the_market_is_the_twenty_stocks_and_two_proxies(market):
    assert market.history.symbols[:2] == PROXIES
    assert market.closes.shape[1] == 20
    assert not np.isnan(market.history.closes).any()
