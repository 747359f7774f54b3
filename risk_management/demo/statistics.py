"""From paths and decisions to the numbers of the report. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from risk_management.demo.bots import BOTS
from risk_management.demo.gate import Decided
from risk_management.demo.market import PROXIES, Market
from risk_management.demo.records import ArmResult, Forgone, Refusal, Survivorship
from risk_management.demo.simulation import Path

__all__ = ["HINDSIGHT_DAYS", "arm_result", "by_bot", "forgone", "max_drawdown", "refusals", "survivorship"]

Float = NDArray[np.float64]
YEAR = 252
HINDSIGHT_DAYS = 20


def max_drawdown(equity: Float) -> float:
    """Largest fall from an earlier high, a fraction of it; the start counts as a high."""
    return float((1.0 - equity / np.maximum.accumulate(equity)).max())


def arm_result(path: Path, capital: float) -> ArmResult:
    """The figures of an arm's path."""
    final = float(path.equity[-1])
    annual = (final / capital) ** (YEAR / len(path.equity)) - 1.0 if final > 0.0 else -1.0
    deepest = max_drawdown(np.concatenate([[capital], path.equity]))
    return ArmResult(
        name=path.name,
        final=final,
        total_return=final / capital - 1.0,
        annual_return=annual,
        max_drawdown=deepest,
        calmar=annual / deepest if deepest > 0.0 else float("nan"),
        average_exposure=float(path.exposure.mean()),
        largest_exposure=float(path.exposure.max()),
        costs=path.commissions + path.slippage,
        turnover=path.turnover / float(path.equity.mean()),
        fills=path.fills,
        equity=tuple(path.equity.tolist()),
        exposure=tuple(path.exposure.tolist()),
    )


def refusals(decisions: Iterable[Decided]) -> tuple[Refusal, ...]:
    """Refused and cut orders by the check that bound them, the most frequent first."""
    sums: dict[str, list[float]] = {}
    for decided in decisions:
        if decided.codes:
            row = sums.setdefault(decided.codes[0], [0, 0, 0.0])
            row[0 if decided.outcome == "refused" else 1] += 1
            row[2] += decided.forgone
    found = (Refusal(code, int(refused), int(cut), money) for code, (refused, cut, money) in sums.items())
    return tuple(sorted(found, key=lambda r: (-r.refused - r.cut, r.code)))


def by_bot(decisions: Sequence[Decided]) -> dict[str, tuple[int, int, int]]:
    """Approved, cut and refused orders of each bot."""
    counts = {bot.name: [0, 0, 0] for bot in BOTS}
    for decided in decisions:
        counts[BOTS[decided.bot].name][("approved", "cut", "refused").index(decided.outcome)] += 1
    return {name: (a, c, r) for name, (a, c, r) in counts.items()}


def forgone(market: Market, decisions: Iterable[Decided]) -> Forgone:
    """What the money that did not pass would have made, and what the approved money made.

    Parameters
    ----------
    market : Market
    decisions : iterable of Decided
        Entries, in the order of their days.
    """
    counted: dict[tuple[int, int], int] = {}
    money = gains = losses = taken = profit = 0.0
    wishes = 0
    for decided in decisions:
        later = _later(market, decided)
        taken += decided.approved
        profit += decided.approved * later
        last = counted.get((decided.bot, decided.column))
        if decided.outcome == "approved" or (last is not None and decided.row - last < HINDSIGHT_DAYS):
            continue
        counted[decided.bot, decided.column] = decided.row
        wishes += 1
        money += decided.forgone
        gains += max(0.0, decided.forgone * later)
        losses += max(0.0, -decided.forgone * later)
    return Forgone(
        wishes=wishes,
        money=money,
        gains=gains,
        losses=losses,
        mean_return=(gains - losses) / money if money > 0.0 else float("nan"),
        taken_return=profit / taken if taken > 0.0 else float("nan"),
    )


def _later(market: Market, decided: Decided) -> float:
    """Return over `HINDSIGHT_DAYS` from the close after the decision, or to the end of the data."""
    start = min(decided.row + 1, len(market.closes) - 1)
    end = min(start + HINDSIGHT_DAYS, len(market.closes) - 1)
    return float(market.closes[end, decided.column] / market.closes[start, decided.column]) - 1.0


def survivorship(market: Market) -> Survivorship:
    """The traded stocks beside the index, over everything that the sample holds of both."""
    index = market.history.closes[:, market.history.symbols.index(PROXIES[0])]
    equal = (market.closes[1:] / market.closes[:-1]).mean(axis=1)
    years = float((market.dates[-1] - market.dates[0]).astype(int)) / 365.25
    return Survivorship(
        stocks=float(np.prod(equal) ** (1.0 / years)) - 1.0,
        index=float(index[-1] / index[0]) ** (1.0 / years) - 1.0,
        start=str(market.dates[0]),
        end=str(market.dates[-1]),
    )
