"""Limits summed anew from positions and open approvals, in integers, without the product's own sums."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from risk_management.config.risk_config import RiskManagementConfig
from risk_management.model.instrument import AssetClass
from risk_management.model.money import SCALE
from risk_management.model.portfolio import PortfolioState
from risk_management.model.trade import TradeDecision

__all__ = ["beyond_limits"]

TOLERANCE: Final = 1_000
"""A hundred-thousandth of the currency: one rounding for each position."""
Key = tuple[str, str]


def beyond_limits(state: PortfolioState, decision: TradeDecision, config: RiskManagementConfig) -> str:
    """Which limit an approval exceeds at the worst case of everything approved; empty for none.

    One that stood beyond before may stay there, and must not grow.

    Parameters
    ----------
    state : PortfolioState
        With the approval in it.
    decision : TradeDecision
    config : RiskManagementConfig
    """
    most = _limits(state, decision, config)
    after = _worst(state, decision, "")
    over = [key for key, value in after.items() if value > most[key] + TOLERANCE]
    if not over:
        return ""
    before = _worst(state, decision, decision.request_id)
    for key in over:
        if after[key] > before[key] + TOLERANCE:
            return f"{key[0]} {key[1]} may reach {after[key]}, allowed are {most[key]}, before {before[key]}"
    return ""


def _limits(state: PortfolioState, decision: TradeDecision, config: RiskManagementConfig) -> dict[Key, int]:
    limits, equity = config.portfolio_limits, (state.equity or 0.0) * SCALE
    instrument = state.instruments[decision.symbol]
    is_fund = instrument.asset_class == AssetClass.INDEX_FUND
    shares = {
        ("gross", ""): limits.max_gross_exposure,
        ("net", ""): limits.max_net_exposure,
        ("name", decision.symbol): limits.max_index_fund_position if is_fund else limits.max_single_position,
        ("strategy", decision.strategy): limits.max_strategy_exposure,
        ("bot", decision.bot_name): config.bot_config.max_exposure,
    }
    if not is_fund:
        shares["sector", instrument.sector] = limits.max_sector_exposure
    known = {key: int(share * equity) for key, share in shares.items()}
    bot = state.bots[decision.bot_name]
    if bot.max_exposure is not None:
        known["bot", bot.name] = int(bot.max_exposure * SCALE)
    return known


def _worst(state: PortfolioState, decision: TradeDecision, without: str) -> dict[Key, int]:
    """Largest exposure of the groups of an approval, whatever fills: both sides of a name, never netted."""
    prices = {symbol: quote.price for symbol, quote in state.quotes.items()}
    sides: dict[tuple[str, str, str], list[int]] = {}
    for key, position in state.positions.items():
        held = sides.setdefault((key.symbol, key.strategy, key.bot), [0, 0, 0])
        held[0] += round(position.quantity * prices[key.symbol])
    for name, waiting in state.reservations.items():
        if name != without:
            key = waiting.key
            held = sides.setdefault((key.symbol, key.strategy, key.bot), [0, 0, 0])
            held[1 if waiting.side > 0 else 2] += waiting.opening + waiting.closing
    sector = _sector(state, decision.symbol)
    gross = own = strategy = 0
    nets: Mapping[str, list[int]] = {"net": [0, 0, 0], "name": [0, 0, 0], "sector": [0, 0, 0]}
    for (symbol, of, bot), (net, buys, sells) in sides.items():
        largest = max(abs(net + buys), abs(net - sells))
        gross += largest
        own += largest * (bot == decision.bot_name)
        strategy += largest * (of == decision.strategy)
        groups = ["net"]
        if symbol == decision.symbol:
            groups.append("name")
        if sector and _sector(state, symbol) == sector:
            groups.append("sector")
        for group in groups:
            sums = nets[group]
            sums[0] += net
            sums[1] += buys
            sums[2] += sells
    found = {
        ("gross", ""): gross,
        ("bot", decision.bot_name): own,
        ("strategy", decision.strategy): strategy,
        ("net", ""): _widest(nets["net"]),
        ("name", decision.symbol): _widest(nets["name"]),
    }
    if sector:
        found["sector", sector] = _widest(nets["sector"])
    return found


def _widest(sums: list[int]) -> int:
    return max(abs(sums[0] + sums[1]), abs(sums[0] - sums[2]))


def _sector(state: PortfolioState, symbol: str) -> str:
    """Broad index funds are no sector."""
    instrument = state.instruments[symbol]
    return "" if instrument.asset_class == AssetClass.INDEX_FUND else instrument.sector
