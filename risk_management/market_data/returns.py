"""From prices to the one matrix of daily returns that every measure sees. Pure: no I/O, no clock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from risk_management.errors import MarketDataError
from risk_management.market_data._alignment import (
    CRYPTO,
    OwnReturns,
    calendar_rows,
    known_day,
    own_returns,
    voters,
)
from risk_management.market_data._series import close_moment
from risk_management.model.market import Coverage, HistoryKind, PriceHistory, ReturnMatrix, frozen_columns

__all__ = ["STAND_IN_VOLATILITY", "build_returns", "coverage_report", "extend_returns", "rows_until"]

Floats = NDArray[np.float64]

STAND_IN_VOLATILITY: Final[Mapping[str, float]] = MappingProxyType(
    {"equity": 0.60, "index_fund": 0.40, "crypto": 1.20, "other": 0.80}
)
"""Least annual volatility of a stand-in, by asset class."""

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
_INDEX_FUND = "index_fund"
_WORST = -0.99  # a stand-in scaled up may not lose more than there is


@dataclass(frozen=True, slots=True)
class _Rules:
    min_observations: int
    max_gap: int
    proxies: Mapping[str, str]
    classes: Mapping[str, str]
    floors: Mapping[str, float]
    stale_days: int

    def class_of(self, symbol: str) -> str:
        return self.classes.get(symbol, "other")

    def floor_of(self, symbol: str) -> float:
        """The floor of its class; a class without one is taken at the highest."""
        return self.floors.get(self.class_of(symbol), max(self.floors.values(), default=0.0))


@dataclass(frozen=True, slots=True)
class _Grid:
    """The calendar of a matrix and the market's return on it.

    Parameters
    ----------
    dates : ndarray of datetime64[D] of shape (T,)
    market : ndarray of float64 of shape (T,)
        Mean return of the index funds, or of all series; its own mean taken off.
    periods : int
        Returns a year.
    today : datetime64[D]
        The day against which a series is stale.
    """

    dates: NDArray[np.datetime64]
    market: Floats
    periods: int
    today: np.datetime64

    def volatility(self, returns: Floats) -> float:
        """Annual volatility, 0 for fewer than two returns."""
        return float(np.std(returns, ddof=1) * np.sqrt(self.periods)) if len(returns) > 1 else 0.0


@dataclass(frozen=True, slots=True)
class _Column:
    values: Floats
    coverage: Coverage


def build_returns(  # noqa: PLR0913  # the signature that the settings of market data spell out
    history: PriceHistory,
    *,
    symbols: Sequence[str] | None = None,
    window: int = 1250,
    min_observations: int = 120,
    max_gap: int = 5,
    proxies: Mapping[str, str] = _NOTHING,
    asset_classes: Mapping[str, str] = _NOTHING,
    as_of: datetime | None = None,
    stand_in_volatility: Mapping[str, float] = STAND_IN_VOLATILITY,
    stale_days: int = 4,
) -> ReturnMatrix:
    """Aligned simple daily returns of `symbols`, one column for every one of them.

    Parameters
    ----------
    history : PriceHistory
        Closes. It should hold index funds too, even where they are not asked for: the stand-ins
        lean on them.
    symbols : sequence of str, optional
        Columns wanted; by default all of the history.
    window : int
        Most returns, counted back from `as_of`.
    min_observations : int
        Fewest own returns in the window; below, a proxy or a stand-in serves. A calendar shorter than
        this lowers it: whether so few are enough is the measures' affair.
    max_gap : int
        Trading days running without a price that a return may span.
    proxies : Mapping of str to str
        Symbol whose returns serve for another's that has too few.
    asset_classes : Mapping of str to str
        Class of each symbol; ``other`` where it is not named.
    as_of : datetime, optional
        Aware moment; nothing after it is read. By default the history's own, else its last day.
    stand_in_volatility : Mapping of str to float
        Least annual volatility of a stand-in, by class; 0.6 is 60 %.
    stale_days : int
        Calendar days before `as_of` at which a series' end makes it stale.

    Returns
    -------
    ReturnMatrix
        Of shape (T, N), T at most `window`; finite, column-major, read-only.

    Raises
    ------
    MarketDataError
        The history has no two common days up to `as_of`, or nothing in it moves.
    """
    rules = _Rules(min_observations, max_gap, proxies, asset_classes, stand_in_volatility, stale_days)
    wanted = tuple(dict.fromkeys(history.symbols if symbols is None else symbols))
    today = known_day(as_of or history.as_of or _end(history))
    columns = voters(history, wanted, asset_classes)
    rows = calendar_rows(history, columns, today)[-(window + 1) :]
    if len(rows) < 2:
        raise MarketDataError(
            f"{history.source}: no two days up to {today} on which most of the symbols have a close; "
            "hand in a longer history, or one that also holds an index fund"
        )
    only_coins = all(asset_classes.get(history.symbols[column]) == CRYPTO for column in columns)
    own = _own_of(history, wanted, rules, rows, only_coins=only_coins)
    grid, own = _grid(history.dates[rows[1:]], own, rules, 365 if only_coins else 252, today)
    made = _columns(history, wanted, own, grid, rules, {})
    return _matrix(history, wanted, made, grid, rules)


def extend_returns(  # noqa: PLR0913  # the same settings as above
    matrix: ReturnMatrix,
    symbols: Sequence[str],
    history: PriceHistory,
    *,
    min_observations: int = 120,
    max_gap: int = 5,
    proxies: Mapping[str, str] = _NOTHING,
    asset_classes: Mapping[str, str] = _NOTHING,
    stand_in_volatility: Mapping[str, float] = STAND_IN_VOLATILITY,
    stale_days: int = 4,
) -> ReturnMatrix:
    """The matrix with columns for `symbols` added, on its own calendar; the old columns stay as they are.

    For a position that turns up in a symbol nobody asked for before. A later `build_returns` over all
    symbols may choose another calendar and raise the older stand-ins. A matrix of coins alone stands on
    365 days a year: other symbols get a stand-in there, never weekends of zeros.

    Parameters
    ----------
    matrix : ReturnMatrix
        As `build_returns` made it.
    symbols : sequence of str
        Those already in the matrix are passed over.
    history : PriceHistory
        The history of the matrix; symbols that it does not know get a stand-in.

    See Also
    --------
    build_returns : the other parameters.
    """
    new = tuple(s for s in dict.fromkeys(symbols) if s not in matrix.columns)
    if not new:
        return matrix
    classes = {**matrix.asset_classes, **asset_classes}
    rules = _Rules(min_observations, max_gap, proxies, classes, stand_in_volatility, stale_days)
    only_coins = all(classes.get(symbol) == CRYPTO for symbol in matrix.symbols)
    own = _own_of(history, new, rules, _rows_of(matrix, history, classes), only_coins=only_coins)
    old = {symbol: matrix.values[:, column] for symbol, column in matrix.columns.items()}
    market = _market(old, rules)
    grid = _Grid(matrix.dates, market - market.mean(), 365 if only_coins else 252, matrix.dates[-1])
    made = {s: _Column(old[s], matrix.coverage[s]) for s in matrix.symbols}
    made = _columns(history, new, own, grid, rules, made)
    extended = _matrix(history, (*matrix.symbols, *new), made, grid, rules)
    return replace(extended, as_of=matrix.as_of)


def rows_until(matrix: ReturnMatrix, end: int, window: int) -> ReturnMatrix:
    """The last `window` of the first `end` rows of a matrix, as views; the coverage stays as it is."""
    start = max(0, end - window)
    if not 0 <= start < end <= len(matrix.dates):
        raise MarketDataError(f"rows {start} to {end} are not in a matrix of {len(matrix.dates)} returns")
    dates = matrix.dates[start:end]
    return replace(matrix, dates=dates, values=matrix.values[start:end], as_of=close_moment(dates[-1]))


def coverage_report(matrix: ReturnMatrix) -> list[dict[str, str | int | bool]]:
    """One row a symbol for tables: kind, observations, first, last, gaps, stale, note; weakest first."""
    order = [HistoryKind.STAND_IN, HistoryKind.BACKFILLED, HistoryKind.PROXY, HistoryKind.OWN]
    ranked = sorted(
        (matrix.coverage[symbol] for symbol in matrix.symbols),
        key=lambda one: (order.index(one.kind), not one.stale, one.symbol),
    )
    return [
        {
            "symbol": one.symbol,
            "kind": one.kind.value,
            "observations": one.observations,
            "of": len(matrix.dates),
            "first": str(one.first or ""),
            "last": str(one.last or ""),
            "gaps": one.gaps,
            "stale": one.stale,
            "note": one.note,
        }
        for one in ranked
    ]


def _end(history: PriceHistory) -> datetime:
    if len(history.dates) == 0:
        raise MarketDataError(f"{history.source}: the history is empty; hand in at least two days")
    return close_moment(history.dates[-1])


def _rows_of(matrix: ReturnMatrix, history: PriceHistory, classes: Mapping[str, str]) -> NDArray[np.intp]:
    """Rows of the history that the matrix stands on, with the base of its first return before them."""
    rows = np.searchsorted(history.dates, matrix.dates)
    if rows[-1] >= len(history.dates) or (history.dates[rows] != matrix.dates).any():
        raise MarketDataError(f"{history.source}: the history lacks days of the matrix; build it anew")
    calendar = calendar_rows(history, voters(history, matrix.symbols, classes), matrix.dates[-1])
    before = calendar[calendar < rows[0]]
    return np.concatenate([before[-1:] if len(before) else rows[:1], rows])


def _own_of(
    history: PriceHistory,
    wanted: Iterable[str],
    rules: _Rules,
    rows: NDArray[np.intp],
    *,
    only_coins: bool,
) -> dict[str, OwnReturns]:
    """Own returns of the wanted symbols, of their proxies and of the index funds.

    On the calendar of coins only coins count: the others would have weekends of zeros there.
    """
    wanted = tuple(wanted)
    fitting = [s for s in history.symbols if not only_coins or rules.class_of(s) == CRYPTO]
    served = {*wanted, *(rules.proxies[s] for s in wanted if s in rules.proxies)}
    served |= {s for s in fitting if rules.class_of(s) == _INDEX_FUND}
    known = [s for s in fitting if s in served] or fitting
    return {symbol: own_returns(history, symbol, rows, rules.max_gap) for symbol in known}


def _grid(
    dates: NDArray[np.datetime64],
    own: dict[str, OwnReturns],
    rules: _Rules,
    periods: int,
    today: np.datetime64,
) -> tuple[_Grid, dict[str, OwnReturns]]:
    """The calendar without the days of which no series says anything."""
    market = _market({symbol: one.values for symbol, one in own.items()}, rules)
    said = np.isfinite(market)
    market = market[said]
    if len(market) == 0:
        raise MarketDataError("no symbol has two closes near each other; hand in daily closes")
    own = {symbol: replace(one, values=one.values[said]) for symbol, one in own.items()}
    return _Grid(dates[said], market - market.mean(), periods, today), own


def _market(returns: Mapping[str, Floats], rules: _Rules) -> Floats:
    """Equal-weight mean of the index funds of each day, of all series where no fund has a return."""
    funds = [values for symbol, values in returns.items() if rules.class_of(symbol) == _INDEX_FUND]
    everything = _mean_of(list(returns.values()))
    if not funds:
        return everything
    mean = _mean_of(funds)
    return np.where(np.isfinite(mean), mean, everything)


def _mean_of(returns: list[Floats]) -> Floats:
    table = np.column_stack(returns)
    known = np.isfinite(table)
    count = known.sum(axis=1)
    total = np.where(known, table, 0.0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _columns(
    history: PriceHistory,
    wanted: Iterable[str],
    own: Mapping[str, OwnReturns],
    grid: _Grid,
    rules: _Rules,
    made: dict[str, _Column],
) -> dict[str, _Column]:
    """`made` with a column for every wanted symbol; stand-ins last, since they look at the others."""
    need = min(rules.min_observations, len(grid.dates))
    without = []
    for symbol in wanted:
        serving = _serving(symbol, own, rules, need)
        if serving is None:
            without.append(symbol)
        else:
            made[symbol] = _served(symbol, serving, own[serving], grid, history, rules)
    founded = dict(made)
    for symbol in without:
        made[symbol] = _stand_in(symbol, own.get(symbol), founded, grid, rules)
    return made


def _serving(symbol: str, own: Mapping[str, OwnReturns], rules: _Rules, need: int) -> str | None:
    """The series with enough returns for `symbol`: its own, else its declared proxy's."""
    for name in (symbol, rules.proxies.get(symbol, symbol)):
        if name in own and own[name].observations >= max(need, 1) and _moves(own[name].values):
            return name
    return None


