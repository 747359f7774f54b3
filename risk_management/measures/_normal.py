"""Tail measures from moments: the normal law and its Cornish-Fisher correction."""

from __future__ import annotations

from math import exp, pi, sqrt
from typing import Final

from numpy.typing import ArrayLike
from scipy.special import ndtri

from risk_management.errors import UndefinedMeasure
from risk_management.measures._inputs import level, unit_of, varying, vector

__all__ = ["cornish_fisher_es", "cornish_fisher_var", "normal_density", "normal_es", "normal_var"]

_REACH: Final = 4.0  # standard deviations within which the expansion must rise: one day in 30,000


def normal_density(z: float) -> float:
    """Standard normal density."""
    return exp(-0.5 * z * z) / sqrt(2.0 * pi)


def normal_var(returns: ArrayLike, confidence: float, zero_mean: bool = False) -> float:
    """Value at risk of a normal law with the sample's mean and standard deviation (ddof 1).

    VaR = -mean - z * sd, with z the standard normal quantile at 1 - confidence.

    Parameters
    ----------
    returns : array_like of shape (T,)
        T >= 2.
    confidence : float
        In (0, 1).
    zero_mean : bool
        Leave the mean out of the loss; the standard deviation stays the sample's.

    Returns
    -------
    float
        Loss in the unit of `returns`.

    Raises
    ------
    InvalidReturns, InsufficientData, UndefinedMeasure

    References
    ----------
    McNeil, Frey and Embrechts (2015), Quantitative Risk Management, 2nd ed., example 2.11.
    """
    mean, deviation = _mean_and_deviation(returns, zero_mean=zero_mean)
    return float(-mean - deviation * ndtri(1.0 - level(confidence)))


def normal_es(returns: ArrayLike, confidence: float, zero_mean: bool = False) -> float:
    """Expected shortfall of a normal law: -mean + sd * density(z) / (1 - confidence).

    Parameters, errors and unit are those of `normal_var`.

    References
    ----------
    McNeil, Frey and Embrechts (2015), Quantitative Risk Management, 2nd ed., example 2.14.
    """
    mean, deviation = _mean_and_deviation(returns, zero_mean=zero_mean)
    share = 1.0 - level(confidence)
    return -mean + deviation * normal_density(float(ndtri(share))) / share


def cornish_fisher_var(returns: ArrayLike, confidence: float) -> float:
    """Value at risk by the fourth-order Cornish-Fisher expansion of the quantile.

    With z the normal quantile at 1 - confidence, S the skewness and K the excess kurtosis::

        w(z) = z + (z**2 - 1) S / 6 + (z**3 - 3 z) K / 24 - (2 z**3 - 5 z) S**2 / 36
        VaR  = -(mean + sd * w(z))

    Parameters
    ----------
    returns : array_like of shape (T,)
        Not constant; T >= 4. All moments are the population's (ddof 0).
    confidence : float
        In (0, 1).

    Returns
    -------
    float
        Loss in the unit of `returns`.

    Raises
    ------
    UndefinedMeasure
        If w does not rise everywhere within 4 standard deviations (or within z, if that is further): then it
        is no quantile function, and a higher confidence may give a smaller loss.
    InvalidReturns, InsufficientData

    References
    ----------
    Favre and Galeano (2002), Journal of Alternative Investments 5(2); the domain: Maillard (2012),
    "A user's guide to the Cornish-Fisher expansion".
    """
    mean, deviation, skewness, kurtosis = _moments(returns)
    z = float(ndtri(1.0 - level(confidence)))
    _require_rising(skewness, kurtosis, max(_REACH, abs(z)))
    cubic = kurtosis / 24.0 * (z**3 - 3.0 * z) - skewness**2 / 36.0 * (2.0 * z**3 - 5.0 * z)
    return -(mean + deviation * (z + skewness / 6.0 * (z * z - 1.0) + cubic))


def cornish_fisher_es(returns: ArrayLike, confidence: float) -> float:
    """Expected shortfall of the Cornish-Fisher law: its quantile function averaged over the tail.

    Since He_n(u) density(u) integrates to -He_{n-1}(z) density(z), the average is closed::

        ES = -mean + sd * density(z) / (1 - confidence)
             * (1 + z S / 6 + (z**2 - 1) K / 24 - (2 z**2 - 1) S**2 / 36)

    Parameters, errors and unit are those of `cornish_fisher_var`.

    References
    ----------
    Maillard (2012), "A user's guide to the Cornish-Fisher expansion", section on conditional VaR.
    """
    mean, deviation, skewness, kurtosis = _moments(returns)
    share = 1.0 - level(confidence)
    z = float(ndtri(share))
    _require_rising(skewness, kurtosis, max(_REACH, abs(z)))
    bend = z * skewness / 6.0 + (z * z - 1.0) * kurtosis / 24.0 - (2.0 * z * z - 1.0) * skewness**2 / 36.0
    return -mean + deviation * normal_density(z) / share * (1.0 + bend)


def _mean_and_deviation(returns: ArrayLike, *, zero_mean: bool) -> tuple[float, float]:
    values = vector(returns)
    unit = float(unit_of(values))
    deviation = unit * float((values / unit).std(ddof=1))
    return 0.0 if zero_mean else float(values.mean()), deviation


def _moments(returns: ArrayLike) -> tuple[float, float, float, float]:
    """Mean, standard deviation, skewness and excess kurtosis of the sample taken as a population."""
    values = varying(vector(returns, minimum=4), "the Cornish-Fisher expansion")
    mean, deviation = float(values.mean()), float(values.std())
    z = (values - mean) / deviation
    cubes = z * z * z
    return mean, deviation, float(cubes.mean()), float((cubes * z).mean()) - 3.0


def _require_rising(skewness: float, kurtosis: float, reach: float) -> None:
    """The slope of the expansion is a parabola in z: look at its ends and its vertex."""
    square = kurtosis / 8.0 - skewness**2 / 6.0
    linear = skewness / 3.0
    constant = 1.0 - kurtosis / 8.0 + 5.0 * skewness**2 / 36.0
    points = [-reach, reach]
    if square != 0.0 and abs(linear) < 2.0 * abs(square) * reach:
        points.append(-linear / (2.0 * square))
    if min(square * z * z + linear * z + constant for z in points) <= 0.0:
        raise UndefinedMeasure(
            f"the Cornish-Fisher expansion is no quantile function at skewness {skewness:.2f} and excess "
            f"kurtosis {kurtosis:.2f}: it falls within {reach:.1f} standard deviations; "
            "use a historical or Student-t measure"
        )
