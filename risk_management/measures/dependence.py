"""How series move together: correlation estimators, repair of matrices, signed clusters, absorption."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from risk_management.errors import InvalidReturns, UndefinedMeasure
from risk_management.measures._clusters import Clusters, cluster
from risk_management.measures._inputs import (
    FloatArray,
    choice,
    covariance_matrix,
    is_symmetric,
    matrix,
    number,
    symmetric,
    varying,
)

__all__ = [
    "Clusters",
    "Shrinkage",
    "absorption_ratio",
    "cluster",
    "constant_correlation_shrinkage",
    "correlation",
    "ledoit_wolf",
    "matrix_distance",
    "nearest_psd",
]

_FAINT: Final = 1e-280  # a variance whose inverse still has a product with another's
METHODS: Final = ("sample", "ewma", "ledoit_wolf", "constant_correlation")


@dataclass(frozen=True, slots=True, eq=False)
class Shrinkage:
    """A shrunken covariance matrix.

    Parameters
    ----------
    covariance : ndarray of shape (N, N)
        Of ddof 0, in squared units of the returns.
    intensity : float
        Weight of the target, in [0, 1].
    """

    covariance: FloatArray
    intensity: float


def correlation(returns: ArrayLike, method: str = "sample", decay: float = 0.94) -> FloatArray:
    """Correlation matrix of the columns.

    Parameters
    ----------
    returns : array_like of shape (T, N)
        Oldest first; T >= 3; no constant column.
    method : {'sample', 'ewma', 'ledoit_wolf', 'constant_correlation'}
        'ewma' takes no mean out and weighs each row `decay` times the next (RiskMetrics). The two shrinkages
        are those of the raw returns' covariance, turned into a correlation afterwards: shrinking standardised
        returns gives another matrix.
    decay : float
        In (0, 1), for 'ewma' only.

    Returns
    -------
    ndarray of shape (N, N)
        Symmetric, in [-1, 1], with a diagonal of exactly 1.

    Raises
    ------
    UndefinedMeasure
        For a constant column, by its index: its correlation is undefined, not 0.
    InvalidReturns, InsufficientData
    """
    choice(method, "method", METHODS)
    fade = number(decay, "decay", 0.0, 1.0)
    values = varying(matrix(returns, minimum=3), "the correlation")
    if method == "ledoit_wolf":
        return _as_correlation(ledoit_wolf(values).covariance)
    if method == "constant_correlation":
        return _as_correlation(constant_correlation_shrinkage(values).covariance)
    if method == "sample":
        return _as_correlation(_gram(values - values.mean(axis=0)))
    weights = np.sqrt(fade ** np.arange(len(values) - 1.0, -1.0, -1.0))
    weighted = _gram(values * weights[:, None])
    faint = np.flatnonzero(weighted.diagonal() < _FAINT)
    if faint.size:
        raise UndefinedMeasure(
            f"the correlation is undefined: column {faint[0]} does not move on the days that weigh"
        )
    return _as_correlation(weighted)


def ledoit_wolf(returns: ArrayLike) -> Shrinkage:
    """Covariance of the raw returns, shrunk towards the identity times the mean variance.

    With S the covariance (ddof 0), m = trace(S) / N and x_t a centred row::

        delta = |S - m I|**2 / N
        beta  = min((sum_t |x_t|**4 / T - |S|**2) / (N T), delta)
        covariance = (1 - beta / delta) S + (beta / delta) m I

    All of it follows from one Gram matrix and the row norms. Columns of unlike variance are pulled towards
    one common variance: that is the target's trap, since the returns are not standardised first.

    Parameters
    ----------
    returns : array_like of shape (T, N)
        T >= 2.

    Returns
    -------
    Shrinkage

    Raises
    ------
    InvalidReturns, InsufficientData

    References
    ----------
    Ledoit and Wolf (2004), "A well-conditioned estimator for large-dimensional covariance matrices",
    Journal of Multivariate Analysis 88, section 3.
    """
    values = matrix(returns)
    rows, columns = values.shape
    centred = values - values.mean(axis=0)
    sample = _gram(centred)
    sample /= rows
    squared = float(np.vdot(sample, sample))
    mean_variance = float(np.trace(sample)) / columns
    delta = squared / columns - mean_variance**2
    norms = np.einsum("ij,ij->i", centred, centred)
    beta = min((float(norms @ norms) / rows - squared) / (columns * rows), delta)
    intensity = beta / delta if beta > 0.0 else 0.0
    sample *= 1.0 - intensity
    sample.flat[:: columns + 1] += intensity * mean_variance
    return Shrinkage(sample, intensity)


def constant_correlation_shrinkage(returns: ArrayLike) -> Shrinkage:
    """Covariance of the raw returns, shrunk towards one common correlation; variances stay as they are.

    Parameters
    ----------
    returns : array_like of shape (T, N)
        T >= 2, N >= 2; no constant column.

    Returns
    -------
    Shrinkage

    Raises
    ------
    InvalidReturns, InsufficientData, UndefinedMeasure

    References
    ----------
    Ledoit and Wolf (2004), "Honey, I shrunk the sample covariance matrix", Journal of Portfolio
    Management 30(4), appendices A and B.
    """
    values = varying(matrix(returns), "the constant-correlation target")
    rows, columns = values.shape
    if columns < 2:
        raise UndefinedMeasure("the constant-correlation target is undefined for a single column")
    centred = values - values.mean(axis=0)
    sample = _gram(centred) / rows
    variance = sample.diagonal().copy()
    deviation = np.sqrt(variance)
    scale = np.outer(deviation, deviation)
    mean_correlation = (float((sample / scale).sum()) - columns) / (columns * (columns - 1))
    target = mean_correlation * scale
    np.fill_diagonal(target, variance)
    # pi: sampling variance of each covariance; rho: its covariance with the target's entries
    squares = centred * centred
    pi = _gram(squares) / rows - sample * sample
    theta = (squares * centred).T @ centred / rows - variance[:, None] * sample
    np.fill_diagonal(theta, 0.0)
    cross = float((theta * (deviation / deviation[:, None])).sum())
    rho = float(np.trace(pi)) + mean_correlation * cross
    gamma = float(((sample - target) ** 2).sum())
    noise = float(pi.sum()) - rho
    intensity = min(max(noise / (rows * gamma), 0.0), 1.0) if gamma > 0.0 else 1.0
    return Shrinkage(intensity * target + (1.0 - intensity) * sample, intensity)


def nearest_psd(values: ArrayLike) -> FloatArray:
    """The nearest positive semi-definite matrix with the same diagonal.

    Nearest in the Frobenius norm of the correlations that belong to the matrix, by alternating projections
    with Dykstra's correction. A matrix that is semi-definite already comes back as it is.

    Parameters
    ----------
    values : array_like of shape (N, N)
        A correlation or covariance matrix: symmetric, with a positive diagonal.

    Returns
    -------
    ndarray of shape (N, N)
        Symmetric, without negative eigenvalues beyond rounding.

    Raises
    ------
    InvalidReturns, UndefinedMeasure

    References
    ----------
    Higham (2002), "Computing the nearest correlation matrix", IMA Journal of Numerical Analysis 22,
    algorithm 3.3.
    """
    given = symmetric(values)
    given = (given + given.T) / 2.0
    variance = given.diagonal()
    bad = np.flatnonzero(variance <= 0.0)
    if bad.size:
        raise UndefinedMeasure(f"the matrix has no positive variance in column {bad[0]}")
    if float(np.linalg.eigvalsh(given)[0]) >= 0.0:
        return given
    deviation = np.sqrt(variance)
    scale = np.outer(deviation, deviation)
    return np.asarray(_nearest_correlation(given / scale) * scale)


def matrix_distance(first: ArrayLike, second: ArrayLike) -> float:
    """How little two correlation matrices have in common: 1 - tr(A B) / (|A| |B|).

    Parameters
    ----------
    first, second : array_like of shape (N, N)
        Symmetric, of one size.

    Returns
    -------
    float
        In [0, 1]: 0 where they are equal up to a factor, 1 where they are orthogonal.

    Raises
    ------
    InvalidReturns, UndefinedMeasure

    References
    ----------
    Herdin, Czink, Ozcelik and Bonek (2005), "Correlation matrix distance, a meaningful measure for evaluation
    of non-stationary MIMO channels", IEEE VTC 1.
    """
    a, b = symmetric(first, "first"), symmetric(second, "second")
    if a.shape != b.shape:
        raise InvalidReturns(f"both matrices must have one size, not {a.shape} and {b.shape}")
    size = float(np.linalg.norm(a) * np.linalg.norm(b))
    if size == 0.0:
        raise UndefinedMeasure("a matrix of zeros has no distance")
    return min(max(0.0, 1.0 - float((a * b).sum()) / size), 1.0)


def absorption_ratio(covariance_or_returns: ArrayLike, fraction: float = 0.2) -> float:
    """Share of the total variance that the largest principal components take.

    Parameters
    ----------
    covariance_or_returns : array_like of shape (N, N) or (T, N)
        A square symmetric matrix is taken as a covariance, anything else as returns (T >= 2).
    fraction : float
        Share of the N components that count, in (0, 1]; rounded to whole components, at least one.

    Returns
    -------
    float
        In (0, 1]; near 1 when one factor moves everything.

    Raises
    ------
    InvalidReturns, InsufficientData, UndefinedMeasure

    References
    ----------
    Kritzman, Li, Page and Rigobon (2011), "Principal components as a measure of systemic risk", Journal of
    Portfolio Management 37(4), equation 1.
    """
    values = matrix(covariance_or_returns, "covariance_or_returns", 1)
    share = number(fraction, "fraction", 0.0, np.nextafter(1.0, 2.0))
    if is_symmetric(values):
        covariance = covariance_matrix(values)
    else:
        values = matrix(values)
        covariance = _gram(values - values.mean(axis=0))
    power = np.maximum(np.linalg.eigvalsh(covariance), 0.0)
    total = float(power.sum())
    if total <= 0.0:
        raise UndefinedMeasure("the absorption ratio is undefined: nothing varies")
    count = max(1, int(share * len(power) + 0.5))
    return min(float(power[-count:].sum()) / total, 1.0)


def _gram(columns: FloatArray) -> FloatArray:
    return np.asarray(columns.T @ columns)


def _as_correlation(covariance: FloatArray) -> FloatArray:
    inverse = 1.0 / np.sqrt(covariance.diagonal())
    rho = covariance * np.outer(inverse, inverse)
    np.clip(rho, -1.0, 1.0, out=rho)
    np.fill_diagonal(rho, 1.0)
    return rho


def _nearest_correlation(given: FloatArray, steps: int = 1000, tolerance: float = 1e-11) -> FloatArray:
    y, correction = given.copy(), np.zeros_like(given)
    for _ in range(steps):
        shifted = y - correction
        projected = _semidefinite(shifted)
        correction = projected - shifted
        last, y = y, projected.copy()
        np.fill_diagonal(y, 1.0)
        if float(np.abs(y - last).max()) <= tolerance:
            break
    return _as_correlation(_semidefinite(y))


def _semidefinite(values: FloatArray) -> FloatArray:
    power, axes = np.linalg.eigh(values)
    result = (axes * np.maximum(power, 0.0)) @ axes.T
    return np.asarray((result + result.T) / 2.0)
