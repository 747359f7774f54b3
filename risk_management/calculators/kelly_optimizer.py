"""How much exposure history or a bot's own trades would justify: growth-optimal, shrunken, in part, capped.

Every fraction here is an exposure: 0.5 puts half of equity at the asset's returns.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from risk_management.calculators._kelly_program import (
    DUST,
    GrowthProgram,
    book_caps,
    group_caps,
    instrument_of,
    name_caps,
)
from risk_management.calculators._kelly_records import KellyPortfolioResult, KellyResult, TradeKelly
from risk_management.config.risk_config import KellyConfig
from risk_management.core.entry import checked_number, checked_symbol
from risk_management.core.front import Front
from risk_management.errors import InvalidRequest, MarketDataError, MeasureError, UndefinedMeasure, shown
from risk_management.measures.growth import (
    growth_rate,
    kelly_bounds,
    kelly_discrete,
    kelly_empirical,
    kelly_portfolio,
)
from risk_management.model.instrument import AssetClass
from risk_management.model.market import HistoryKind, ReturnMatrix

__all__ = ["KellyOptimizer", "KellyPortfolioResult", "KellyResult", "TradeKelly"]

Float = NDArray[np.float64]

ADVICE: Final = "advice only: from the asset's history"
UNIT: Final = "exposure"
RESAMPLES: Final = 400
LEAST_OF_BAND: Final = 20


@dataclass(frozen=True, slots=True)
class _Ways:
    """Full Kelly of one series by three ways; NaN where undefined."""

    win_rate: float
    average_win: float
    average_loss: float
    stake_fraction: float
    discrete: float
    continuous: float
    exact: float

    @classmethod
    def of(cls, returns: Float) -> _Ways:
        wins, losses = returns[returns > 0.0], -returns[returns < 0.0]
        decided = len(wins) + len(losses)
        win = float(wins.mean()) if len(wins) else math.nan
        loss = float(losses.mean()) if len(losses) else math.nan
        rate = len(wins) / decided if decided else math.nan
        stake = discrete = math.nan
        if len(wins) and len(losses):
            bet = kelly_discrete(rate, win, loss)
            stake, discrete = bet.stake_fraction, bet.exposure
        elif len(losses):
            stake = discrete = 0.0
        return cls(rate, win, loss, stake, discrete, _continuous(returns), _exact(returns))


@dataclass(frozen=True, slots=True, eq=False)
class _Evidence:
    """Daily returns (T,) of one asset, the mean that theirs is shrunken to, and rows a year."""

    returns: Float
    common_mean: float
    periods: int
    leans_on: tuple[str, ...]


def _checked_series(returns: ArrayLike) -> Float:
    growth_rate(returns, 0.0)  # refuses what is no series of returns
    return np.asarray(returns, dtype=np.float64)


def _bounds(returns: Float, tail: float) -> tuple[float, float]:
    """Those of mean / variance; NaN below two values or without any spread."""
    try:
        return kelly_bounds(returns, tail)
    except MeasureError:
        return math.nan, math.nan


def _continuous(returns: Float) -> float:
    return _bounds(returns, 0.5)[0]


def _exact(returns: Float) -> float:
    try:
        return kelly_empirical(returns) if len(returns) > 1 else math.nan
    except UndefinedMeasure:  # not one loss: no exposure is too much
        return math.nan


def _shrunken(own: Float, common: float, weight: float) -> Float:
    """Positive means drawn down toward the common one. None is lifted: that would be bolder than history."""
    return np.where(own > 0.0, np.minimum(own, own + weight * (common - own)), own)


def _moved(returns: Float, means: Float | float) -> Float:
    """The same returns about other means."""
    return np.asarray(np.maximum(returns - returns.mean(axis=0) + means, -1.0))


def _own_rows(matrix: ReturnMatrix, symbol: str) -> NDArray[np.bool_]:
    """Days on which the symbol has returns of its own or of its declared proxy, shape (T,)."""
    coverage = matrix.coverage[symbol]
    rows = np.ones(len(matrix.dates), dtype=bool)
    if coverage.kind is HistoryKind.BACKFILLED and coverage.first and coverage.last:
        rows = (matrix.dates > np.datetime64(coverage.first)) & (matrix.dates <= np.datetime64(coverage.last))
    return rows


def _with_history(matrix: ReturnMatrix) -> list[str]:
    return [s for s in matrix.symbols if matrix.coverage[s].kind is not HistoryKind.STAND_IN]


def _require_history(matrix: ReturnMatrix, symbols: Iterable[str]) -> None:
    known = set(_with_history(matrix))
    missing = [symbol for symbol in symbols if symbol not in known]
    if missing:
        said = (
            f"{s} has {matrix.coverage[s].lacks}" if s in matrix.coverage else f"no history of {s}"
            for s in missing
        )
        raise MarketDataError(
            f"{', '.join(said)}: a stand-in says nothing about growth; "
            "hand in prices, or choose among the symbols that have them"
        )


def _common_mean(matrix: ReturnMatrix) -> float:
    """Mean daily return of the broad index funds with history; of all symbols where there is none."""
    known = _with_history(matrix)
    funds = [s for s in known if matrix.asset_classes.get(s) == AssetClass.INDEX_FUND] or known
    means = [matrix.values[_own_rows(matrix, s), matrix.columns[s]].mean() for s in funds]
    return float(np.mean(means)) if means else 0.0


def _periods(matrix: ReturnMatrix) -> int:
    """Rows a year: 365 where weekends are among the dates, else 252."""
    return 365 if not np.is_busday(matrix.dates).all() else 252


class KellyOptimizer(Front):
    """Exposure for the fastest growth, made careful: means shrunken, a fraction taken, limits kept.

    What comes from an asset's history is advice only. What binds a bot is the record of its own trades.
    """

    def calculate_kelly_single_asset(
        self, symbol: str, returns: ArrayLike | None = None, kelly_fraction: float | None = None
    ) -> KellyResult:
        """Kelly of one asset, from its history or from returns handed in.

        Parameters
        ----------
        symbol : str
        returns : array_like of shape (T,), optional
            Simple daily returns. Their mean is shrunken toward 0, that of history toward the market's.
        kelly_fraction : float, optional
            In [0, 1]; by default that of the config.

        Raises
        ------
        MarketDataError
            The symbol has no history of its own and none is handed in.
        InvalidRequest, InvalidReturns
        """
        symbol = checked_symbol(symbol)
        share = self._share(kelly_fraction)
        seen = self._history(symbol) if returns is None else self._handed_in(symbol, returns)
        weight = self._settings.mean_shrinkage
        values, periods = seen.returns, seen.periods
        shrunken = _moved(values, _shrunken(values.mean(keepdims=True), seen.common_mean, weight))
        ways, careful = _Ways.of(values), _exact(shrunken)
        least = self.config.market_data_config.min_observations
        enough = len(values) >= least and math.isfinite(ways.exact) and math.isfinite(careful)
        advised, bound_by = 0.0, "insufficient"
        if enough:
            advised, bound_by = self._advised(symbol, careful, share)
        deviation = float(values.std(ddof=1)) if len(values) > 1 else math.nan
        error = deviation / math.sqrt(len(values))
        root = math.sqrt(periods)
        return KellyResult(
            symbol=symbol,
            full_kelly_fraction=ways.exact,
            recommended_kelly_fraction=advised,
            bound_by=bound_by,
            unit=UNIT,
            discrete=ways.discrete,
            continuous=ways.continuous,
            exact=ways.exact,
            shrunken_kelly=careful,
            band=_band(values, self._settings.lower_bound, self.config.var_config.seed),
            mean=float(values.mean()) * periods,
            mean_error=error * periods,
            sigma=deviation * root,
            sigma_error=_deviation_error(values) * root,
            shrunken_mean=float(shrunken.mean()) * periods,
            observations=len(values),
            periods_per_year=periods,
            growth_rate=growth_rate(shrunken, advised) * periods,
            status="ok" if enough else "insufficient",
            note=ADVICE if enough else f"{ADVICE}; {_lacking(len(values), least)}",
            leans_on=seen.leans_on,
        )

    def _history(self, symbol: str) -> _Evidence:
        matrix = self.state.model.matrix
        _require_history(matrix, (symbol,))
        values = matrix.values[_own_rows(matrix, symbol), matrix.columns[symbol]]
        return _Evidence(values, _common_mean(matrix), _periods(matrix), matrix.leans_on((symbol,)))

    def _handed_in(self, symbol: str, returns: ArrayLike) -> _Evidence:
        periods = instrument_of(self.state, symbol).periods_per_year
        return _Evidence(_checked_series(returns), 0.0, periods, ("returns handed in by the caller",))

    @property
    def _settings(self) -> KellyConfig:
        return self.config.kelly_config

    def _share(self, kelly_fraction: float | None) -> float:
        if kelly_fraction is None:
            return self._settings.default_kelly_fraction
        return checked_number(kelly_fraction, "kelly_fraction", zero=True, most=1.0)

    def _advised(self, symbol: str, careful: float, share: float) -> tuple[float, str]:
        """What is left of a share of a Kelly exposure, and what set it."""
        if careful <= 0.0:
            return 0.0, "no_edge"
        groups = group_caps(self.state, self.config, (symbol,))
        bounds = {
            "kelly_fraction": careful * share,
            **name_caps(instrument_of(self.state, symbol), self.config),
            **{name: cap for name, (_, cap) in groups.items()},
            **book_caps(self.config),
        }
        bound_by = min(bounds, key=bounds.__getitem__)
        multiplier = self.state.drawdown.effective_multiplier
        return bounds[bound_by] * multiplier, bound_by if multiplier >= 1.0 else "drawdown"

    def optimize_portfolio_kelly(
        self,
        symbols: Iterable[str],
        kelly_fraction: float | None = None,
        *,
        worst_wealth: float | None = None,
        worst_chance: float | None = None,
    ) -> KellyPortfolioResult:
        """Weights with the greatest growth over the common history, shrunken, in part and within all limits.

        The limits hold for the weights that are returned, after the Kelly fraction. With `worst_wealth` and
        `worst_chance` the full Kelly weights also keep the chance of ever falling to that share of the
        start below that chance (long only; Busseti, Ryu and Boyd).

        Parameters
        ----------
        symbols : iterable of str
            Each once, at least one.
        kelly_fraction : float, optional
            In [0, 1]; by default that of the config.
        worst_wealth, worst_chance : float, optional
            Both in (0, 1), such as 0.7 and 0.1; given together.

        Raises
        ------
        MarketDataError
            Names the symbols without a history of their own.
        InvalidRequest
        """
        chosen = _checked_symbols(symbols)
        share = self._share(kelly_fraction)
        fall = _fall(worst_wealth, worst_chance)
        matrix = self.state.model.matrix
        _require_history(matrix, chosen)
        rows = np.logical_and.reduce([_own_rows(matrix, s) for s in chosen])
        returns = matrix.values[np.ix_(rows, [matrix.columns[s] for s in chosen])]
        problem = GrowthProgram.of(self.state, self.config, chosen, share, fall)
        least = self.config.market_data_config.min_observations
        if len(returns) < least:
            return self._portfolio(problem, returns, None, "insufficient", _lacking(len(returns), least))
        own = returns.mean(axis=0)
        moved = _moved(returns, _shrunken(own, _common_mean(matrix), self._settings.mean_shrinkage))
        if share <= 0.0:
            return self._portfolio(problem, moved, None, "optimal", "a Kelly fraction of 0 holds cash")
        try:
            full = kelly_portfolio(moved, problem.constraints(), fall)
        except UndefinedMeasure as failure:
            return self._portfolio(problem, moved, None, "unsolved", str(failure))
        weights = np.where(np.abs(full.weights) * share < DUST, 0.0, full.weights * share)
        status = "optimal" if weights.any() else "no_edge"
        note = f"{ADVICE}; held back so that {problem.promise()}" if full.fall_bound else ADVICE
        return self._portfolio(problem, moved, weights, status, note, fall_bound=full.fall_bound)

    def _portfolio(
        self,
        problem: GrowthProgram,
        moved: Float,
        weights: Float | None,
        status: str,
        note: str,
        *,
        fall_bound: bool = False,
    ) -> KellyPortfolioResult:
        matrix = self.state.model.matrix
        periods = _periods(matrix)
        held = np.zeros(len(problem.symbols)) if weights is None else weights
        bound_by = problem.reached(held, fall_bound=fall_bound) if held.any() else (status,)
        if problem.share <= 0.0:
            bound_by = ("kelly_fraction",)
        multiplier = self.state.drawdown.effective_multiplier
        if multiplier < 1.0:
            held, bound_by = held * multiplier, (*bound_by, "drawdown")
        means = moved.mean(axis=0) if len(moved) else np.full(len(problem.symbols), math.nan)
        return KellyPortfolioResult(
            optimal_weights=_by_symbol(problem.symbols, held),
            unit=UNIT,
            growth_rate=growth_rate(moved, held) * periods if len(moved) else math.nan,
            kelly_fraction=problem.share,
            shrunken_means=_by_symbol(problem.symbols, means * periods),
            constraints=MappingProxyType(problem.named()),
            bound_by=bound_by,
            observations=len(moved),
            status=status,
            note=note,
            leans_on=matrix.leans_on(problem.symbols),
        )

    def calculate_kelly_from_trades(
        self, returns: ArrayLike, kelly_fraction: float | None = None
    ) -> TradeKelly:
        """Kelly of closed trades: the record that binds a bot.

        Parameters
        ----------
        returns : array_like of shape (T,)
            Return of each closed trade on its cost.
        kelly_fraction : float, optional
            In [0, 1]; by default that of the config.

        Raises
        ------
        InvalidReturns, InvalidRequest
        """
        values = _checked_series(returns) if np.size(returns) else np.empty(0)
        share = self._share(kelly_fraction)
        least = self._settings.min_trades
        enough = len(values) >= least
        tail = self._settings.lower_bound
        ways = _Ways.of(values) if len(values) else _Ways(*([math.nan] * 7))
        low, high = _bounds(values, tail)
        most = self._settings.max_exposure
        recommended = 0.0 if math.isnan(low) else min(low * share, most)
        note = f"lower {tail:.0%} confidence bound of mean / variance, times {share:g}, at most {most:g}"
        if not enough:
            bound_by = "insufficient"
            note = f"{len(values)} closed trades of the {least} that bind; until then probation caps the bot"
        elif math.isnan(low) and float(values.mean()) > 0.0:
            bound_by = "no_spread"
            note = "all trades gained the same: there is no spread that a bet could be sized by"
        else:
            edge = "max_exposure" if low * share > most else "kelly_fraction"
            bound_by = edge if low > 0.0 else "no_edge"
        return TradeKelly(
            trades=len(values),
            win_rate=ways.win_rate,
            average_win=ways.average_win,
            average_loss=ways.average_loss,
            payoff=ways.average_win / ways.average_loss,
            stake_fraction=ways.stake_fraction,
            discrete=ways.discrete,
            continuous=ways.continuous,
            exact=ways.exact,
            lower=low,
            upper=high,
            recommended_kelly_fraction=recommended if enough else None,
            bound_by=bound_by,
            unit=UNIT,
            status="ok" if enough else "insufficient",
            note=note,
        )


def _band(values: Float, tail: float, seed: int) -> tuple[float, float]:
    """Exact Kelly at the `tail` and its mirror image, over resamples of blocks of days.

    Blocks of random length keep what days that follow each other have in common; their mean length is the
    one that Politis and White (2004) find in the data. Resamples without a loss have no exact Kelly and
    count as the highest.

    References
    ----------
    Politis and Romano (1994), "The stationary bootstrap", Journal of the American Statistical Association
    89(428).
    """
    if len(values) < LEAST_OF_BAND or math.isnan(_continuous(values)):
        return math.nan, math.nan
    from arch.bootstrap import StationaryBootstrap, optimal_block_length  # noqa: PLC0415 - slow to import

    length = float(optimal_block_length(values)["stationary"].iloc[0])
    length = min(max(length, 1.0), len(values) / 4.0) if math.isfinite(length) else 1.0
    resampled = StationaryBootstrap(length, values, seed=seed).bootstrap(RESAMPLES)
    found = np.array([_exact(sample) for (sample,), _ in resampled])
    found[np.isnan(found)] = math.inf
    low, high = np.sort(found)[[int(tail * RESAMPLES), int((1.0 - tail) * RESAMPLES)]]
    return float(low), float(high)


def _by_symbol(symbols: Sequence[str], values: Float) -> Mapping[str, float]:
    return MappingProxyType({s: float(v) + 0.0 for s, v in zip(symbols, values, strict=True)})


def _fall(wealth: float | None, chance: float | None) -> tuple[float, float] | None:
    if wealth is None and chance is None:
        return None
    if wealth is None or chance is None:
        raise InvalidRequest(
            "MISSING", "worst_chance", "worst_wealth and worst_chance belong together, such as 0.7 and 0.1"
        )
    return (
        checked_number(wealth, "worst_wealth", most=math.nextafter(1.0, 0.0)),
        checked_number(chance, "worst_chance", most=math.nextafter(1.0, 0.0)),
    )


def _checked_symbols(symbols: Iterable[str]) -> tuple[str, ...]:
    if isinstance(symbols, str):
        raise InvalidRequest("WRONG_TYPE", "symbols", f"symbols are a list; write [{shown(symbols)}]")
    chosen = tuple(checked_symbol(s) for s in symbols)
    if not chosen or len(set(chosen)) != len(chosen):
        raise InvalidRequest("WRONG_TYPE", "symbols", "name at least one symbol, and each only once")
    return tuple(sorted(chosen))  # the order of a list must not change what the solver finds


def _lacking(found: int, least: int) -> str:
    if found < least:
        return f"insufficient data: {found} returns of at least {least}"
    return "not one return is a loss: growth has no limit, and nothing is recommended on that"


def _deviation_error(values: Float) -> float:
    """Standard error of the standard deviation, by the delta method with the sample's own kurtosis."""
    centred = values - values.mean()
    variance = float((centred**2).mean())
    if variance <= 0.0:
        return 0.0
    kurtosis = float((centred**4).mean()) / variance**2
    return math.sqrt(variance * max(kurtosis - 1.0, 0.0) / (4.0 * len(values)))
