"""The limits of the book as the constraints of a growth-optimal portfolio."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from risk_management.config.risk_config import RiskManagementConfig
from risk_management.measures.growth import KellyConstraints
from risk_management.model.instrument import AssetClass, Instrument
from risk_management.model.portfolio import PortfolioState

__all__ = ["DUST", "GrowthProgram", "book_caps", "group_caps", "instrument_of", "name_caps"]

Float = NDArray[np.float64]

DUST: Final = 1e-5
"""Weights below it are the solver's tolerance, not holdings; caps this near are taken as reached."""

FALL: Final = "worst_chance"
"""Name of the promise on falls among the limits."""


def name_caps(instrument: Instrument, config: RiskManagementConfig) -> dict[str, float]:
    """Limits on one symbol, as fractions of equity."""
    limits, symbol = config.portfolio_limits, instrument.symbol
    caps = {"max_exposure": config.kelly_config.max_exposure}
    if instrument.asset_class == AssetClass.INDEX_FUND:
        caps["index_fund"] = limits.max_index_fund_position
    elif instrument.is_crypto and symbol in limits.major_coins:
        caps["major_coin"] = limits.max_major_coin_position
    elif instrument.is_crypto:
        caps["coin"] = limits.max_coin_position
    else:
        caps["single_name"] = limits.max_single_position
    if symbol in limits.deny_symbols or (limits.allow_symbols and symbol not in limits.allow_symbols):
        caps["symbol_lists"] = 0.0
    return caps


def book_caps(config: RiskManagementConfig) -> dict[str, float]:
    """Limits on all symbols together: `leverage` on the sizes, `net` and `cash` on the signed sum."""
    limits = config.portfolio_limits
    leverage = min(config.kelly_config.max_leverage, limits.max_gross_exposure, limits.max_leverage)
    return {"leverage": leverage, "net": limits.max_net_exposure, "cash": 1.0 - limits.min_cash}


def group_caps(
    state: PortfolioState, config: RiskManagementConfig, symbols: Sequence[str]
) -> dict[str, tuple[tuple[int, ...], float]]:
    """Columns and limit of each sector and cluster among the symbols. Broad index funds are no sector."""
    members: dict[str, list[int]] = {}
    for column, symbol in enumerate(symbols):
        instrument = instrument_of(state, symbol)
        if instrument.asset_class != AssetClass.INDEX_FUND:
            members.setdefault(f"sector:{instrument.sector}", []).append(column)
        label = state.model.cluster[state.model.column(symbol, instrument.asset_class)]
        members.setdefault(f"cluster:{label}", []).append(column)
    limits = config.portfolio_limits
    return {
        name: (
            tuple(columns),
            limits.max_sector_exposure if name.startswith("sector:") else limits.max_cluster_exposure,
        )
        for name, columns in members.items()
    }


def instrument_of(state: PortfolioState, symbol: str) -> Instrument:
    return state.instruments.get(symbol) or Instrument(symbol, currency=state.base_currency)


@dataclass(frozen=True, slots=True)
class GrowthProgram:
    """The limits of one optimisation, as fractions of equity after the Kelly fraction."""

    symbols: tuple[str, ...]
    share: float
    names: tuple[tuple[str, float], ...]
    """Which cap binds each symbol, and what it is."""
    shorts: tuple[bool, ...]
    groups: Mapping[str, tuple[tuple[int, ...], float]]
    book: Mapping[str, float]
    fall: tuple[float, float] | None = None
    """A share of the start, and the chance of ever falling to it that is kept."""

    @classmethod
    def of(
        cls,
        state: PortfolioState,
        config: RiskManagementConfig,
        symbols: tuple[str, ...],
        share: float,
        fall: tuple[float, float] | None = None,
    ) -> GrowthProgram:
        instruments = [instrument_of(state, s) for s in symbols]
        allowed = config.kelly_config.allow_shorts and config.portfolio_limits.allow_shorts
        caps = [name_caps(i, config) for i in instruments]
        return cls(
            symbols=symbols,
            share=share,
            names=tuple(min(c.items(), key=lambda item: item[1]) for c in caps),
            shorts=tuple(allowed and i.shortable for i in instruments),
            groups=group_caps(state, config, symbols),
            book=book_caps(config),
            fall=fall,
        )

    def constraints(self) -> KellyConstraints:
        """For the full Kelly weights, of which `share` is kept."""
        upper = [cap / self.share for _, cap in self.names]
        return KellyConstraints(
            lower=[-most if short else 0.0 for most, short in zip(upper, self.shorts, strict=True)],
            upper=upper,
            gross=self.book["leverage"] / self.share,
            budget=self.book["cash"] / self.share,
            net=self.book["net"] / self.share,
            groups=[(columns, cap / self.share) for columns, cap in self.groups.values()],
        )

    def named(self) -> dict[str, float]:
        """All limits by name."""
        names = {f"{name}:{s}": cap for s, (name, cap) in zip(self.symbols, self.names, strict=True)}
        chance = {} if self.fall is None else {FALL: self.fall[1]}
        return {**names, **{name: cap for name, (_, cap) in self.groups.items()}, **self.book, **chance}

    def promise(self) -> str:
        """What is kept of the chance of a fall, in words."""
        wealth, chance = self.fall or (0.0, 1.0)
        return f"the chance of ever falling to {wealth:.0%} of the start stays under {chance:.0%}"

    def reached(self, weights: Float, *, fall_bound: bool = False) -> tuple[str, ...]:
        """Names of the limits that the weights reach; ``kelly_fraction`` where there is none."""
        used = {
            f"{name}:{s}": abs(w)
            for s, (name, _), w in zip(self.symbols, self.names, weights.tolist(), strict=True)
        }
        used |= {name: float(np.abs(weights[list(c)]).sum()) for name, (c, _) in self.groups.items()}
        net = float(weights.sum())
        used |= {"leverage": float(np.abs(weights).sum()), "net": abs(net), "cash": net}
        limits = self.named()
        found = [n for n, amount in used.items() if amount >= limits[n] - DUST]
        return (*found, *([FALL] if fall_bound else [])) or ("kelly_fraction",)