def _moves(values: Floats) -> bool:
    """A price that never changes is no history: it says nothing of the risk."""
    return bool(np.nanmax(np.abs(values)) > 0.0)


def _served(
    symbol: str,
    serving: str,
    own: OwnReturns,
    grid: _Grid,
    history: PriceHistory,
    rules: _Rules,
) -> _Column:
    """A column of own or proxy returns, with the market before, after and between where they fail."""
    missing = ~np.isfinite(own.values)
    info = history.info[serving]
    kind = HistoryKind.PROXY if serving != symbol or info.is_proxy else HistoryKind.OWN
    notes = [f"{symbol} leans on the returns of {serving} (declared proxy)."] if serving != symbol else []
    if info.note or info.is_proxy:
        notes.append(info.note or f"{serving} leans on {info.series} (proxy).")
    values = own.values
    if missing.any():
        kind = HistoryKind.BACKFILLED
        scale = _relative_scale(values[~missing], grid.market[~missing])
        values = np.where(missing, np.maximum(scale * grid.market, _WORST), values)
        notes.append(
            f"{symbol} has returns on {int((~missing).sum())} of {len(values)} days; "
            f"on the others the market stands in, scaled by {scale:.1f}."
        )
    return _Column(values, _coverage(symbol, kind, own, grid, rules, notes))


