"""The peers' side of the ratios, one function a peer: microseconds a call, as the peer is meant to be used.

Runs in the environment of `make bench-peers`; a peer that can't be imported says so and is left out.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from bench.books import returns

__all__ = ["PEERS"]


def nautilus() -> Callable[[], object]:
    """NautilusTrader's RiskEngine on one market order: notional and balance checks, execution stubbed."""
    from nautilus_trader.cache.cache import Cache
    from nautilus_trader.common.component import MessageBus, TestClock
    from nautilus_trader.common.factories import OrderFactory
    from nautilus_trader.core.uuid import UUID4
    from nautilus_trader.execution.messages import SubmitOrder
    from nautilus_trader.model.enums import OrderSide
    from nautilus_trader.model.identifiers import StrategyId, TraderId
    from nautilus_trader.model.objects import Quantity
    from nautilus_trader.portfolio.portfolio import Portfolio
    from nautilus_trader.risk.engine import RiskEngine
    from nautilus_trader.test_kit.providers import TestInstrumentProvider
    from nautilus_trader.test_kit.stubs.data import TestDataStubs
    from nautilus_trader.test_kit.stubs.events import TestEventStubs

    clock, trader = TestClock(), TraderId("BENCH-001")
    bus, cache = MessageBus(trader_id=trader, clock=clock), Cache()
    portfolio = Portfolio(msgbus=bus, cache=cache, clock=clock)
    engine = RiskEngine(portfolio=portfolio, msgbus=bus, cache=cache, clock=clock)
    passed = []
    bus.register("ExecEngine.execute", passed.append)
    instrument = TestInstrumentProvider.default_fx_ccy("AUD/USD")
    cache.add_instrument(instrument)
    cache.add_quote_tick(TestDataStubs.quote_tick(instrument))
    portfolio.update_account(TestEventStubs.cash_account_state(base_currency=instrument.quote_currency))
    factory = OrderFactory(trader_id=trader, strategy_id=StrategyId("S-001"), clock=clock)
    order = factory.market(instrument.id, OrderSide.BUY, Quantity.from_int(10_000))
    command = SubmitOrder(
        trader_id=trader,
        strategy_id=StrategyId("S-001"),
        position_id=None,
        order=order,
        command_id=UUID4(),
        ts_init=0,
    )
    engine.execute(command)
    if not passed:
        raise RuntimeError("the order did not pass its risk engine")

    def work() -> None:
        passed.clear()
        engine.execute(command)

    return work


def quantstats() -> Callable[[], object]:
    """VaR and expected shortfall of one series (normal VaR: that is what it offers)."""
    from quantstats import stats

    series = _series()
    return lambda: (stats.var(series, confidence=0.95), stats.cvar(series, confidence=0.95))


def riskfolio() -> Callable[[], object]:
    """Historical VaR and expected shortfall of one series."""
    from riskfolio.src.RiskFunctions import CVaR_Hist, VaR_Hist

    values = returns(1)
    return lambda: (VaR_Hist(values, 0.05), CVaR_Hist(values, 0.05))


def skfolio() -> Callable[[], object]:
    """Historical expected shortfall and VaR of one series."""
    from skfolio.measures import cvar, value_at_risk

    values = returns(1)[:, 0]
    return lambda: (value_at_risk(values, beta=0.95), cvar(values, beta=0.95))


def empyrical() -> Callable[[], object]:
    """Historical VaR and expected shortfall of one series."""
    import empyrical as library

    values = returns(1)[:, 0]
    return lambda: (
        library.value_at_risk(values, 0.05),
        library.conditional_value_at_risk(values, 0.05),
    )


def pandas() -> Callable[[], object]:
    """Historical VaR and expected shortfall of one series."""
    series = _series()

    def work() -> tuple[float, float]:
        var = series.quantile(0.05)
        return -var, -series[series <= var].mean()

    return work


def _series() -> pd.Series:
    values = returns(1)[:, 0]
    return pd.Series(values, index=pd.bdate_range("2015-01-01", periods=len(values)), dtype=np.float64)


PEERS = {
    "NautilusTrader RiskEngine": nautilus,
    "pandas": pandas,
    "quantstats": quantstats,
    "riskfolio-lib": riskfolio,
    "skfolio": skfolio,
    "empyrical": empyrical,
}
