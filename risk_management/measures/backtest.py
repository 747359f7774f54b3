"""Whether the losses that came agree with the VaR and ES that were forecast.

An exception is a day whose loss passed its VaR. Likelihoods are sums of logarithms with 0 ln 0 = 0, so that
no exception, or nothing else, or thousands of days are all served.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import bdtr, chdtrc, gammaln, ndtr, ndtri, xlogy

from risk_management.errors import InsufficientData, InvalidReturns, UndefinedMeasure
from risk_management.measures._inputs import FloatArray, level, vector
from risk_management.measures._normal import normal_density

__all__ = [
    "BacktestResult",
    "TrafficLight",
    "acerbi_szekely_z2",
    "basel_multiplier",
    "binomial_test",
    "christoffersen_independence",
    "conditional_coverage",
    "joint_loss",
    "kupiec_pof",
    "quantile_loss",
    "traffic_light",
]

SIGNIFICANCE: Final = 0.05
_LEAST_ES: Final = 1e-60  # returns are divided by it
_GRID: Final = 2**17  # points of the law of Z2
_YELLOW: Final = 0.95  # cumulative probabilities at which the Basel zones begin
_RED: Final = 0.9999
_PLUS: Final = (0.40, 0.50, 0.65, 0.75, 0.85, 1.00)  # plus factors of 5, 6, ... and 10 exceptions


@dataclass(frozen=True, slots=True)
class BacktestResult:
    """Outcome of a test.

    Parameters
    ----------
    statistic : float
    p_value : float
        Chance of such a statistic, or a worse one, if the forecasts are right.
    reject : bool
        p_value < 0.05.
    """

    statistic: float
    p_value: float
    reject: bool


@dataclass(frozen=True, slots=True)
class TrafficLight:
    """Zone of the Basel Committee.

    Parameters
    ----------
    zone : {'green', 'yellow', 'red'}
        Yellow is called amber too.
    exceptions, observations : int
    probability : float
        Chance of at most so many exceptions if the VaR is right.
    """

    zone: Literal["green", "yellow", "red"]
    exceptions: int
    observations: int
    probability: float


def kupiec_pof(exceptions: ArrayLike, confidence: float) -> BacktestResult:
    """Proportion-of-failures test: likelihood ratio of the exception rate, chi-squared with 1 degree.

    Parameters
    ----------
    exceptions : array_like of shape (T,)
        True or 1 for a day whose loss passed its VaR, else False or 0; T >= 1.
    confidence : float
        Of the VaR, in (0, 1).

    Returns
    -------
    BacktestResult

    Raises
    ------
    InvalidReturns, InsufficientData, UndefinedMeasure

    References
    ----------
    Kupiec (1995), "Techniques for verifying the accuracy of risk measurement models", Journal of
    Derivatives 3(2).
    """
    hits = _hits(exceptions)
    return _chi_squared(_coverage_ratio(hits, 1.0 - level(confidence)), 1)


def christoffersen_independence(exceptions: ArrayLike, adjacent: ArrayLike | None = None) -> BacktestResult:
    """Whether an exception makes another on the next day more likely: chi-squared with 1 degree.

    Parameters
    ----------
    exceptions : array_like of shape (T,)
        In the order of time, as for `kupiec_pof`; T >= 2. The transitions are its T - 1 pairs.
    adjacent : array_like of bool of shape (T - 1,), optional
        Which pairs are of two days running; the others, with days between them, are no transition. All
        by default.

    Returns
    -------
    BacktestResult
        Statistic 0 where the sequence has no change to judge, such as no exception at all.

    Raises
    ------
    InvalidReturns, InsufficientData

    References
    ----------
    Christoffersen (1998), "Evaluating interval forecasts", International Economic Review 39(4), section 3.2.
    """
    return _chi_squared(_independence_ratio(_hits(exceptions, 2), adjacent), 1)


def conditional_coverage(
    exceptions: ArrayLike, confidence: float, adjacent: ArrayLike | None = None
) -> BacktestResult:
    """Rate and independence together: the sum of both ratios, chi-squared with 2 degrees.

    Parameters and errors are those of `kupiec_pof`, with T >= 2, and `adjacent` is that of
    `christoffersen_independence`. The rate is judged on all T days.

    References
    ----------
    Christoffersen (1998), "Evaluating interval forecasts", International Economic Review 39(4), section 3.3.
    """
    hits = _hits(exceptions, 2)
    rate = 1.0 - level(confidence)
    return _chi_squared(_coverage_ratio(hits, rate) + _independence_ratio(hits, adjacent), 2)


def binomial_test(exceptions: ArrayLike, confidence: float) -> BacktestResult:
    """Exact two-sided test of the number of exceptions.

    The p-value adds the chances of all counts that are no likelier than the one observed. Parameters and
    errors are those of `kupiec_pof`; the statistic is the count.

    References
    ----------
    Clopper and Pearson (1934); Jorion (2007), Value at Risk, 3rd ed., section 6.2.
    """
    hits = _hits(exceptions)
    rate, days, count = 1.0 - level(confidence), len(hits), int(hits.sum())
    k = np.arange(days + 1.0)
    ways = gammaln(days + 1.0) - gammaln(k + 1.0) - gammaln(days - k + 1.0)
    chances = np.exp(ways + xlogy(k, rate) + xlogy(days - k, 1.0 - rate))
    return _result(float(count), min(1.0, float(chances[chances <= chances[count] * (1.0 + 1e-7)].sum())))


def traffic_light(exceptions: ArrayLike, confidence: float = 0.99) -> TrafficLight:
    """Zone of the Basel Committee: 250 days at 99 % are green to 4 exceptions, yellow to 9, red from 10.

    Yellow begins where at most so many exceptions have a chance of 95 %, red where they have 99.99 %.
    Parameters and errors are those of `kupiec_pof`.

    References
    ----------
    Basel Committee on Banking Supervision (1996), "Supervisory framework for the use of backtesting",
    table 2.
    """
    hits = _hits(exceptions)
    count = int(hits.sum())
    probability = float(bdtr(float(count), len(hits), 1.0 - level(confidence)))
    zone: Literal["green", "yellow", "red"] = "green"
    if count > 0 and probability >= _YELLOW:  # a day without exception is never a reproach
        zone = "red" if probability >= _RED else "yellow"
    return TrafficLight(zone, count, len(hits), probability)


def basel_multiplier(exceptions: ArrayLike, confidence: float = 0.99) -> float:
    """What the capital on a VaR is multiplied by for its exceptions, as a share of the multiplier of green.

    The Committee's plus factors on 3 at 250 days and 99 %: 0.40, 0.50, 0.65, 0.75, 0.85 for 5 to 9
    exceptions and 1.00 from 10 on. Another number of days counts as the exceptions of 250 that are as
    unlikely.

    Parameters
    ----------
    exceptions : array_like of bool of shape (T,)
    confidence : float
        In (0, 1).

    Returns
    -------
    float
        1 to 4/3.

    Raises
    ------
    InvalidReturns, InsufficientData, UndefinedMeasure

    References
    ----------
    Basel Committee on Banking Supervision (1996), "Supervisory framework for the use of backtesting",
    table 2.
    """
    light = traffic_light(exceptions, confidence)
    if light.zone == "green":
        return 1.0
    counts = np.arange(len(_PLUS) + 5.0)
    reached = bdtr(counts, 250, 0.01) >= light.probability * (1.0 - 1e-12)
    alike = int(counts[reached][0]) if reached.any() else len(_PLUS) + 4
    return (3.0 + _PLUS[min(max(alike - 5, 0), len(_PLUS) - 1)]) / 3.0


def acerbi_szekely_z2(returns: ArrayLike, var: ArrayLike, es: ArrayLike, confidence: float) -> BacktestResult:
    """Test 2 of Acerbi and Szekely: expected shortfall judged by size and number of exceptions at once.

    Z2 = 1 + sum(r_t [r_t < -VaR_t] / ES_t) / (T (1 - confidence)): 0 in expectation, negative when the risk
    was underestimated. The p-value is the chance of such a Z2 or a smaller one under normal tails and
    independent days, computed from the whole law of exceptions and losses: 1 without an exception, that of
    any exception for the smallest one. At 97.5 % and 250 days it puts 5 % at -0.70 and 0.01 % at -1.8, as
    the paper's simulations do.

    Parameters
    ----------
    returns : array_like of shape (T,)
        T >= 2.
    var, es : float or array_like of shape (T,)
        Forecasts as positive losses; 0 < ES and VaR <= ES.
    confidence : float
        Of both, in (0, 1).

    Returns
    -------
    BacktestResult
        One-sided: too little risk forecast.

    Raises
    ------
    InvalidReturns, InsufficientData, UndefinedMeasure

    References
    ----------
    Acerbi and Szekely (2014), "Back-testing expected shortfall", Risk 27(11), section 2.2 and table 4;
    Buehlmann (1984), "Numerical evaluation of the compound Poisson distribution: recursion or fast Fourier
    transform?", Scandinavian Actuarial Journal, for the way to the law.
    """
    values = vector(returns)
    quantile, shortfall = _forecasts(var, es, len(values))
    share = 1.0 - level(confidence)
    hit = values < -quantile
    statistic = 1.0 + float((values[hit] / shortfall[hit]).sum()) / (len(values) * share)
    return _result(statistic, _z2_p_value(statistic, share, len(values)))


def quantile_loss(returns: ArrayLike, var: ArrayLike, confidence: float) -> float:
    """Mean loss of a VaR forecast by the quantile's own score; smaller is better.

    mean(((1 - confidence) - [r < q]) * (r - q)) with q = -VaR.

    Parameters
    ----------
    returns : array_like of shape (T,)
        T >= 1.
    var : float or array_like of shape (T,)
        Forecasts as losses; negative is a gain.
    confidence : float
        In (0, 1).

    Returns
    -------
    float
        At least 0, in the unit of `returns`.

    Raises
    ------
    InvalidReturns, InsufficientData, UndefinedMeasure

    References
    ----------
    Koenker and Bassett (1978), Econometrica 46; Gonzalez-Rivera, Lee and Mishra (2004), International
    Journal of Forecasting 20.
    """
    values = vector(returns, minimum=1)
    gap = values + _each(var, "var", len(values))
    return float(np.mean(((1.0 - level(confidence)) - (gap < 0.0)) * gap))


def joint_loss(returns: ArrayLike, var: ArrayLike, es: ArrayLike, confidence: float) -> float:
    """Mean joint loss of VaR and ES forecasts (FZ0); smaller is better, and differences are free of unit.

    With a = 1 - confidence, v = -VaR and e = -ES: mean(-[r <= v] (v - r) / (a e) + v / e + ln(-e) - 1).

    Parameters
    ----------
    returns : array_like of shape (T,)
        T >= 1.
    var, es : float or array_like of shape (T,)
        Forecasts as losses; 0 < ES and VaR <= ES.
    confidence : float
        Of both, in (0, 1).

    Returns
    -------
    float
        Of either sign.

    Raises
    ------
    InvalidReturns, InsufficientData, UndefinedMeasure

    References
    ----------
    Fissler and Ziegel (2016), Annals of Statistics 44; Patton, Ziegel and Chen (2019), "Dynamic
    semiparametric models for expected shortfall (and value-at-risk)", Journal of Econometrics 211.
    """
    values = vector(returns, minimum=1)
    quantile, shortfall = _forecasts(var, es, len(values))
    share = 1.0 - level(confidence)
    beyond = np.maximum(-quantile - values, 0.0)
    return float(np.mean(beyond / (share * shortfall) + quantile / shortfall + np.log(shortfall) - 1.0))


def _hits(exceptions: ArrayLike, minimum: int = 1) -> NDArray[np.bool_]:
    """Boolean array of shape (T,) from truth values or zeros and ones."""
    raw = exceptions if isinstance(exceptions, np.ndarray) else _as_array(exceptions)
    if isinstance(raw, np.ma.MaskedArray) and np.ma.getmaskarray(raw).any():
        raise InvalidReturns("exceptions has masked entries; fill or drop them first")
    if raw.dtype != np.bool_:
        numbers = vector(exceptions, "exceptions", minimum)
        if not np.isin(numbers, (0.0, 1.0)).all():
            raise InvalidReturns("exceptions must be truth values, or zeros and ones")
        raw = numbers == 1.0
    if raw.ndim != 1:
        raise InvalidReturns(f"exceptions must be one series of shape (T,), not {raw.shape}")
    if len(raw) < minimum:
        raise InsufficientData(f"exceptions needs at least {minimum} days and has {len(raw)}")
    return np.asarray(raw, dtype=np.bool_)


def _as_array(values: ArrayLike) -> NDArray[np.generic]:
    try:
        return np.asarray(values)
    except (ValueError, TypeError) as problem:
        raise InvalidReturns(f"exceptions is no array: {problem}") from problem


def _each(values: ArrayLike, name: str, size: int) -> FloatArray:
    """One forecast for all days, or one for each."""
    single = isinstance(values, (int, float, np.number))
    forecasts = vector(np.array([values]), name, 1) if single else vector(values, name, 1)
    if len(forecasts) not in {1, size}:
        raise InvalidReturns(f"{name} must be one number or {size} of them, not {len(forecasts)}")
    return np.broadcast_to(forecasts, (size,))


def _forecasts(var: ArrayLike, es: ArrayLike, size: int) -> tuple[FloatArray, FloatArray]:
    quantile, shortfall = _each(var, "var", size), _each(es, "es", size)
    if float(shortfall.min()) < _LEAST_ES:
        raise UndefinedMeasure(f"es must be a positive loss on every day, at least {_LEAST_ES:g}")
    if bool((quantile > shortfall).any()):
        raise UndefinedMeasure("var must not be larger than es on any day")
    return quantile, shortfall


def _log_likelihood(hits: int, misses: int, rate: float) -> float:
    return float(xlogy(hits, rate) + xlogy(misses, 1.0 - rate))


def _best_log_likelihood(hits: int, misses: int) -> float:
    return _log_likelihood(hits, misses, hits / (hits + misses)) if hits + misses else 0.0


def _coverage_ratio(hits: NDArray[np.bool_], rate: float) -> float:
    count = int(hits.sum())
    rest = len(hits) - count
    return 2.0 * (_best_log_likelihood(count, rest) - _log_likelihood(count, rest, rate))


def _independence_ratio(hits: NDArray[np.bool_], adjacent: ArrayLike | None) -> float:
    before, after = hits[:-1], hits[1:]
    if adjacent is not None:
        running = _hits(adjacent)
        if running.shape != before.shape:
            raise InvalidReturns(f"adjacent must have one entry for each of the {len(before)} pairs")
        before, after = before[running], after[running]
    after_hit, after_calm = int((before & after).sum()), int((~before & after).sum())
    calm_after_hit, calm_after_calm = int((before & ~after).sum()), int((~before & ~after).sum())
    apart = _best_log_likelihood(after_hit, calm_after_hit)
    apart += _best_log_likelihood(after_calm, calm_after_calm)
    together = _best_log_likelihood(after_hit + after_calm, calm_after_hit + calm_after_calm)
    return 2.0 * (apart - together)


def _z2_p_value(statistic: float, share: float, days: int) -> float:
    """Chance of such a Z2 or a smaller one under normal tails: that the sum of loss / ES is as large."""
    total = (1.0 - statistic) * days * share
    edges, survival, none = _sums_of_excess(share, days)
    beyond = float(np.interp(total, edges, survival, right=0.0))
    chance = beyond + (none if total <= 0.0 else 0.0)
    return chance if chance < 1.0 - 1e-9 else 1.0


@lru_cache(maxsize=8)
def _sums_of_excess(share: float, days: int) -> tuple[FloatArray, FloatArray, float]:
    """Law of the sum of loss / ES over the exceptions of `days` days, exact but for a grid.

    Rising values, the chance of a sum that is as large in days with an exception, and the chance of none.
    One day adds nothing, or with chance `share` a normal loss beyond its quantile; the days are convolved by
    the Fourier transform (Buehlmann 1984). Without an exception the sum is exactly 0, an atom kept apart.
    """
    z = float(ndtri(share))
    es = normal_density(z) / share
    square = (1.0 - z * es) / es**2  # mean square of loss / ES, whose mean is 1
    reach = days * share + 12.0 * (np.sqrt(days * share * square) + 1.0 / es)
    step = 2.0 * reach / _GRID
    places = np.arange(-_GRID // 2, _GRID // 2)
    edges = (places - 0.5) * step
    tail = np.minimum(ndtr(-edges * es) / share, 1.0)
    day = np.fft.ifftshift(-np.diff(tail, append=0.0)) * share
    day[0] += 1.0 - share
    chances = np.fft.fftshift(np.fft.irfft(np.fft.rfft(day) ** days, _GRID))
    none = float((1.0 - share) ** days)
    chances[_GRID // 2] -= none
    survival = np.clip(np.cumsum(chances[::-1])[::-1], 0.0, 1.0)
    return edges, survival, none


def _chi_squared(ratio: float, degrees: int) -> BacktestResult:
    statistic = max(0.0, ratio)  # rounding may leave it a hair below
    return _result(statistic, float(chdtrc(degrees, statistic)))


def _result(statistic: float, p_value: float) -> BacktestResult:
    return BacktestResult(statistic, p_value, p_value < SIGNIFICANCE)