def _relative_scale(own: Floats, market: Floats) -> float:
    """Volatility relative to the market on the same days, at least 1.

    A full correlation is supposed: this is never below the regression's beta.
    """
    spread = float(np.std(market))
    return max(1.0, float(np.std(own)) / spread) if spread > 0 else 1.0


def _stand_in(
    symbol: str,
    own: OwnReturns | None,
    founded: Mapping[str, _Column],
    grid: _Grid,
    rules: _Rules,
) -> _Column:
    """The market, rescaled to the class's floor or to the wildest name of the class in the matrix."""
    group = rules.class_of(symbol)
    peers = [
        grid.volatility(column.values)
        for name, column in founded.items()
        if group in ("other", rules.class_of(name)) and column.coverage.kind is not HistoryKind.STAND_IN
    ]
    volatility = max([rules.floor_of(symbol), *peers])
    spread = grid.volatility(grid.market)
    if not spread > 0:
        raise MarketDataError(
            f"{symbol} needs a stand-in, but no price in the history moves; hand in prices that do"
        )
    values = np.maximum(grid.market * (volatility / spread), _WORST)
    lacks = _lacking(own, min(rules.min_observations, len(grid.dates)))
    note = f"{symbol} has {lacks}: the market stands in, scaled to a volatility of {volatility:.0%} a year."
    coverage = _coverage(symbol, HistoryKind.STAND_IN, own, grid, rules, [note])
    return _Column(values, replace(coverage, lacks=lacks))


