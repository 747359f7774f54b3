"""The carried sums against sums from scratch: equal after everything that may happen, and told where not."""

from __future__ import annotations

import random
from dataclasses import fields, replace

import numpy as np
import pytest

from risk_management.core.fill_report import FillReport
from risk_management.core.ledger import CARRIED, EXACT, check_ledger
from risk_management.core.order_desk import OrderTicket
from risk_management.core.reduction import close_all
from risk_management.core.watch import CHECK_EVERY
from risk_management.errors import LedgerError
from risk_management.model.portfolio import TradingMode
from risk_management.model.totals import Sides, Totals


def busy(manager, rnd, steps):
    """Asks, fills in parts, cancels, prices, cash and splits, in any order."""
    symbols = ("KO", "PG", "XOM", "SPY")
    open_ = []
    manager.update_prices(dict.fromkeys(symbols, 50.0))
    for step in range(steps):
        kind = rnd.choice(("ask", "ask", "fill", "fill", "cancel", "price", "cash", "split"))
        symbol = rnd.choice(symbols)
        if kind == "ask":
            ticket = OrderTicket(
                symbol, rnd.choice(("buy", "sell")), rnd.uniform(30.0, 900.0), "", f"b{step}"
            )
            answer = manager.request_trade(ticket)
            open_ += [answer] if answer.approved else []
        elif kind == "fill" and open_:
            answer = rnd.choice(open_)
            part = answer.recommended_size * rnd.choice((0.3, 0.5, 1.0))
            price = manager.state.quotes[answer.symbol].price * rnd.uniform(0.99, 1.01)
            manager.execute_trade(FillReport(answer.request_id, part, price, execution_id=f"e{step}"))
        elif kind == "cancel" and open_:
            manager.desk.cancel(open_.pop(rnd.randrange(len(open_))).request_id)
        elif kind == "price":
            price = manager.state.quotes[symbol].price * rnd.uniform(0.97, 1.03)
            manager.update_prices({symbol: price})
        elif kind == "cash":
            manager.record_cash("fee", -rnd.uniform(0.0, 3.0))
        elif kind == "split":
            manager.record_split(symbol, rnd.choice((2.0, 0.5)))
        yield manager.state


@pytest.mark.parametrize("seed", range(6))
def test_every_sum_is_what_it_is_from_scratch(make_manager, seed):
    manager, clock = make_manager(order_config={"max_orders_per_minute_total": 10_000})
    for state in busy(manager, random.Random(seed), 120):
        clock.advance(1.0)
        check_ledger(state)


def test_sums_return_to_exactly_zero(make_manager):
    manager, clock = make_manager(order_config={"max_orders_per_minute_total": 10_000})
    for _ in busy(manager, random.Random(7), 150):
        clock.advance(1.0)
    manager.desk.cancel_all("the end")
    manager.protocol.execute(close_all(manager.state, "end"))
    totals = manager.state.totals
    assert not manager.state.positions
    assert (totals.value, totals.gross, totals.cash_claim, totals.open_risk_squared) == (0, 0, 0, 0)
    assert totals.portfolio == Sides(0, 0, 0)
    assert not any((totals.sectors, totals.clusters, totals.strategies, totals.bots, totals.accounts))
    for name in CARRIED:
        assert not np.any(getattr(totals, name)), name
    assert totals.cash == sum(account.cash for account in manager.state.accounts.values())


def test_every_sum_is_checked():
    """A field that is added to the sums must be held against its scratch value too."""
    assert {f.name for f in fields(Totals)} == {*EXACT, *CARRIED, "names", "updates", "strategy_risk"}


@pytest.mark.parametrize("name", [*EXACT, *CARRIED, "names"])
def test_a_wrong_sum_is_named(make_manager, name):
    manager, _ = make_manager()
    manager.add_position("KO", 500.0, 50.0)
    manager.request_trade(OrderTicket("PG", "buy", 100.0, "", "a"))
    state = manager.state
    right = getattr(state.totals, name)
    check_ledger(state)
    with pytest.raises(LedgerError):
        check_ledger(replace(state, totals=replace(state.totals, **{name: _spoiled(right)})))


def _spoiled(value):
    if isinstance(value, np.ndarray):
        return value + 0.01
    if isinstance(value, frozenset):
        return value | {"KO"}
    if isinstance(value, Sides):
        return value._replace(net=value.net + 1)
    if isinstance(value, int | float):
        return value + 1
    key = next(iter(value))
    return {k: v for k, v in value.items() if k != key}


def test_wrong_sums_stop_everything(make_manager):
    manager, _ = make_manager()
    manager.add_position("KO", 500.0, 50.0)
    manager.assess_overall_risk()
    assert manager.state.mode is TradingMode.ACTIVE
    head = manager.book._head
    wrong = replace(
        head.state, totals=replace(head.state.totals, gross=1), version=head.state.version + CHECK_EVERY
    )
    manager.book._head = manager.book._durable = replace(head, state=wrong)
    manager.assess_overall_risk()
    assert manager.state.mode is TradingMode.HALTED
    assert any("gross" in hold.reason for hold in manager.state.holds.values())
