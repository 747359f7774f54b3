"""How many independent things a set of weights really holds."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from risk_management.errors import UndefinedMeasure
from risk_management.measures._inputs import FloatArray, choice, covariance_matrix, vector, weight_vector

__all__ = ["diversification_ratio", "effective_bets", "effective_number", "herfindahl"]

METHODS: Final = ("pca", "minimum_torsion")
_SINGULAR: Final = 1e-10  # least eigenvalue of a correlation matrix that can still be inverted


def herfindahl(weights: ArrayLike) -> float:
    """Herfindahl index: the sum of the squared shares |w_i| / sum |w|.

    Parameters
    ----------
    weights : array_like of shape (N,)
        In any unit and of either sign; not all zero.

    Returns
    -------
    float
        From 1 / N (all equal) to 1 (all in one).

    Raises
    ------
    InvalidReturns, InsufficientData, UndefinedMeasure

    References
    ----------
    Hirschman (1945), National Power and the Structure of Foreign Trade; Herfindahl (1950).
    """
    sizes = np.abs(vector(weights, "weights", 1))
    largest = float(sizes.max())
    if largest == 0.0:
        raise UndefinedMeasure("concentration is undefined for weights that are all zero")
    shares = sizes / largest
    shares /= shares.sum()
    return float(shares @ shares)


def effective_number(weights: ArrayLike) -> float:
    """Number of equal positions that would be as concentrated: 1 / `herfindahl`, from 1 to N."""
    return 1.0 / herfindahl(weights)


def diversification_ratio(weights: ArrayLike, covariance: ArrayLike) -> float:
    """Weighted sum of the volatilities over the volatility of the whole.

    Parameters
    ----------
    weights : array_like of shape (N,)
        In any unit. A short position adds its volatility to the sum like a long one: |w_i| * sd_i.
    covariance : array_like of shape (N, N)
        Symmetric.

    Returns
    -------
    float
        At least 1 for a valid covariance; 1 when everything moves as one.

    Raises
    ------
    UndefinedMeasure
        If the whole does not move: no weight, or a perfect hedge.
    InvalidReturns, InsufficientData

    References
    ----------
    Choueifaty and Coignard (2008), "Toward maximum diversification", Journal of Portfolio Management 35(1).
    """
    sigma = covariance_matrix(covariance)
    w = weight_vector(weights, len(sigma))
    alone = float(np.abs(w) @ np.sqrt(sigma.diagonal()))
    return alone / float(np.sqrt(_variance(w, sigma, "the diversification ratio")))


def effective_bets(weights: ArrayLike, covariance: ArrayLike, method: str = "pca") -> float:
    """Effective number of uncorrelated bets: the exponential of the entropy of their shares of variance.

    Parameters
    ----------
    weights : array_like of shape (N,)
        Of either sign; not all zero.
    covariance : array_like of shape (N, N)
        Positive semi-definite; for 'minimum_torsion' invertible.
    method : {'pca', 'minimum_torsion'}
        What the bets are: principal components, or the uncorrelated series nearest to the originals.
        Principal components are not unique where eigenvalues coincide, and then neither is the number.

    Returns
    -------
    float
        From 1 (one bet) to N.

    Raises
    ------
    InvalidReturns, InsufficientData, UndefinedMeasure

    References
    ----------
    Meucci (2009), "Managing diversification", Risk 22(5); Meucci, Santangelo and Deguest (2013), "Measuring
    portfolio diversification based on optimized uncorrelated factors", appendix A.
    """
    choice(method, "method", METHODS)
    sigma = covariance_matrix(covariance)
    w = weight_vector(weights, len(sigma))
    total = _variance(w, sigma, "the number of bets")
    bets = _principal_bets(w, sigma) if method == "pca" else _torsion_bets(w, sigma)
    shares = np.maximum(bets / total, 0.0)
    shares = shares[shares > 0.0] / shares.sum()
    return float(np.exp(-(shares @ np.log(shares))))


def _variance(w: FloatArray, sigma: FloatArray, measure: str) -> float:
    """Variance of the whole; none at all, up to rounding, leaves the measure undefined."""
    total = float(w @ sigma @ w)
    if total <= 1e-14 * float(np.abs(w) @ np.sqrt(sigma.diagonal())) ** 2:
        raise UndefinedMeasure(f"{measure} is undefined: the weighted whole does not move")
    return total


def _principal_bets(w: FloatArray, sigma: FloatArray) -> FloatArray:
    power, axes = np.linalg.eigh(sigma)
    return np.asarray((w @ axes) ** 2 * np.maximum(power, 0.0))


def _torsion_bets(w: FloatArray, sigma: FloatArray) -> FloatArray:
    deviation = np.sqrt(sigma.diagonal())
    if not deviation.all():
        raise UndefinedMeasure(
            f"minimum torsion is undefined: column {np.flatnonzero(deviation == 0.0)[0]} is constant"
        )
    torsion = _minimum_torsion(sigma / np.outer(deviation, deviation))
    torsion = deviation[:, None] * torsion / deviation
    exposures = np.linalg.solve(torsion.T, w)
    return np.asarray(exposures * (torsion @ (sigma @ w)))


def _minimum_torsion(rho: FloatArray, steps: int = 1000, tolerance: float = 1e-12) -> FloatArray:
    """Linear map of standardised series to uncorrelated ones that changes them least.

    The rotation is refined in turn with the free scale of each uncorrelated series.
    """
    power, axes = np.linalg.eigh(rho)
    if power[0] <= _SINGULAR:
        raise UndefinedMeasure("minimum torsion is undefined: some series is a combination of others")
    root = (axes * np.sqrt(power)) @ axes.T
    inverse_root = (axes / np.sqrt(power)) @ axes.T
    scale = np.ones(len(rho))
    mapped, distance = root, np.inf
    for _ in range(steps):
        left, _, right = np.linalg.svd(scale[:, None] * root)
        rotation = left @ right  # the orthogonal factor of the polar decomposition
        scale = np.einsum("ij,ji->i", rotation, root)
        mapped = scale[:, None] * rotation
        last, distance = distance, float(np.linalg.norm(root - mapped))
        if abs(last - distance) <= tolerance * max(distance, 1.0):
            break
    return np.asarray(mapped @ inverse_root)
