"""What is traded, and what a quantity of it is worth."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from risk_management.errors import InvalidRequest, shown

__all__ = ["AssetClass", "ContractKind", "Instrument", "checked_symbol", "is_symbol", "notional"]

SYMBOL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:=^-]{0,31}\Z")


def checked_symbol(symbol: object) -> str:
    """A symbol of plain letters, digits and ``. _ / : = ^ -``, at most 32 long.

    Raises
    ------
    InvalidRequest
        With the code ``INVALID_SYMBOL``.
    """
    if isinstance(symbol, str) and is_symbol(symbol):
        return symbol
    raise InvalidRequest(
        "INVALID_SYMBOL",
        "symbol",
        "a symbol is 1 to 32 letters, digits or . _ / : = ^ -, such as 'AAPL' or 'BTC/USDT'; "
        f"got {shown(symbol)}",
    )


def is_symbol(name: str) -> bool:
    """Whether a name can be a symbol here."""
    return SYMBOL.match(name) is not None and ".." not in name


class AssetClass(StrEnum):
    """Classes that limits and quote ages speak of."""

    EQUITY = "equity"
    INDEX_FUND = "index_fund"
    CRYPTO = "crypto"
    FX = "fx"
    FUTURE = "future"
    BOND_FUND = "bond_fund"
    COMMODITY_FUND = "commodity_fund"
    OTHER = "other"


class ContractKind(StrEnum):
    """How profit is counted. Options and inverse contracts are refused until they are done right."""

    SPOT = "spot"
    LINEAR = "linear"
    INVERSE = "inverse"
    OPTION = "option"


@dataclass(frozen=True, slots=True)
class Instrument:
    """The facts of one instrument.

    Parameters
    ----------
    symbol : str
    asset_class : str
        One of `AssetClass`.
    sector : str
        Name of the sector; ``unknown`` is a sector of its own with the same limit.
    currency : str
        Currency of its prices.
    multiplier : float
        Money per point and unit, above 0.
    tick : float
        Least step of a price, 0 where none is known.
    lot : float
        Least step of a quantity; 1e-6 where fractions trade.
    min_notional : float
        Least order in money.
    kind : ContractKind
    initial_margin, maintenance_margin : float
        Fractions of the notional; 1.0 is fully paid.
    calendar : str
        ``XNYS`` (about 252 days) or ``24/7`` (365 days).
    shortable : bool
    average_daily_volume : float or None
        Units a day, None where unknown.
    """

    symbol: str
    asset_class: str = AssetClass.OTHER
    sector: str = "unknown"
    currency: str = "USD"
    multiplier: float = 1.0
    tick: float = 0.0
    lot: float = 1e-6
    min_notional: float = 0.0
    kind: ContractKind = ContractKind.SPOT
    initial_margin: float = 1.0
    maintenance_margin: float = 1.0
    calendar: str = "XNYS"
    shortable: bool = True
    average_daily_volume: float | None = None

    @property
    def is_crypto(self) -> bool:
        """Trades on all days of the year."""
        return self.asset_class == AssetClass.CRYPTO

    @property
    def periods_per_year(self) -> int:
        """Trading days a year of its calendar."""
        return 365 if self.calendar == "24/7" else 252


def notional(instrument: Instrument, price: float, quantity: float) -> float:
    """Signed exposure in the instrument's currency: the only place where this is computed.

    Raises
    ------
    InvalidRequest
        For options and inverse contracts, which this version refuses.
    """
    if instrument.kind in (ContractKind.OPTION, ContractKind.INVERSE):
        raise InvalidRequest(
            "UNSUPPORTED_CONTRACT",
            "symbol",
            f"{instrument.symbol} is a contract of kind {instrument.kind}, which is not supported yet; "
            "trade spot or linear contracts",
        )
    return quantity * price * instrument.multiplier
