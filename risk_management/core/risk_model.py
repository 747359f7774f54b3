"""Prepare the market model: scale returns to present volatility, find clusters, resolve scenario shocks."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from risk_management.calculators.scenarios import Scenario, shock_matrix
from risk_management.config.risk_config import RiskManagementConfig, VaRConfig
from risk_management.errors import MeasureError
from risk_management.market_data.returns import rows_until
from risk_management.measures._inputs import is_constant
from risk_management.measures.dependence import cluster, correlation, ledoit_wolf
from risk_management.measures.tail import var_es
from risk_management.measures.volatility import ewma_forecasts, long_run_blend, with_downside_weight
from risk_management.model.amend import amended
from risk_management.model.instrument import AssetClass, Instrument
from risk_management.model.market import HistoryKind, PriceHistory, ReturnMatrix, frozen_columns
from risk_management.model.risk_model import STAND_IN, RiskModel

__all__ = [
    "ModelPreparation",
    "adaptive_variances",
    "book_correlation",
    "build_risk_model",
    "founded",
    "moves",
    "present_covariance",
    "rows_remembered",
    "scaled_to_present",
    "stand_in_symbols",
    "with_stable_labels",
]

logger = logging.getLogger(__name__)

WARM_UP = 20
YEAR = 250
ROUNDING = 1e-12
FORGOTTEN = 2.0**-56
LARGEST_FACTOR = 10.0
"""A quiet day of a name is scaled up by no more than this."""

Float = NDArray[np.float64]


def stand_in_symbols() -> dict[str, str]:
    """Pseudo-symbols, one a class, whose columns serve every symbol without history."""
    return {STAND_IN + str(kind): str(kind) for kind in AssetClass}


@dataclass(frozen=True, slots=True)
class ModelPreparation:
    """What is computed once for a whole history, so that a model of any day costs little.

    Parameters
    ----------
    matrix : ReturnMatrix
        The history of which models are made (T, N).
    deviations : ndarray of shape (T + 1, N)
        EWMA volatility forecast for each row made before it; the last row looks past the end.
    variances : ndarray of shape (T + 1, N)
        The same as variances, with losses weighed more than gains, and begun on the rows before those of
        the matrix: scaling to the present uses them.
    weighted : ndarray of shape (T, N)
        The returns that `variances` rest on.
    market_deviations : ndarray of shape (T + 1,)
        The same for the equal-weight book of the symbols with history.
    config : RiskManagementConfig
    instruments : Mapping of str to Instrument
    scenarios : tuple of Scenario
        Gate scenarios.
    closes : PriceHistory or None
        Prices that scenarios are replayed on.
    """

    matrix: ReturnMatrix
    deviations: Float
    variances: Float
    weighted: Float
    market_deviations: Float
    config: RiskManagementConfig
    instruments: Mapping[str, Instrument]
    scenarios: tuple[Scenario, ...]
    closes: PriceHistory | None

    @classmethod
    def of(
        cls,
        matrix: ReturnMatrix,
        config: RiskManagementConfig,
        instruments: Mapping[str, Instrument],
        scenarios: tuple[Scenario, ...],
        closes: PriceHistory | None,
        earlier: Float | None = None,
    ) -> ModelPreparation:
        """Run the volatility recursion over the whole history once.

        `earlier`, of shape (E, N), are the returns before those of the matrix, as many as
        `rows_remembered` says: without them the first rows of the matrix take a forecast that has seen
        them.
        """
        settings = config.var_config
        before = 0 if earlier is None else len(earlier)
        known = matrix.values if earlier is None else np.vstack((earlier, matrix.values))
        variances, weighted = (part[before:].copy() for part in adaptive_variances(known, settings))
        real = [matrix.columns[s] for s in matrix.symbols if not s.startswith(STAND_IN)]
        market = matrix.values[:, real].mean(axis=1, keepdims=True)
        return cls(
            matrix=matrix,
            deviations=_forecasts(matrix.values, settings.ewma_decay),
            variances=variances,
            weighted=weighted,
            market_deviations=_forecasts(market, settings.ewma_decay)[:, 0],
            config=config,
            instruments=instruments,
            scenarios=scenarios,
            closes=closes,
        )

    def model(self, rows: int | None = None, *, like: RiskModel | None = None) -> RiskModel:
        """The model after the first `rows` rows of the history; nothing later is read.

        Parameters
        ----------
        rows : int, optional
            Number of rows that are known; all by default.
        like : RiskModel, optional
            Take clusters and shocks from it: they are refitted less often.
        """
        end = len(self.matrix.dates) if rows is None else rows
        matrix = rows_until(self.matrix, end, self.config.market_data_config.window)
        start = end - len(matrix.dates)
        now = self.deviations[end]
        settings = self.config.var_config
        parts = (
            _Slow(like.cluster, like.cluster_sign, like.scenario_ids, like.shocks)
            if like
            else _slow(self, matrix)
        )
        scaled = scaled_to_present(
            matrix.values, self.variances[start : end + 1], self.weighted[start:end], settings
        )
        scenarios = scaled if settings.default_method == "volatility_scaled" else matrix.values
        stop_free = _stop_free_risk(matrix, now, self.config)
        return RiskModel(
            matrix=matrix,
            scenarios=scenarios,
            scaled=scaled,
            volatility=_sealed(now.copy()),
            es99_long=_tails(scenarios, 1.0, stop_free),
            es99_short=_tails(scenarios, -1.0, stop_free),
            stop_free_risk=stop_free,
            cluster=parts.labels,
            cluster_sign=parts.signs,
            scenario_ids=parts.scenario_ids,
            shocks=parts.shocks,
            market_volatility_ratio=_ratio(self.market_deviations[max(start, end - YEAR) : end + 1]),
            columns=frozen_columns(matrix.symbols),
        )


def present_covariance(model: RiskModel, columns: Sequence[int], config: RiskManagementConfig) -> Float:
    """Daily covariance of some columns, shape (K, K): present EWMA volatilities about their correlation.

    The correlation is fitted on these columns alone, so that no other name has a say in it. A column may be
    named several times: names that share a stand-in move as one.
    """
    chosen, place = np.unique(np.asarray(columns, dtype=np.intp), return_inverse=True)
    rho = book_correlation(model.matrix.values[:, chosen], config, founded(model.matrix)[chosen])
    scale = model.volatility[columns]
    return np.asarray(rho[np.ix_(place, place)] * np.outer(scale, scale))


def founded(matrix: ReturnMatrix) -> NDArray[np.bool_]:
    """Which columns have returns of their own or a proxy's, shape (N,): the others are stand-ins."""
    return np.array([matrix.coverage[s].kind is not HistoryKind.STAND_IN for s in matrix.symbols])


