"""How far and how long a path of compounded returns stands below its own peak. The path starts at 1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from risk_management.errors import UndefinedMeasure
from risk_management.measures._historical import historical_es
from risk_management.measures._inputs import FloatArray, vector

__all__ = [
    "DrawdownEpisode",
    "TimeUnderWater",
    "cdar",
    "drawdown_episodes",
    "drawdown_series",
    "max_drawdown",
    "time_under_water",
    "ulcer_index",
]

_ROUNDING: Final = 1e-12  # a path this near to its peak has recovered: -20 % and +25 % bring it back


@dataclass(frozen=True, slots=True)
class DrawdownEpisode:
    """One fall below a peak, until the path is back.

    Positions count points of the path: 0 is the start at 1, t the point after return t - 1.

    Parameters
    ----------
    peak, trough : int
        Position of the last point at the peak, and of the lowest one.
    recovery : int or None
        First position back at the peak; None while it lasts.
    depth : float
        Fraction of the peak lost at the trough, in (0, 1].
    decline : int
        Periods from the peak to the trough.
    length : int
        Periods from the peak to the recovery, or to the end of the path.
    """

    peak: int
    trough: int
    recovery: int | None
    depth: float
    decline: int
    length: int


@dataclass(frozen=True, slots=True)
class TimeUnderWater:
    """How long a path stood below its peak.

    Parameters
    ----------
    longest : int
        Periods of the longest episode, from its peak to its recovery or the end.
    current : int
        Periods of the episode that lasts at the end; 0 at a peak.
    share : float
        Fraction of the points after the start that lie below their peak, in [0, 1].
    """

    longest: int
    current: int
    share: float


def drawdown_series(returns: ArrayLike) -> FloatArray:
    """Fraction by which the path stands below its peak so far, after each return.

    Parameters
    ----------
    returns : array_like of shape (T,)
        Simple returns, none below -1; T >= 1.

    Returns
    -------
    ndarray of shape (T,)
        In [0, 1]; 0 at a peak. The start at 1 is a peak too, so a first loss counts in full.

    Raises
    ------
    UndefinedMeasure
        If a return is below -100 %, or the path grows out of all numbers.
    InvalidReturns, InsufficientData

    References
    ----------
    Magdon-Ismail and Atiya (2004), "Maximum drawdown", Risk 17(10).
    """
    values = vector(returns, minimum=1)
    if float(values.min()) < -1.0:
        raise UndefinedMeasure(
            f"a drawdown is undefined: return {int(values.argmin())} loses more than everything"
        )
    with np.errstate(over="ignore", invalid="ignore"):
        path = np.cumprod(1.0 + values)
    if not np.isfinite(path).all():
        raise UndefinedMeasure("a drawdown is undefined: the path grows beyond all numbers")
    peak = np.maximum(np.maximum.accumulate(path), 1.0)
    below = 1.0 - path / peak
    below[below < _ROUNDING] = 0.0
    return np.asarray(below)


def max_drawdown(returns: ArrayLike) -> float:
    """Greatest fraction lost from a peak, divided by the peak of its own time; 0 for a path that never falls.

    Parameters and errors are those of `drawdown_series`.
    """
    return float(drawdown_series(returns).max())


def drawdown_episodes(returns: ArrayLike) -> tuple[DrawdownEpisode, ...]:
    """All falls below a peak, in the order of time; the last one may not be over.

    Parameters and errors are those of `drawdown_series`.
    """
    below = np.concatenate([[0.0], drawdown_series(returns)])
    wet = below > 0.0
    starts = np.flatnonzero(~wet[:-1] & wet[1:])
    ends = np.flatnonzero(wet[:-1] & ~wet[1:]) + 1
    episodes = []
    for number, peak in enumerate(starts.tolist()):
        over = number < len(ends)
        end = int(ends[number]) if over else len(below) - 1
        trough = peak + int(below[peak : end + 1].argmax())
        episodes.append(
            DrawdownEpisode(
                peak=peak,
                trough=trough,
                recovery=end if over else None,
                depth=float(below[trough]),
                decline=trough - peak,
                length=end - peak,
            )
        )
    return tuple(episodes)


def cdar(returns: ArrayLike, confidence: float) -> float:
    """Conditional drawdown at risk: the mean of the worst (1 - confidence) share of the drawdowns.

    The share is exact, with a fractional weight at its boundary, as in `historical_es`.

    Parameters
    ----------
    returns : array_like of shape (T,)
        Simple returns, none below -1; T >= 2.
    confidence : float
        In (0, 1).

    Returns
    -------
    float
        Between the mean and the greatest drawdown.

    Raises
    ------
    InvalidReturns, InsufficientData, UndefinedMeasure

    References
    ----------
    Chekhlov, Uryasev and Zabarankin (2005), "Drawdown measure in portfolio optimization", International
    Journal of Theoretical and Applied Finance 8(1).
    """
    return historical_es(0.0 - drawdown_series(returns), confidence)


def ulcer_index(returns: ArrayLike) -> float:
    """Root mean square of the drawdowns after each return, as a fraction (Martin gives percent).

    Parameters and errors are those of `drawdown_series`.

    References
    ----------
    Martin and McCann (1989), The Investor's Guide to Fidelity Funds, chapter 6.
    """
    below = drawdown_series(returns)
    return float(np.sqrt(np.mean(below * below)))


def time_under_water(returns: ArrayLike) -> TimeUnderWater:
    """Longest and present episode below a peak, in periods, and the share of time spent there.

    Parameters and errors are those of `drawdown_series`.
    """
    episodes = drawdown_episodes(returns)
    if not episodes:
        return TimeUnderWater(longest=0, current=0, share=0.0)
    last = episodes[-1]
    return TimeUnderWater(
        longest=max(episode.length for episode in episodes),
        current=last.length if last.recovery is None else 0,
        share=float(np.mean(drawdown_series(returns) > 0.0)),
    )
