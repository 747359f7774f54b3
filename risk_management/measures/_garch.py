"""GARCH(1,1) volatility, and history filtered by it; the fit is that of the library `arch`."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike

from risk_management.errors import UndefinedMeasure
from risk_management.measures._inputs import FloatArray, choice, number, varying, vector

__all__ = [
    "LEAST_ROWS",
    "GarchFit",
    "filtered_returns",
    "fit_garch",
    "garch_forecasts",
    "garch_volatility",
]

LEAST_ROWS: Final = 250
"""Fewest returns of a fit: below, its parameters are noise."""
DIGITS: Final = 10
"""Decimals of a standardised return: what is beyond them is rounding."""
MEANS: Final = {"constant": "Constant", "zero": "Zero"}


@dataclass(frozen=True, slots=True)
class GarchFit:
    """A GARCH(1,1) model ``r_t = mu + e_t``, ``s_t = omega + alpha * e_{t-1}**2 + beta * s_{t-1}``.

    Parameters
    ----------
    mu : float
        Mean return a period.
    omega, alpha, beta : float
        Constant (a variance), weight of the last squared shock, weight of the last variance; all >= 0.
    start : float
        Variance before the first return: the mean squared shock of the fit.
    log_likelihood : float
        Normal, of the returns as they were given.
    observations : int
    converged : bool
        Whether the optimiser says that it arrived.
    """

    mu: float
    omega: float
    alpha: float
    beta: float
    start: float
    log_likelihood: float
    observations: int
    converged: bool

    @property
    def persistence(self) -> float:
        """Sum of alpha and beta: share of a shock to the variance that a period leaves; at 1 it stays."""
        return self.alpha + self.beta

    @property
    def long_run_volatility(self) -> float:
        """Standard deviation to which forecasts return; infinite where the persistence reaches 1."""
        if self.persistence >= 1.0:
            return float("inf")
        return float(np.sqrt(self.omega / (1.0 - self.persistence)))


def fit_garch(returns: ArrayLike, mean: str = "constant") -> GarchFit:
    """Quasi maximum likelihood with normal shocks.

    Parameters
    ----------
    returns : array_like of shape (T,)
        Oldest first, not constant; T >= 250.
    mean : {"constant", "zero"}

    Returns
    -------
    GarchFit

    Raises
    ------
    InvalidReturns, InsufficientData
    UndefinedMeasure
        A constant series, or no parameters could be found.

    References
    ----------
    Bollerslev (1986), "Generalized autoregressive conditional heteroskedasticity", Journal of Econometrics
    31(3). Checked against the DEM/GBP benchmark of Fiorentini, Calzolari and Panattoni (1996).
    """
    choice(mean, "mean", tuple(MEANS))
    values = varying(vector(returns, minimum=LEAST_ROWS)[:, None], "GARCH")[:, 0]
    scale = float(np.std(values))  # the optimiser works best near a variance of one
    # without ARCH the likelihood is flat: the last digits, which change with the unit, must not lead it
    standard = np.round(values / scale, DIGITS)
    centre = float(standard.mean()) if mean == "constant" else 0.0
    start = float(np.mean((standard - centre) ** 2))
    found = _library_fit(standard, MEANS[mean], start)
    parameters = dict(found.params)
    fit = GarchFit(
        mu=float(parameters.get("mu", 0.0)) * scale,
        omega=float(parameters["omega"]) * scale**2,
        alpha=float(parameters["alpha[1]"]),
        beta=float(parameters["beta[1]"]),
        start=start * scale**2,
        log_likelihood=float(found.loglikelihood) - len(values) * float(np.log(scale)),
        observations=len(values),
        converged=bool(found.convergence_flag == 0),
    )
    if not all(np.isfinite((fit.mu, fit.omega, fit.alpha, fit.beta))):
        raise UndefinedMeasure("GARCH found no finite parameters for these returns")
    return fit


def garch_forecasts(returns: ArrayLike, fit: GarchFit | None = None) -> FloatArray:
    """Volatility forecast for each row made before it, and one more for the row to come.

    Parameters
    ----------
    returns : array_like of shape (T,)
        Oldest first; T >= 250 without a `fit`, else T >= 2.
    fit : GarchFit, optional
        By default that of `returns` themselves, whose parameters have seen all rows.

    Returns
    -------
    ndarray of shape (T + 1,)
        Standard deviation a period; given the parameters, row t uses returns 0..t-1 only.

    Raises
    ------
    InvalidReturns, InsufficientData, UndefinedMeasure
    """
    from scipy.signal import lfilter  # noqa: PLC0415 - slow to import

    values = vector(returns)
    chosen = fit_garch(values) if fit is None else fit
    shocks = chosen.omega + chosen.alpha * (values - chosen.mu) ** 2
    # arch's start: the variance before the first return stands for its square, too
    first = chosen.omega + (chosen.alpha + chosen.beta) * chosen.start
    variances, _ = lfilter([1.0], [1.0, -chosen.beta], shocks, zi=[chosen.beta * first])
    return np.sqrt(np.concatenate(([first], variances)))


def garch_volatility(returns: ArrayLike, fit: GarchFit | None = None) -> FloatArray:
    """GARCH(1,1) volatility after each return: the forecast for the next one, as `ewma_volatility`.

    Parameters
    ----------
    returns : array_like of shape (T,)
        Oldest first; T >= 250 without a `fit`, else T >= 2.
    fit : GarchFit, optional
        By default that of `returns` themselves.

    Returns
    -------
    ndarray of shape (T,)
        Standard deviation a period; the last element is the forecast for the period to come.

    Raises
    ------
    InvalidReturns, InsufficientData, UndefinedMeasure
    """
    return garch_forecasts(returns, fit)[1:]


def filtered_returns(returns: ArrayLike, fit: GarchFit | None = None) -> FloatArray:
    """Each return as it would be at present volatility: its GARCH residual times the forecast that stands.

    Parameters
    ----------
    returns : array_like of shape (T,)
        Oldest first.
    fit : GarchFit, optional
        By default a fit without a mean: a mean of daily returns is mostly noise.

    Returns
    -------
    ndarray of shape (T,)

    Raises
    ------
    InvalidReturns, InsufficientData, UndefinedMeasure
    """
    values = vector(returns)
    chosen = fit_garch(values, mean="zero") if fit is None else fit
    forecasts = garch_forecasts(values, chosen)
    if not forecasts.min() > 0.0:
        raise UndefinedMeasure("GARCH expects no movement at all: there is nothing to scale")
    return np.asarray(chosen.mu + (values - chosen.mu) / forecasts[:-1] * forecasts[-1])


def _library_fit(values: FloatArray, mean: str, start: float) -> Any:
    try:
        from arch import arch_model  # noqa: PLC0415 - slow to import, needed by this fit only
    except ImportError as problem:  # pragma: no cover - a broken installation
        raise UndefinedMeasure(f"GARCH needs the library arch: {problem}") from None
    number(start, "start", 0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what it warns of stands in `converged`
        model = arch_model(values, mean=mean, vol="GARCH", p=1, q=1, dist="normal", rescale=False)
        try:
            return model.fit(disp="off", show_warning=False, backcast=start)
        except (ValueError, ArithmeticError, np.linalg.LinAlgError) as failure:
            raise UndefinedMeasure(f"GARCH could not be fitted: {failure}") from None