def build_risk_model(
    matrix: ReturnMatrix,
    config: RiskManagementConfig,
    instruments: Mapping[str, Instrument],
    scenarios: tuple[Scenario, ...],
    closes: PriceHistory | None = None,
) -> RiskModel:
    """The model at the end of a matrix."""
    return ModelPreparation.of(matrix, config, instruments, scenarios, closes).model()


def with_stable_labels(fresh: RiskModel, old: RiskModel) -> RiskModel:
    """The model with its clusters labelled as the old model's that they share most names with.

    The largest overlap chooses first, each old label is given once, and a cluster without one gets a label
    that neither has used.
    """
    if fresh.cluster == old.cluster and fresh.matrix.symbols == old.matrix.symbols:
        return fresh
    before = {symbol: old.cluster[column] for symbol, column in old.columns.items()}
    shared: dict[tuple[int, int], int] = {}
    for symbol, column in fresh.columns.items():
        if symbol in before:
            pair = (fresh.cluster[column], before[symbol])
            shared[pair] = shared.get(pair, 0) + 1
    names: dict[int, int] = {}
    for own, was in sorted(shared, key=lambda pair: (-shared[pair], pair)):
        if own not in names and was not in names.values():
            names[own] = was
    unused = max((*old.cluster, *fresh.cluster), default=-1) + 1
    for own in dict.fromkeys(fresh.cluster):
        if own not in names:
            names[own] = unused
            unused += 1
    return amended(fresh, cluster=tuple(names[own] for own in fresh.cluster))


def moves(returns: Float) -> NDArray[np.bool_]:
    """Whether each column of simple returns (T, N) moves; a steady rate of interest does not, shape (N,).

    Prices of 16 digits leave noise of some 1e-15 in its returns, which would correlate with others' noise.
    """
    return np.asarray(~is_constant(returns) & (np.ptp(returns, axis=0) > ROUNDING))


def book_correlation(values: Float, config: RiskManagementConfig, known: NDArray[np.bool_]) -> Float:
    """Correlation of columns by the configured estimator over the configured window, shape (N, N).

    Ledoit and Wolf's shrinkage is that of standardised returns: raw ones of unlike volatility would be drawn
    to a common variance, and the wildest column would decide on the correlation of all others. Its intensity
    is that of the columns that are `known`, shape (N,); stand-ins, which are made from the others, are
    shrunk alike and have no say. A constant column has no correlation: it is taken as uncorrelated here.
    """
    settings = config.correlation_config
    recent = values[-settings.window :]
    if settings.overlap_days > 1 and len(recent) >= 2 * settings.overlap_days:
        # markets that close at different hours share their news a day apart
        recent = sliding_window_view(recent, settings.overlap_days, axis=0).sum(axis=-1)
    moving = moves(recent)
    result = np.eye(values.shape[1])
    if moving.sum() < 2:
        return result
    recent = np.ascontiguousarray(recent[:, moving])
    if settings.method == "ewma":
        rho = correlation(recent, "ewma", settings.ewma_decay)
    else:
        rho = correlation(recent)
        if settings.method == "ledoit_wolf" and known[moving].any():
            standard = recent[:, known[moving]]
            rho *= 1.0 - ledoit_wolf(standard / standard.std(axis=0)).intensity
            np.fill_diagonal(rho, 1.0)
    result[np.ix_(moving, moving)] = rho
    return result


