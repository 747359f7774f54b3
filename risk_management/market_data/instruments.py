"""Class and sector of instruments that users commonly name."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from types import MappingProxyType

__all__ = ["InstrumentFacts", "load_instrument_facts"]


@dataclass(frozen=True, slots=True)
class InstrumentFacts:
    """What ships about an instrument.

    Parameters
    ----------
    symbol, name : str
    sector : str
        One of the eleven GICS sectors, or ``Broad index``, ``Bonds``, ``Commodities``, ``Leveraged fund``,
        ``Crypto``, ``Stablecoin``.
    asset_class : str
        A value of `AssetClass`.
    """

    symbol: str
    name: str
    sector: str
    asset_class: str


@cache
def load_instrument_facts() -> Mapping[str, InstrumentFacts]:
    """Facts by symbol, read once a process. A coin is also known by its pairs, such as ``BTC-USD``."""
    text = (files("risk_management.market_data") / "sample_data" / "instruments.toml").read_text("utf-8")
    content = tomllib.loads(text)
    pairs: list[str] = content["pairs"]
    facts = {
        symbol: InstrumentFacts(symbol, name, sector, asset_class)
        for asset_class, sectors in content.items()
        if isinstance(sectors, dict)
        for sector, names in sectors.items()
        for symbol, name in names.items()
    }
    for coin in [one for one in facts.values() if one.asset_class == "crypto"]:
        for pattern in pairs:
            pair = pattern.format(coin.symbol)
            facts.setdefault(pair, replace(coin, symbol=pair))
    return MappingProxyType(facts)