def _lacking(own: OwnReturns | None, need: int) -> str:
    """What is wrong with the returns of a symbol that a stand-in serves."""
    if own is None or not own.observations:
        return "no history on this calendar"
    if own.observations < need:
        return f"only {own.observations} returns of its own"
    return "a price that stands still"


def _coverage(
    symbol: str,
    kind: HistoryKind,
    own: OwnReturns | None,
    grid: _Grid,
    rules: _Rules,
    notes: list[str],
) -> Coverage:
    if own is None or own.last is None:
        return Coverage(symbol, kind, 0, None, None, note=" ".join(notes))
    age = (date.fromisoformat(str(grid.today)) - own.last).days
    stale = age > rules.stale_days
    if stale:
        notes = [*notes, f"{symbol} is stale: its last price is of {own.last}."]
    observations = 0 if kind is HistoryKind.STAND_IN else own.observations
    return Coverage(symbol, kind, observations, own.first, own.last, own.gaps, stale, " ".join(notes))


def _matrix(
    history: PriceHistory,
    symbols: tuple[str, ...],
    made: Mapping[str, _Column],
    grid: _Grid,
    rules: _Rules,
) -> ReturnMatrix:
    values = np.asfortranarray(np.column_stack([made[symbol].values for symbol in symbols]))
    values.setflags(write=False)
    grid.dates.setflags(write=False)
    return ReturnMatrix(
        symbols=symbols,
        columns=frozen_columns(symbols),
        dates=grid.dates,
        values=values,
        coverage=MappingProxyType({symbol: made[symbol].coverage for symbol in symbols}),
        asset_classes=MappingProxyType({symbol: rules.class_of(symbol) for symbol in symbols}),
        as_of=close_moment(grid.dates[-1]),
        source=history.source,
        is_sample=history.is_sample,
    )
