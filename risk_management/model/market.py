"""What is known of the market: price histories and the aligned matrix of returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

__all__ = ["Coverage", "HistoryKind", "PriceHistory", "ReturnMatrix", "SeriesInfo"]

Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SeriesInfo:
    """Where one column of prices comes from.

    Parameters
    ----------
    symbol : str
        The symbol that the column serves.
    source : str
        Short name of the source, such as ``sample`` or ``frame``.
    series : str
        What the numbers really are, such as ``S&P 500 index close``.
    is_proxy : bool
        True where the series is another instrument's: returns only, never price levels.
    note : str
        One sentence for a person, empty where there is nothing to say.
    """

    symbol: str
    source: str
    series: str
    is_proxy: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class PriceHistory:
    """Closing prices of several symbols on one calendar.

    Parameters
    ----------
    dates : ndarray of datetime64[D] of shape (T,)
        Strictly increasing.
    symbols : tuple of str
        Column names, unique.
    closes : ndarray of float64 of shape (T, N)
        Positive closes, NaN where a symbol has none.
    info : Mapping of str to SeriesInfo
        Provenance of each column.
    source : str
        Name of the source.
    is_sample : bool
        True for the embedded demonstration data.
    as_of : datetime or None
        Aware moment at which the source stands if nobody says otherwise; None for a living source.
    """

    dates: NDArray[np.datetime64]
    symbols: tuple[str, ...]
    closes: Float
    info: Mapping[str, SeriesInfo]
    source: str
    is_sample: bool = False
    as_of: datetime | None = None


class HistoryKind(StrEnum):
    """What stands in a column of the return matrix."""

    OWN = "own"
    """The symbol's own prices."""
    PROXY = "proxy"
    """Another, declared series."""
    BACKFILLED = "backfilled"
    """Own prices where there are any; before them a conservative stand-in."""
    STAND_IN = "stand_in"
    """No history: a conservative stand-in for the whole window."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """How well one column of the return matrix is founded.

    Parameters
    ----------
    symbol : str
    kind : HistoryKind
    observations : int
        Returns that come from the symbol's own (or its proxy's) prices, 0 to T.
    first, last : date or None
        First and last date with a price, None where there is none.
    gaps : int
        Dates of the calendar between first and last without a price.
    stale : bool
        The series ends before the others.
    note : str
        One sentence that says what the column leans on, empty for a full own history.
    lacks : str
        Why a stand-in serves, after "it has": ``a price that stands still``; empty for the other kinds.
    """

    symbol: str
    kind: HistoryKind
    observations: int
    first: date | None
    last: date | None
    gaps: int = 0
    stale: bool = False
    note: str = ""
    lacks: str = ""


@dataclass(frozen=True, slots=True)
class ReturnMatrix:
    """Simple daily returns of all symbols, aligned on one calendar; read-only.

    Parameters
    ----------
    symbols : tuple of str
        Column names.
    columns : Mapping of str to int
        Column of each symbol.
    dates : ndarray of datetime64[D] of shape (T,)
        Date of each return, increasing.
    values : ndarray of float64 of shape (T, N), column-major
        Simple returns, finite, 0.01 is one per cent.
    coverage : Mapping of str to Coverage
        What each column is founded on.
    asset_classes : Mapping of str to str
        ``equity``, ``index_fund``, ``crypto``, ... by symbol.
    as_of : datetime
        Aware UTC moment of the last observation.
    source : str
        Name of the price source.
    is_sample : bool
        True for the embedded demonstration data.
    """

    symbols: tuple[str, ...]
    columns: Mapping[str, int]
    dates: NDArray[np.datetime64]
    values: Float
    coverage: Mapping[str, Coverage]
    asset_classes: Mapping[str, str]
    as_of: datetime
    source: str
    is_sample: bool = False

    def leans_on(self, symbols: tuple[str, ...] | None = None) -> tuple[str, ...]:
        """Sentences that say what results on these symbols lean on, sample data first."""
        said = ["sample data, for demonstration"] if self.is_sample else []
        wanted = self.symbols if symbols is None else symbols
        said += [self.coverage[s].note for s in wanted if s in self.coverage and self.coverage[s].note]
        return tuple(dict.fromkeys(said))


def frozen_columns(symbols: tuple[str, ...]) -> Mapping[str, int]:
    """Column of each symbol, as a read-only mapping."""
    return MappingProxyType({symbol: column for column, symbol in enumerate(symbols)})
