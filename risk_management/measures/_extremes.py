"""Tail measures from extreme values: a generalised Pareto law over a high threshold."""

from __future__ import annotations

from dataclasses import dataclass
from math import expm1, log
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from risk_management.errors import InsufficientData, UndefinedMeasure
from risk_management.measures._inputs import FloatArray, is_constant, level, number, vector
from risk_management.measures._order import quantile_position

__all__ = ["MIN_EXCEEDANCES", "GpdFit", "fit_gpd", "gpd_es", "gpd_var"]

MIN_EXCEEDANCES: Final = 10
_LEAST_SHAPE: Final = -0.5  # below it maximum likelihood is not regular (Smith 1985)


@dataclass(frozen=True, slots=True)
class GpdFit:
    """A generalised Pareto law of the losses above a threshold.

    Parameters
    ----------
    threshold : float
        Loss above which the law holds, in the unit of the returns.
    exceedances : int
        Number of losses above it.
    observations : int
        Number of all returns.
    shape : float
        xi: 0 is an exponential tail; at 1 and more the mean is infinite.
    scale : float
        beta, in the unit of the returns.
    """

    threshold: float
    exceedances: int
    observations: int
    shape: float
    scale: float

    def var(self, confidence: float) -> float:
        """Loss at a confidence beyond the threshold."""
        ratio = self._ratio(confidence)
        grown = -log(ratio) if abs(self.shape) < 1e-9 else expm1(-self.shape * log(ratio)) / self.shape
        return self.threshold + self.scale * grown

    def es(self, confidence: float) -> float:
        """Mean loss beyond `var`; infinite, and so refused, at a shape of 1 or more."""
        var = self.var(confidence)
        if self.shape >= 1.0:
            raise UndefinedMeasure(f"the expected shortfall is infinite at a tail shape of {self.shape:.2f}")
        return var + (self.scale + self.shape * (var - self.threshold)) / (1.0 - self.shape)

    def _ratio(self, confidence: float) -> float:
        ratio = self.observations / self.exceedances * (1.0 - level(confidence))
        if ratio > 1.0 + 1e-9:
            raise UndefinedMeasure(
                f"a confidence of {confidence} lies below the threshold, where the Pareto law says nothing: "
                f"only {self.exceedances} of {self.observations} losses are above it"
            )
        return min(ratio, 1.0)


def fit_gpd(returns: ArrayLike, threshold_quantile: float = 0.90) -> GpdFit:
    """Fit a generalised Pareto law to the losses above a quantile, by maximum likelihood.

    The likelihood is profiled to one parameter and searched over a grid, then refined; the shape is kept at
    -0.5 or more, where the theory of maximum likelihood holds.

    Parameters
    ----------
    returns : array_like of shape (T,)
        At least 10 losses must lie above the threshold.
    threshold_quantile : float
        Quantile (type 7) of the losses that is the threshold, in (0, 1).

    Returns
    -------
    GpdFit

    Raises
    ------
    InvalidReturns, InsufficientData, UndefinedMeasure

    References
    ----------
    McNeil and Frey (2000), Journal of Empirical Finance 7; Grimshaw (1993), Technometrics 35; Smith (1985),
    Biometrika 72.
    """
    losses = np.sort(0.0 - vector(returns))
    low, high, weight = quantile_position(
        len(losses), number(threshold_quantile, "threshold_quantile", 0.0, 1.0)
    )
    threshold = float((1.0 - weight) * losses[low] + weight * losses[high])
    excesses = losses[losses > threshold] - threshold
    if len(excesses) < MIN_EXCEEDANCES:
        raise InsufficientData(
            f"{len(excesses)} losses lie above the threshold; a Pareto fit needs {MIN_EXCEEDANCES}"
        )
    if bool(is_constant(excesses)):
        raise UndefinedMeasure("a Pareto fit is undefined: all losses above the threshold are equal")
    mean = float(excesses.mean())
    shape, scale = _maximum_likelihood(excesses / mean)
    return GpdFit(threshold, len(excesses), len(losses), shape, scale * mean)


def gpd_var(returns: ArrayLike, confidence: float, threshold_quantile: float = 0.90) -> float:
    """Value at risk by peaks over threshold.

    VaR = u + beta / xi * ((T / n * (1 - confidence))**-xi - 1) for n losses above the threshold u.

    Parameters
    ----------
    returns : array_like of shape (T,)
        At least 10 losses must lie above the threshold.
    confidence : float
        Beyond the threshold: 1 - confidence at most n / T.
    threshold_quantile : float
        In (0, 1).

    Returns
    -------
    float
        Loss in the unit of `returns`.

    Raises
    ------
    InvalidReturns, InsufficientData, UndefinedMeasure

    References
    ----------
    McNeil, Frey and Embrechts (2015), Quantitative Risk Management, 2nd ed., equation 5.18.
    """
    return fit_gpd(returns, threshold_quantile).var(confidence)


def gpd_es(returns: ArrayLike, confidence: float, threshold_quantile: float = 0.90) -> float:
    """Expected shortfall by peaks over threshold: VaR + (beta + xi (VaR - u)) / (1 - xi).

    Parameters, unit and errors are those of `gpd_var`; refused at a shape xi of 1 or more.

    References
    ----------
    McNeil, Frey and Embrechts (2015), Quantitative Risk Management, 2nd ed., equation 5.19.
    """
    return fit_gpd(returns, threshold_quantile).es(confidence)


def _maximum_likelihood(y: FloatArray) -> tuple[float, float]:
    """Shape and scale for excesses of mean 1, over tau = shape / scale > -1 / max(y)."""
    from scipy.optimize import minimize_scalar  # noqa: PLC0415 - slow to import, needed by fits only

    top = float(y.max())

    def loss(w: float) -> float:
        return _profile(expm1(w) / top, y)[0]

    # w = log(1 + tau * max(y)) spans the whole admissible range; w = 0 is the exponential law
    grid = np.linspace(-8.0, 25.0, 331)
    best = int(np.argmin([loss(w) for w in grid]))
    span = (grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)])
    refined = minimize_scalar(loss, bounds=span, method="bounded", options={"xatol": 1e-12})
    w = float(refined.x) if refined.fun < loss(grid[best]) else float(grid[best])
    _, shape, scale = _profile(expm1(w) / top, y)
    return shape, scale


def _profile(tau: float, y: FloatArray) -> tuple[float, float, float]:
    """Mean negative log likelihood at tau, with the shape and scale that are best there."""
    if abs(tau) < 1e-9:
        return 1.0 + log(y.mean()), 0.0, float(y.mean())
    shape = max(float(np.log1p(tau * y).mean()), _LEAST_SHAPE)
    scale = shape / tau
    return log(scale) + (1.0 + 1.0 / shape) * float(np.log1p(tau * y).mean()), shape, scale