@dataclass(frozen=True, slots=True)
class _Slow:
    """What is refitted every few weeks and not every day."""

    labels: tuple[int, ...]
    signs: tuple[int, ...]
    scenario_ids: tuple[str, ...]
    shocks: Float


def _slow(preparation: ModelPreparation, matrix: ReturnMatrix) -> _Slow:
    config = preparation.config
    rho = book_correlation(matrix.values, config, founded(matrix))
    try:
        groups = cluster(rho, threshold=config.correlation_config.cluster_threshold)
        labels, signs = tuple(map(int, groups.labels)), tuple(map(int, groups.signs))
    except MeasureError as problem:
        # fail closed: names that can't be told apart count as one cluster
        logger.warning("no clusters (%s): all names count as one", problem)
        labels, signs = (0,) * len(matrix.symbols), (1,) * len(matrix.symbols)
    today = matrix.as_of.date()
    known = tuple(s for s in preparation.scenarios if _has_happened(s, today))
    # what is neither known nor classed takes the deepest figure of a scenario, never a zero
    named = [s for s in matrix.symbols if s != STAND_IN + AssetClass.OTHER]
    classes = {s: _class_of(s, preparation.instruments) for s in named}
    sectors = {s: i.sector for s, i in preparation.instruments.items() if s in matrix.columns}
    shocks = shock_matrix(
        known,
        matrix.symbols,
        asset_classes=classes,
        sectors=sectors,
        matrix=matrix,
        closes=preparation.closes,
        unknown_beta=config.stress_config.unknown_beta,
    )
    return _Slow(labels, signs, tuple(s.id for s in known), _sealed(np.asfortranarray(shocks)))


def _has_happened(scenario: Scenario, today: date) -> bool:
    """A replay must not know a crisis before it came."""
    return scenario.end is None or scenario.end <= today


def _class_of(symbol: str, instruments: Mapping[str, Instrument]) -> str:
    if symbol.startswith(STAND_IN):
        return symbol.removeprefix(STAND_IN)
    found = instruments.get(symbol)
    return str(AssetClass.OTHER) if found is None else found.asset_class


def _forecasts(values: Float, decay: float) -> Float:
    """One-step forecasts; the first rows, where little is known, take the first settled one."""
    result = np.array(ewma_forecasts(values, decay))
    settled = min(WARM_UP, len(values))
    result[:settled] = result[settled]
    return result


def rows_remembered(settings: VaRConfig) -> int:
    """Rows after which the start of the volatility recursion is gone to rounding: 307 at a decay of 0.88."""
    return math.ceil(math.log(FORGOTTEN) / math.log(settings.scaling_decay))


def adaptive_variances(values: Float, settings: VaRConfig) -> tuple[Float, Float]:
    """Variance forecasts before each row and after the last, and the weighted returns that they rest on.

    The filter is that of `measures.volatility.adaptive_returns`, but for the long run, which is each
    window's own. The first rows, where little is known, take the first settled forecast.
    """
    weighted = with_downside_weight(values, settings.downside_weight)
    return _forecasts(weighted, settings.scaling_decay) ** 2, weighted


def scaled_to_present(values: Float, variances: Float, weighted: Float, settings: VaRConfig) -> Float:
    """Each return over the volatility forecast made before it, times the present forecast (Hull-White).

    Parameters
    ----------
    values, weighted : ndarray of shape (T, N)
        A window of returns.
    variances : ndarray of shape (T + 1, N)
        Those of its rows and of the day to come.
    settings : VaRConfig
    """
    forecasts = long_run_blend(variances, weighted, settings.long_run_weight)
    before, now = forecasts[:-1], forecasts[-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = np.minimum(np.where(before > 0.0, now / before, 1.0), LARGEST_FACTOR)
    return _sealed(np.asfortranarray(np.maximum(values * factor, -1.0)))


def _tails(scenarios: Float, side: float, most: Float) -> Float:
    """One-day 99 % shortfall of each column, at most what a position without a stop is taken to risk."""
    columns = range(scenarios.shape[1])
    tails = np.array([var_es(side * scenarios[:, j], (0.99,))[0][1] for j in columns])
    return _sealed(np.minimum(tails, most))


def _stop_free_risk(matrix: ReturnMatrix, volatility: Float, config: RiskManagementConfig) -> Float:
    settings = config.heat_config
    floors = np.array(
        [
            settings.min_risk_crypto
            if matrix.asset_classes.get(s) == AssetClass.CRYPTO
            else settings.min_risk
            for s in matrix.symbols
        ]
    )
    return _sealed(np.minimum(np.maximum(settings.volatility_multiple * volatility, floors), 1.0))


def _ratio(deviations: Float) -> float:
    median = float(np.median(deviations))
    return float(deviations[-1]) / median if median > 0.0 else 1.0


def _sealed(array: Float) -> Float:
    array.flags.writeable = False
    return array
