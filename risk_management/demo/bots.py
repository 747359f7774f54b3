"""Four textbook bots: pure functions from closes to what each bot wants, row by row.

None knows of the others. Each may use `SLEEVE` of the account, so together they may want 160 % of it:
that is what four bots on one account look like. All buy and sell again; none sells short. The
parameters are those of the sources, fixed beforehand and the same in every period and arm.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from risk_management.demo.indicators import (
    first_of_month,
    first_of_week,
    highest,
    lowest,
    moving_average,
    volatility,
    wilder_rsi,
)

__all__ = ["BOTS", "SLEEVE", "BotRules", "Signals", "Want", "breakout", "mean_reversion", "momentum", "trend"]

Float = NDArray[np.float64]
Flags = NDArray[np.bool_]
Days = NDArray[np.datetime64]

SLEEVE: Final = 0.40
"""Share of the account that each bot uses at most."""
BAND: Final = 0.25
"""A held position is resized only when it is this far from its target, as a fraction of the target."""
YEAR: Final = 252


@dataclass(frozen=True, slots=True)
class Signals:
    """What a bot sees on every row; all of shape (T, N).

    Parameters
    ----------
    enter : ndarray of bool
        Buy where nothing is held.
    leave : ndarray of bool
        Sell what is held.
    resize : ndarray of bool
        Bring what is held to its weight, where it is further off than `BAND`.
    weight : ndarray of float
        Size of a position, as a fraction of the account.
    rank : ndarray of float
        Among several entries the lowest goes first.
    """

    enter: Flags
    leave: Flags
    resize: Flags
    weight: Float
    rank: Float

    def wants(self, row: int, held: Float, share: float = 1.0) -> list[Want]:
        """Orders after the close of `row`: exits first, then entries while the sleeve has room.

        Parameters
        ----------
        row : int
        held : ndarray of shape (N,)
            What the bot holds, as fractions of the account.
        share : float
            Everything times this, the sleeve included.
        """
        weight = share * self.weight[row]
        is_held = held > 0.0
        leaving = is_held & self.leave[row]
        wants = [Want(int(j), -float(held[j]), leaves=True) for j in np.flatnonzero(leaving)]
        off = weight - held
        resized = is_held & ~leaving & self.resize[row] & (np.abs(off) > BAND * weight)
        wants += [Want(int(j), float(off[j])) for j in np.flatnonzero(resized)]
        room = share * SLEEVE - float(held.sum()) - sum(want.size for want in wants)
        entering = np.flatnonzero(self.enter[row] & ~is_held)
        for j in sorted(entering, key=lambda j: (self.rank[row, j], j)):
            if weight[j] > room + 1e-9:
                break
            room -= float(weight[j])
            wants.append(Want(int(j), float(weight[j])))
        return wants


@dataclass(frozen=True, slots=True)
class Want:
    """One order: the column and a signed fraction of the account; `leaves` where all is to be sold."""

    column: int
    size: float
    leaves: bool = False


@dataclass(frozen=True, slots=True)
class BotRules:
    """A bot: its name, its strategy, one line about it, and its rules."""

    name: str
    strategy: str
    about: str
    signals: Callable[[Float, Days], Signals]


def trend(closes: Float, dates: Days) -> Signals:
    """Trend following with volatility scaling, looked at weekly.

    Held while the close is above its 200-day average and the 50-day average is above the 200-day one
    (Brock, Lakonishok & LeBaron 1992, J. of Finance 47; Faber 2007, J. of Wealth Management). Each
    position is scaled to 20 % annual volatility over 60 days (Moskowitz, Ooi & Pedersen 2012, J. of
    Financial Economics 104), at most twice a tenth of the sleeve, and all are scaled down together
    where they would fill more than it. The strongest trend goes first.
    """
    slow, fast = moving_average(closes, 200), moving_average(closes, 50)
    up = (closes > slow) & (fast > slow)
    scale = np.minimum(2.0, 0.20 / (volatility(closes, 60) * np.sqrt(YEAR)))
    weight = np.where(up, np.nan_to_num(SLEEVE / 10.0 * scale), 0.0)
    total = weight.sum(axis=1, keepdims=True)
    weight *= np.minimum(1.0, np.divide(SLEEVE, total, out=np.ones_like(total), where=total > 0.0))
    weekly = first_of_week(dates)[:, None]
    return Signals(up & weekly, ~up & weekly, up & weekly, weight, rank=-fast / slow)


def mean_reversion(closes: Float, dates: Days) -> Signals:  # noqa: ARG001 - bots share a signature
    """RSI(2): bought weak in a rising trend, sold on the first strength.

    Bought when the close is above its 200-day average and RSI(2) is below 10; sold when the close is
    above its 5-day average or RSI(2) above 70 (Connors & Alvarez 2008, Short Term Trading Strategies
    That Work, chapters 9-10). Five positions at most, the weakest first.
    """
    rsi = wilder_rsi(closes, 2)
    enter = (closes > moving_average(closes, 200)) & (rsi < 10.0)
    leave = (closes > moving_average(closes, 5)) | (rsi > 70.0)
    return _equal(enter & ~leave, leave, slots=5, rank=rsi)


def breakout(closes: Float, dates: Days) -> Signals:  # noqa: ARG001 - bots share a signature
    """Donchian channels: bought above the highest of 55 days, sold below the lowest of 20.

    System 2 of the Turtles, long side, on closes (Faith 2003, The Original Turtle Trading Rules;
    Donchian 1960). Eight positions at most, the strongest break first.
    """
    top, bottom = highest(closes, 55), lowest(closes, 20)
    return _equal(closes > top, closes < bottom, slots=8, rank=-closes / top)


def momentum(closes: Float, dates: Days) -> Signals:
    """Cross-sectional momentum: the five best of the last twelve months but the last, renewed monthly.

    Jegadeesh & Titman 1993, J. of Finance 48; the skipped month as in Fama & French's UMD factor.
    Decided after the first close of a month.
    """
    past = np.full_like(closes, np.nan)
    past[YEAR:] = closes[YEAR - 21 : -21] / closes[:-YEAR] - 1.0
    place = np.argsort(np.argsort(-past, axis=1, kind="stable"), axis=1, kind="stable")
    best = (place < 5) & ~np.isnan(past)
    monthly = first_of_month(dates)[:, None]
    return _equal(best & monthly, ~best & monthly, slots=5, rank=-past, resize=best & monthly)


def _equal(enter: Flags, leave: Flags, *, slots: int, rank: Float, resize: Flags | None = None) -> Signals:
    """Positions of one size, a `slots`-th of the sleeve each."""
    still = np.zeros_like(enter) if resize is None else resize
    return Signals(enter, leave, still, np.full(enter.shape, SLEEVE / slots), rank)


BOTS: Final = (
    BotRules("trend_bot", "trend", "200/50-day averages, scaled by volatility, weekly", trend),
    BotRules("reversion_bot", "mean_reversion", "RSI(2) below 10 above the 200-day average", mean_reversion),
    BotRules("breakout_bot", "breakout", "Donchian channels, 55 days in and 20 out", breakout),
    BotRules("momentum_bot", "momentum", "best 5 of 12-1 months, monthly", momentum),
)
