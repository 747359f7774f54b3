"""A hedge of what can't be traded now, where the settings name what to hedge with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.liquidation.legs import Leg, trading_problem
from risk_management.core.liquidation.path import risk_of
from risk_management.model.broker import MarketState
from risk_management.model.instrument import notional
from risk_management.model.liquidation import Part, PlannedOrder
from risk_management.model.money import SCALE, to_ledger
from risk_management.model.portfolio import SYSTEM, PortfolioState, PositionKey

__all__ = ["NO_HEDGES", "Hedges", "hedge_order"]

LEAST: Final = 0.05
"""Share of what waits below which a hedge is not worth its costs."""


@dataclass(frozen=True, slots=True)
class Hedges:
    """What a liquidation hedged so far.

    Parameters
    ----------
    owner : str
        Under which its hedges are held.
    back : tuple of (PositionKey, int)
        Signed units that take them off again, as far as they are held.
    units : int
        Signed units that its own hedges traded, whoever closed some of them since.
    by_others : tuple of (PositionKey, int)
        Units to be traded, positive, that liquidations which began before hedge already.
    may_grow : bool
        False once it sent as many hedges as it may.
    """

    owner: str = ""
    back: tuple[Part, ...] = ()
    units: int = 0
    by_others: tuple[Part, ...] = ()
    may_grow: bool = True


NO_HEDGES: Final = Hedges()


def hedge_order(
    state: PortfolioState,
    config: RiskManagementConfig,
    stuck: Sequence[Leg],
    held: int,
    markets: Mapping[str, MarketState],
    hedges: Hedges = NO_HEDGES,
) -> PlannedOrder | None:
    """The order in the hedging symbol that takes most variance from what waits; None where none helps.

    `held` are the signed ledger units in it that count as a hedge already, so that a second look adds
    nothing. It needs a price of its own, an open market, and shorts to be allowed where it sells. What it
    trades is the system's, under the name of the owner of `hedges`: the hedge of another liquidation is not
    netted with it, and too much of a hedge goes back as far as its owner holds it still.
    """
    symbol = config.liquidation_config.hedge_symbol
    market, instrument, quote = markets.get(symbol), state.instruments.get(symbol), state.quotes.get(symbol)
    if not stuck or not symbol or instrument is None or quote is None or market is None:
        return None
    if instrument.currency != state.base_currency:
        return None
    if trading_problem(symbol, market, config)[0] or any(leg.symbol == symbol for leg in stuck):
        return None
    unit = notional(instrument, quote.price, 1.0)
    row = state.model.scenarios[:, state.model.column(symbol, instrument.asset_class)]
    pnl = np.zeros_like(row)
    for leg in stuck:
        pnl = pnl - leg.exposure * state.model.scenarios[:, leg.column]
    key = PositionKey(stuck[0].account_id, symbol, hedges.owner, SYSTEM)
    hedged = held / SCALE * unit
    pnl = pnl + hedged * row
    money = -float(np.cov(pnl, row)[0, 1] / max(float(row.var(ddof=1)), 1e-18))
    units = int(to_ledger(abs(money) / unit))
    if money * held < 0.0:
        units = min(units, sum(abs(part) for _, part in hedges.back))
    units = units // market.lot * market.lot
    money = units / SCALE * unit * (1.0 if money > 0.0 else -1.0)
    waits = sum(abs(leg.exposure) for leg in stuck)
    if abs(money) < max(LEAST * waits, market.min_notional) or units == 0:
        return None
    may_short = config.portfolio_limits.allow_shorts and instrument.shortable
    if money < 0.0 and hedged + money < 0.0 and not may_short:
        return None
    if any(new > old for new, old in zip(risk_of(pnl + money * row), risk_of(pnl), strict=True)):
        return None
    signed = units if money > 0.0 else -units
    leg = Leg(
        key.account_id,
        symbol,
        ((key, signed),),
        signed,
        signed,
        unit / SCALE,
        market.mid or quote.price,
        state.model.column(symbol, instrument.asset_class),
        market.lot,
        units,
        market.lot,
    )
    return replace(leg.order(leg.quantity, state, config, market), reduce_only=False, is_hedge=True)
