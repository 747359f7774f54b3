"""Correlations of what is held, by the sides that are held: pairs, clusters, and what counts as a spike."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from risk_management.config.risk_config import CorrelationConfig, RiskManagementConfig
from risk_management.core.correlation_study import CorrelationStudy, correlation_study, or_nan
from risk_management.core.front import Front
from risk_management.core.risk_model import book_correlation, founded, moves
from risk_management.measures.concentration import diversification_ratio, effective_bets
from risk_management.measures.dependence import absorption_ratio
from risk_management.measures.volatility import ewma_forecasts
from risk_management.model.money import SCALE
from risk_management.model.portfolio import PortfolioState

__all__ = [
    "MEDIAN_SPAN",
    "Cluster",
    "CorrelationMetrics",
    "CorrelationMonitor",
    "CorrelationSpike",
    "correlation_metrics",
    "rolling_correlations",
]

Float = NDArray[np.float64]
Index = NDArray[np.intp]

MEDIAN_SPAN: Final = 250
"""Rolling correlations that a pair's median is taken over; also the fewest for a percentile."""
STILL: Final = 1e-12
"""A window with less than this share of a series' whole sum of squares is taken as constant."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """Held names that move together.

    Parameters
    ----------
    label : int
        Stays the same from run to run while the members do.
    symbols : tuple of str
    signs : tuple of int
        +1 or -1: the side on which each moves with the cluster.
    net, gross : float
        Fractions of equity; a hedge lowers `net`.
    max_correlation : float
        Largest of its pairs by the sides held; NaN for a single name.
    """

    label: int
    symbols: tuple[str, ...]
    signs: tuple[int, ...]
    net: float
    gross: float
    max_correlation: float


@dataclass(frozen=True, slots=True)
class CorrelationSpike:
    """A pair, or the average of the book, that moves together more than it ever does.

    Parameters
    ----------
    kind : str
        ``pair`` or ``average``.
    pair : tuple of two str
        The pair that spikes; for the average the one that adds most to it.
    correlation : float
        Over the short window, by the sides held.
    usual : float
        What it is held against: the pair's own median, or the average's own 99th percentile.
    exposure : float
        The pair's gross exposure, a fraction of equity.
    cut : str
        The member that adds less to the book's variance; empty where cutting either would add to it.
    """

    kind: Literal["pair", "average"]
    pair: tuple[str, str]
    correlation: float
    usual: float
    exposure: float
    cut: str

    def explain(self) -> str:
        """One sentence with the numbers compared."""
        first, second = self.pair
        if self.kind == "pair":
            return (
                f"{first} and {second} ({self.exposure:.1%} of equity) correlate by {self.correlation:.2f}, "
                f"usual are {self.usual:.2f}"
            )
        return (
            f"the book's average correlation of {self.correlation:.2f} is above its 99th percentile of "
            f"{self.usual:.2f}; {first} and {second} add most to it"
        )


@dataclass(frozen=True, slots=True)
class CorrelationMetrics:
    """Correlations of the names held. NaN where there is nothing to say; `notes` say why.

    Parameters
    ----------
    symbols : tuple of str, K of them
        Names with an exposure.
    matrix : ndarray of shape (K, K)
        Correlations of their returns, whatever side is held; read-only.
    method : str
        Estimator of `matrix`.
    window, observations : int
        Returns asked for and used.
    max_pairwise_correlation : float
        Largest of a pair by the sides held: long and short at 0.9 count as -0.9.
    max_pair : tuple of str
        That pair; empty with fewer than two names.
    average_correlation : float
        Of all pairs by the sides held, weighted by the product of exposures.
    clusters : tuple of Cluster
        Every held name is in one; the largest net first.
    absorption_ratio : float
        Share of variance in the first fifth of principal components, 0 to 1.
    diversification_ratio : float
        Weighted volatility over the volatility of the book.
    effective_bets : float
        Independent bets that the book's variance is spread over.
    spike : CorrelationSpike or None
    volatility_ratio : float
        The book's EWMA volatility now over its own median of the model's window.
    notes, leans_on : tuple of str
    """

    symbols: tuple[str, ...]
    matrix: Float
    method: str
    window: int
    observations: int
    max_pairwise_correlation: float
    max_pair: tuple[str, ...]
    average_correlation: float
    clusters: tuple[Cluster, ...]
    absorption_ratio: float
    diversification_ratio: float
    effective_bets: float
    spike: CorrelationSpike | None
    volatility_ratio: float
    notes: tuple[str, ...] = ()
    leans_on: tuple[str, ...] = ()


def correlation_metrics(
    state: PortfolioState, config: RiskManagementConfig, leans_on: tuple[str, ...] = ()
) -> CorrelationMetrics:
    """Correlations of what a state holds."""
    settings = config.correlation_config
    held = _held(state)
    observations = min(settings.window, len(held.returns))
    rho = _matrix(held, config) if observations >= settings.min_overlap else held.unknown
    pairs = _Pairs.of(held, rho)
    best = pairs.largest()
    absorption, diversification, bets = _spread(held, rho)
    return CorrelationMetrics(
        symbols=held.symbols,
        matrix=_sealed(rho),
        method=settings.method,
        window=settings.window,
        observations=observations,
        max_pairwise_correlation=float(pairs.signed[best]) if best >= 0 else math.nan,
        max_pair=pairs.names(held, best) if best >= 0 else (),
        average_correlation=pairs.average(),
        clusters=_clusters(held, pairs),
        absorption_ratio=absorption,
        diversification_ratio=diversification,
        effective_bets=bets,
        spike=_pair_spike(held, pairs, settings) or _average_spike(held, pairs, settings),
        volatility_ratio=_volatility_ratio(held, config),
        notes=_notes(held, rho, observations, settings),
        leans_on=leans_on,
    )


@dataclass(frozen=True, slots=True)
class _Held:
    """What is held, by name, with its columns of the model.

    Parameters
    ----------
    symbols : tuple of str, K of them
    money : ndarray of shape (K,)
        Signed exposures.
    equity : float
        NaN where it is unknown.
    returns : ndarray of shape (T, K)
    volatility : ndarray of shape (K,)
        Present daily volatility.
    labels, signs : ndarray of int of shape (K,)
        Signed clusters.
    known : ndarray of bool of shape (K,)
        False for a stand-in.
    """

    symbols: tuple[str, ...]
    money: Float
    equity: float
    returns: Float
    volatility: Float
    labels: Index
    signs: Index
    known: NDArray[np.bool_]

    @property
    def sides(self) -> Float:
        return np.sign(self.money)

    @property
    def weights(self) -> Float:
        """Fractions of equity, NaN where that is unknown."""
        return np.asarray(self.money / self.equity)

    @property
    def unknown(self) -> Float:
        return np.full((len(self.symbols), len(self.symbols)), math.nan)


def _held(state: PortfolioState) -> _Held:
    names = {s: n for s, n in state.totals.names.items() if n.sides.net}
    columns = np.array([n.column for n in names.values()], dtype=np.intp)
    model, equity = state.model, state.totals.equity
    return _Held(
        symbols=tuple(names),
        money=np.array([n.sides.net / SCALE for n in names.values()], dtype=np.float64),
        equity=equity if equity is not None and equity > 0.0 else math.nan,
        returns=model.matrix.values[:, columns],
        volatility=model.volatility[columns],
        labels=np.array([model.cluster[c] for c in columns], dtype=np.intp),
        signs=np.array([model.cluster_sign[c] for c in columns], dtype=np.intp),
        known=founded(model.matrix)[columns],
    )


def _matrix(held: _Held, config: RiskManagementConfig) -> Float:
    """Correlations, shape (K, K), NaN in the rows of names that did not move."""
    rho = held.unknown
    moving = moves(held.returns[-config.correlation_config.window :])
    if moving.any():
        rho[np.ix_(moving, moving)] = book_correlation(held.returns[:, moving], config, held.known[moving])
    return rho


def _spread(held: _Held, rho: Float) -> tuple[float, float, float]:
    """Absorption ratio, diversification ratio and effective bets, at present volatilities."""
    known = np.flatnonzero(np.isfinite(rho.diagonal()))
    if known.size < 2:
        return math.nan, math.nan, math.nan
    risk, money = held.volatility[known], held.money[known]
    covariance = rho[np.ix_(known, known)] * np.outer(risk, risk)
    return (
        or_nan(lambda: absorption_ratio(covariance)),
        or_nan(lambda: diversification_ratio(money, covariance)),
        or_nan(lambda: effective_bets(money, covariance)),
    )


@dataclass(frozen=True, slots=True)
class _Pairs:
    """All pairs of held names, P = K (K - 1) / 2, beside the matrix (K, K) that they come from.

    Parameters
    ----------
    left, right : ndarray of int of shape (P,)
    signed : ndarray of shape (P,)
        Correlation by the sides held.
    weight : ndarray of shape (P,)
        Product of the sizes.
    """

    rho: Float
    left: Index
    right: Index
    signed: Float
    weight: Float

    @classmethod
    def of(cls, held: _Held, rho: Float) -> _Pairs:
        left, right = np.triu_indices(len(held.symbols), 1)
        sides, size = held.sides, np.abs(held.money)
        signed = rho[left, right] * sides[left] * sides[right]
        return cls(rho, left, right, signed, size[left] * size[right])

    def largest(self) -> int:
        """Pair of the largest correlation, -1 where none is known."""
        known = np.isfinite(self.signed)
        return int(np.nanargmax(self.signed)) if known.any() else -1

    def average(self) -> float:
        """Weighted mean of the known ones."""
        known = np.isfinite(self.signed)
        total = float(self.weight[known].sum())
        return float(self.signed[known] @ self.weight[known]) / total if total > 0.0 else math.nan

    def names(self, held: _Held, pair: int) -> tuple[str, str]:
        return held.symbols[self.left[pair]], held.symbols[self.right[pair]]


def _clusters(held: _Held, pairs: _Pairs) -> tuple[Cluster, ...]:
    weights = held.weights
    found = []
    for label in dict.fromkeys(held.labels.tolist()):
        inside = held.labels == label
        members = np.flatnonzero(inside)
        signed = pairs.signed[inside[pairs.left] & inside[pairs.right]]
        signed = signed[np.isfinite(signed)]
        found.append(
            Cluster(
                label=label,
                symbols=tuple(held.symbols[i] for i in members),
                signs=tuple(held.signs[members].tolist()),
                net=float(weights[members] @ held.signs[members]),
                gross=float(np.abs(weights[members]).sum()),
                max_correlation=float(signed.max()) if signed.size else math.nan,
            )
        )
    return tuple(sorted(found, key=lambda cluster: (-abs(cluster.net), cluster.label)))


def _pair_spike(held: _Held, pairs: _Pairs, settings: CorrelationConfig) -> CorrelationSpike | None:
    """The pair that rose most, among those of one signed cluster that are large and high enough."""
    span = settings.spike_window
    if len(held.returns) < 2 * span:
        return None
    left, right = pairs.left, pairs.right
    sides, size, turned = held.sides, np.abs(held.weights), held.signs * held.sides
    aligned = (held.labels[left] == held.labels[right]) & (turned[left] == turned[right])
    large = aligned & (size[left] + size[right] > settings.spike_weight)
    left, right = left[large], right[large]
    side = sides[left] * sides[right]
    high = side * rolling_correlations(held.returns[-span:], left, right, span)[-1] > settings.spike_pair
    chosen = np.flatnonzero(large)[high]
    if chosen.size == 0:
        return None
    recent = side[high] * rolling_correlations(
        held.returns[-(MEDIAN_SPAN + span - 1) :], left[high], right[high], span
    )
    usual = np.nanmedian(recent, axis=0)
    best = int(np.argmax(recent[-1] - usual))
    if recent[-1, best] - usual[best] < settings.spike_rise:
        return None
    return _spike("pair", held, pairs, int(chosen[best]), float(recent[-1, best]), float(usual[best]))


def _average_spike(held: _Held, pairs: _Pairs, settings: CorrelationConfig) -> CorrelationSpike | None:
    span = settings.spike_window
    if len(held.symbols) < 2 or len(held.returns) < MEDIAN_SPAN + span:
        return None
    now = float(_rolling_average(held.returns[-span:], held.money, span)[-1])
    if not now > settings.spike_average:
        return None
    history = _rolling_average(held.returns, held.money, span)[:-1]
    history = history[np.isfinite(history)]
    if history.size < MEDIAN_SPAN:
        return None
    usual = float(np.quantile(history, 0.99))
    if now <= usual:
        return None
    rolled = rolling_correlations(held.returns[-span:], pairs.left, pairs.right, span)[-1]
    added = held.money[pairs.left] * held.money[pairs.right] * rolled
    pair = int(np.nanargmax(added))
    return _spike("average", held, pairs, pair, now, usual)


def _spike(
    kind: Literal["pair", "average"],
    held: _Held,
    pairs: _Pairs,
    pair: int,
    now: float,
    usual: float,
) -> CorrelationSpike:
    risk = held.money * held.volatility
    contribution = risk * (np.nan_to_num(pairs.rho) @ risk)
    first, second = int(pairs.left[pair]), int(pairs.right[pair])
    # a member that hedges the rest is no candidate: without it the book would be riskier
    adds = sorted((float(contribution[i]), i) for i in (first, second) if contribution[i] > 0.0)
    return CorrelationSpike(
        kind=kind,
        pair=pairs.names(held, pair),
        correlation=now,
        usual=usual,
        exposure=float(np.abs(held.weights[[first, second]]).sum()),
        cut=held.symbols[adds[0][1]] if adds else "",
    )


def rolling_correlations(returns: Float, left: Index, right: Index, span: int) -> Float:
    """Sample correlations of P pairs in every window of `span` returns.

    Parameters
    ----------
    returns : ndarray of shape (T, K)
    left, right : ndarray of int of shape (P,)

    Returns
    -------
    ndarray of shape (T - span + 1, P)
        NaN where a series stands still.
    """
    mean, norm = _moments(returns, span)
    centred = returns - returns.mean(axis=0)
    products = _moving_sum(centred[:, left] * centred[:, right], span)
    covariance = products - span * mean[:, left] * mean[:, right]
    return np.asarray(np.clip(covariance / (norm[:, left] * norm[:, right]), -1.0, 1.0))


def _rolling_average(returns: Float, money: Float, span: int) -> Float:
    """Average correlation by the sides held, weighted by exposures, in every window; shape (V,).

    With series z scaled to length 1, the square of sum(a z) is sum(a^2) plus twice the weighted sum of
    all correlations: so it costs O(K) a window, not O(K^2). Series that stand still are left out.
    """
    mean, norm = _moments(returns, span)
    moves = np.isfinite(norm)
    money = np.where(moves, money, 0.0)
    scale = np.where(moves, money / np.where(moves, norm, 1.0), 0.0)
    windows = sliding_window_view(returns - returns.mean(axis=0), span, axis=0)
    sums = np.einsum("vks,vk->vs", windows, scale) - (mean * scale).sum(axis=1)[:, None]
    own = (money**2).sum(axis=1)
    cross = np.abs(money).sum(axis=1) ** 2 - own
    total = (sums**2).sum(axis=1) - own
    return np.asarray(np.divide(total, cross, out=np.full(len(cross), math.nan), where=cross > 0.0))


def _moments(returns: Float, span: int) -> tuple[Float, Float]:
    """Mean, less the mean of all rows, and root of the centred sum of squares in every window.

    Both of shape (T - span + 1, K); the root is NaN where a series stands still.
    """
    centred = returns - returns.mean(axis=0)
    mean = _moving_sum(centred, span) / span
    squares = _moving_sum(centred**2, span) - span * mean**2
    still = squares <= STILL * (centred**2).sum(axis=0)
    return mean, np.sqrt(np.where(still, math.nan, squares))


def _moving_sum(values: Float, span: int) -> Float:
    sums = np.cumsum(values, axis=0)
    result = sums[span - 1 :].copy()
    result[1:] -= sums[:-span]
    return result


def _sealed(array: Float) -> Float:
    array.flags.writeable = False
    return array


def _volatility_ratio(held: _Held, config: RiskManagementConfig) -> float:
    if not held.symbols:
        return math.nan
    book = (held.returns @ held.money)[:, None]
    forecasts = ewma_forecasts(book, config.var_config.ewma_decay)[1:, 0]
    usual = float(np.median(forecasts))
    return float(forecasts[-1]) / usual if usual > 0.0 else math.nan


def _notes(held: _Held, rho: Float, observations: int, settings: CorrelationConfig) -> tuple[str, ...]:
    if len(held.symbols) < 2:
        return ("fewer than two names are held: there is no correlation",)
    if observations < settings.min_overlap:
        return (f"{observations} common returns are too few for a correlation ({settings.min_overlap})",)
    still = [s for s, value in zip(held.symbols, rho.diagonal(), strict=True) if math.isnan(value)]
    said = [f"{s} did not move in the window: its correlation is undefined" for s in still]
    if math.isnan(held.equity):
        said.append("equity is unknown: exposures are no fractions of it, and no spike is judged")
    return tuple(said)


class CorrelationMonitor(Front):
    """Watches how alike the held names move."""

    def analyze_correlations(self) -> CorrelationMetrics:
        """Correlations of the book as it stands."""
        return correlation_metrics(self.state, self.config, self.leans_on)

    def study(self) -> CorrelationStudy:
        """The held names in crises, beside their own past, and their diversification over time."""
        return correlation_study(self.state, self.config, self.leans_on)

    def update_positions(self, weights: Mapping[str, float], portfolio_value: float = 1.0) -> None:
        """Replace the book.

        Parameters
        ----------
        weights : Mapping of str to float
            Fractions of equity, negative for shorts; with a `portfolio_value` in money, sizes in money.
        portfolio_value : float
        """
        self._replace_positions(weights, portfolio_value, "add_position")
