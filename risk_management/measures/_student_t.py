"""Tail measures of a Student-t law fitted by maximum likelihood."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln, psi, stdtrit

from risk_management.errors import UndefinedMeasure
from risk_management.measures._inputs import FloatArray, level, varying, vector

__all__ = ["MAX_DF", "MIN_DF", "StudentT", "fit_student_t", "student_t_es", "student_t_var"]

MAX_DF: Final = 100.0
"""Top of the degrees of freedom: beyond it the law can't be told from the normal."""
MIN_DF: Final = 0.25
"""Bottom of the degrees of freedom; a fit that ends here is refused."""
_LEAST_SCALE: Final = 1e-6  # of the central spread: below it the likelihood runs into a spike of equal values


@dataclass(frozen=True, slots=True)
class StudentT:
    """A fitted Student-t law.

    Parameters
    ----------
    df : float
        Degrees of freedom, in (0.25, 100].
    loc : float
        Centre; the mean where df > 1.
    scale : float
        Scale, not the standard deviation: that is scale * sqrt(df / (df - 2)), for df > 2 only.
    infinite_variance : bool
        df <= 2: no standard deviation, no square root of time.
    near_normal : bool
        df stands at its top of 100.
    """

    df: float
    loc: float
    scale: float
    infinite_variance: bool
    near_normal: bool

    def var(self, confidence: float) -> float:
        """Loss at a confidence."""
        return float(-(self.loc + self.scale * stdtrit(self.df, 1.0 - level(confidence))))

    def es(self, confidence: float) -> float:
        """Mean loss beyond `var`; infinite, and so refused, at 1 degree of freedom or fewer."""
        share, df = 1.0 - level(confidence), self.df
        if df <= 1.0:
            raise UndefinedMeasure(
                f"the expected shortfall is infinite: {df:.2f} degrees of freedom have no mean"
            )
        q = float(stdtrit(df, share))
        density = float(np.exp(_log_constant(df) - (df + 1.0) / 2.0 * np.log1p(q * q / df)))
        return -self.loc + self.scale * density / share * (df + q * q) / (df - 1.0)


def fit_student_t(returns: ArrayLike) -> StudentT:
    """Location, scale and degrees of freedom of greatest likelihood.

    Parameters
    ----------
    returns : array_like of shape (T,)
        Not constant; T >= 10.

    Returns
    -------
    StudentT

    Raises
    ------
    UndefinedMeasure
        For a constant series, or one with so many equal values that the likelihood has no maximum.
    InvalidReturns, InsufficientData

    References
    ----------
    Lange, Little and Taylor (1989), "Robust statistical modeling using the t distribution", JASA 84.
    """
    values = varying(vector(returns, minimum=10), "a Student-t fit")
    centre = float(np.median(values))
    low, high = np.quantile(values, (0.25, 0.75))
    spread = float(high - low) / 1.349 or float(values.std())
    df, loc, scale = _maximum_likelihood((values - centre) / spread)
    if scale <= _LEAST_SCALE * 1.01 or df <= MIN_DF * (1.0 + 1e-6):
        raise UndefinedMeasure(
            "a Student-t law can't be fitted: too many returns are equal, or their tails are too heavy"
        )
    return StudentT(
        df=df,
        loc=centre + spread * loc,
        scale=spread * scale,
        infinite_variance=df <= 2.0,
        near_normal=df >= MAX_DF * (1.0 - 1e-6),
    )


def student_t_var(returns: ArrayLike, confidence: float) -> float:
    """Value at risk of the fitted Student-t law: -(loc + scale * t quantile at 1 - confidence).

    Parameters
    ----------
    returns : array_like of shape (T,)
        Not constant; T >= 10.
    confidence : float
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
    McNeil, Frey and Embrechts (2015), Quantitative Risk Management, 2nd ed., example 2.12.
    """
    level(confidence)
    return fit_student_t(returns).var(confidence)


def student_t_es(returns: ArrayLike, confidence: float) -> float:
    """Expected shortfall of the fitted Student-t law.

    ES = -loc + scale * density(q) / (1 - confidence) * (df + q**2) / (df - 1), with q the t quantile.
    Parameters and unit are those of `student_t_var`.

    Raises
    ------
    UndefinedMeasure
        Also at df <= 1, where the mean of the tail is infinite.
    InvalidReturns, InsufficientData

    References
    ----------
    McNeil, Frey and Embrechts (2015), Quantitative Risk Management, 2nd ed., example 2.15.
    """
    level(confidence)
    return fit_student_t(returns).es(confidence)


def _log_constant(df: float) -> float:
    """Logarithm of the density at 0 of the standard t law."""
    return float(gammaln((df + 1.0) / 2.0) - gammaln(df / 2.0) - 0.5 * np.log(df * np.pi))


def _maximum_likelihood(z: FloatArray) -> tuple[float, float, float]:
    """df, loc, scale for centred and scaled observations, by L-BFGS-B over (loc, log scale, log df)."""
    from scipy.optimize import minimize  # noqa: PLC0415 - slow to import, needed by fits only

    bounds = [(None, None), (np.log(_LEAST_SCALE), 10.0), (np.log(MIN_DF), np.log(MAX_DF))]
    fits = [
        minimize(
            _loss,
            [0.0, 0.0, np.log(start)],
            args=(z,),
            jac=True,
            method="L-BFGS-B",
            bounds=bounds,
            options={"ftol": 1e-15, "gtol": 1e-9, "maxiter": 500},
        )
        for start in (4.0, 30.0)
    ]
    loc, log_scale, log_df = min(fits, key=lambda fit: float(fit.fun)).x
    return min(float(np.exp(log_df)), MAX_DF), float(loc), float(np.exp(log_scale))


def _loss(parameters: FloatArray, z: FloatArray) -> tuple[float, FloatArray]:
    """Mean negative log likelihood and its gradient."""
    loc, log_scale, log_df = parameters
    df, scale = np.exp(log_df), np.exp(log_scale)
    e = (z - loc) / scale
    ratio = e * e / df
    log_term = np.log1p(ratio)
    pull = (df + 1.0) * e / (df * (1.0 + ratio))  # minus the slope of the log density in e
    value = log_scale - _log_constant(df) + (df + 1.0) / 2.0 * log_term.mean()
    slope_df = 0.5 * (
        psi(df / 2.0) - psi((df + 1.0) / 2.0) + 1.0 / df + log_term.mean() - (pull * e).mean() / df
    )
    gradient = np.array([-pull.mean() / scale, 1.0 - (pull * e).mean(), df * slope_df])
    return float(value), gradient
