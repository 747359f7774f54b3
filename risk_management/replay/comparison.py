"""What a replay found: two arms side by side, every decision that differs, and what it rests on."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from risk_management.replay.course import DayEnd
from risk_management.replay.differences import NameDifference

__all__ = ["Arm", "Change", "CodeCount", "Comparison", "Redecided"]

SAME = 1e-9
"""Relative tolerance of two sizes that are the same."""

CENT = 0.005
"""Money below which a difference is that of rounding."""
OUTCOMES = ("approved", "cut", "refused", "nothing to close")


class Change(StrEnum):
    """How a decision differs from the one that was."""

    SAME = "same"
    STOPPED = "stopped"
    """Something was approved; nothing would have been."""
    CUT = "cut"
    """Less would have been approved."""
    ALLOWED = "allowed"
    """It was refused; something would have been approved."""
    RAISED = "raised"
    """More would have been approved."""
    HELD = "held"
    """It closes what is held, and that would have been less or more: no limit is meant."""


@dataclass(frozen=True, slots=True)
class Redecided:
    """One request, judged twice.

    Parameters
    ----------
    at : datetime
    request_id, bot, symbol, action, strategy : str
    asked : float
        Money that was asked for.
    asked_again : float
        Money that the replay asked for: a close is asked in proportion to what is held there.
    was, would_be : float
        Money approved, 0 where it was refused.
    code_was, code : str
        What bound it then and in the replay; empty where all was approved.
    """

    at: datetime
    request_id: str
    bot: str
    symbol: str
    action: str
    strategy: str
    asked: float
    asked_again: float
    was: float
    would_be: float
    code_was: str = ""
    code: str = ""

    @property
    def change(self) -> Change:
        """How both decisions differ."""
        if abs(self.would_be - self.was) <= SAME * max(self.was, self.would_be):
            return Change.SAME
        if self.asked_again != self.asked and not (self.code or self.code_was):
            return Change.HELD
        if self.would_be < self.was:
            return Change.CUT if self.would_be > 0.0 else Change.STOPPED
        return Change.RAISED if self.was > 0.0 else Change.ALLOWED

    @property
    def reason(self) -> str:
        """The code that explains the change: the limit that would bind, or the one that would no more."""
        return self.code if self.would_be < self.was else self.code_was

    @property
    def outcome_was(self) -> str:
        """``approved``, ``cut`` or ``refused``."""
        return _outcome(self.was, self.code_was)

    @property
    def outcome(self) -> str:
        """The same in the replay; ``nothing to close`` where there would have been nothing to ask for."""
        return _outcome(self.would_be, self.code) if self.asked_again > 0.0 else "nothing to close"


@dataclass(frozen=True, slots=True)
class CodeCount:
    """What one limit did otherwise.

    Parameters
    ----------
    code : str
    stopped, cut, allowed, raised : int
        Decisions.
    less, more : float
        Money approved less, and more, than was.
    """

    code: str
    stopped: int
    cut: int
    allowed: int
    raised: int
    less: float
    more: float


@dataclass(frozen=True, slots=True)
class Arm:
    """How one of the two went.

    Parameters
    ----------
    equity_start, equity_end, profit : float
        Money; deposits and withdrawals are left out of the profit.
    max_drawdown : float
        Fraction, 0 to 1, of the value per unit, at prices and assessments.
    worst_day : float
        Lowest return of a trading day, 0 or below.
    worst_day_on : date or None
    halted_days, reducing_days : int
        Trading days on which all trading was stopped, and on which else nothing new was opened.
    closed_by_system : int
        Positions that the risk system closed or trimmed.
    fees : float
        Money.
    days : tuple of DayEnd
    """

    equity_start: float
    equity_end: float
    profit: float
    max_drawdown: float
    worst_day: float
    worst_day_on: date | None
    halted_days: int
    reducing_days: int
    closed_by_system: int
    fees: float
    days: tuple[DayEnd, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A past period, as it was and as it would have been.

    Parameters
    ----------
    subject : str
        What was replayed.
    since, until : datetime
        First and last event.
    currency : str
    digest_was, digest : str
        Settings at the end of the period, and those of the replay.
    was, would : Arm
    decisions : tuple of Redecided
        All requests, in order.
    names : tuple of NameDifference
        What the differences earned, by bot and symbol.
    assumed : int
        Fills that never were, taken for granted.
    assumed_money : float
    notes : tuple of str
        What the result rests on, each in a sentence.
    leans_on : tuple of str
        Sample data, proxies, stand-ins.
    """

    subject: str
    since: datetime
    until: datetime
    currency: str
    digest_was: str
    digest: str
    was: Arm
    would: Arm
    decisions: tuple[Redecided, ...]
    names: tuple[NameDifference, ...]
    assumed: int
    assumed_money: float
    notes: tuple[str, ...]
    leans_on: tuple[str, ...]

    @property
    def differing(self) -> tuple[Redecided, ...]:
        """Decisions that differ, in order."""
        return tuple(d for d in self.decisions if d.change is not Change.SAME)

    @property
    def changes(self) -> dict[Change, int]:
        """How many decisions differ in which way."""
        found = Counter(d.change for d in self.decisions)
        return {change: found[change] for change in Change}

    @property
    def saved(self) -> float:
        """Money that the other settings would have saved, open differences at their marks."""
        return sum(name.saved for name in self.names)

    @property
    def cost(self) -> float:
        """Money that they would have cost: gains forgone, and losses that were not made."""
        return sum(name.cost for name in self.names)

    @property
    def fees_spared(self) -> float:
        """Fees that would not have been paid; below 0 more would have been."""
        return self.was.fees - self.would.fees

    def outcomes(self, *, replayed: bool) -> dict[str, int]:
        """Decisions by outcome, as they were or in the replay."""
        found = Counter(d.outcome if replayed else d.outcome_was for d in self.decisions)
        return {outcome: found[outcome] for outcome in OUTCOMES}

    @property
    def by_code(self) -> tuple[CodeCount, ...]:
        """What each limit did otherwise, the most frequent first."""
        grouped: dict[str, list[Redecided]] = {}
        for decision in self.differing:
            if decision.change is not Change.HELD:
                grouped.setdefault(decision.reason, []).append(decision)
        rows = [_counted(code, found) for code, found in grouped.items()]
        return tuple(sorted(rows, key=lambda row: (-len(grouped[row.code]), row.code)))

    @property
    def sentences(self) -> tuple[str, ...]:
        """The result in plain words."""
        return (_of_decisions(self), _of_money(self), *self.notes)


def _outcome(size: float, code: str) -> str:
    if size <= 0.0:
        return "refused"
    return "cut" if code else "approved"


def _counted(code: str, found: list[Redecided]) -> CodeCount:
    kinds = Counter(d.change for d in found)
    return CodeCount(
        code,
        kinds[Change.STOPPED],
        kinds[Change.CUT],
        kinds[Change.ALLOWED],
        kinds[Change.RAISED],
        sum(max(0.0, d.was - d.would_be) for d in found),
        sum(max(0.0, d.would_be - d.was) for d in found),
    )


def _of_decisions(found: Comparison) -> str:
    """How many decisions differ, and in which way."""
    words = {
        Change.STOPPED: "stopped",
        Change.CUT: "cut",
        Change.ALLOWED: "allowed though refused then",
        Change.RAISED: "allowed in a larger size",
        Change.HELD: "closing what is held, of which there would have been less or more",
    }
    counts = found.changes
    parts = [f"{counts[change]:,} {said}" for change, said in words.items() if counts[change]]
    total = f"{len(found.decisions):,} {'request' if len(found.decisions) == 1 else 'requests'}"
    if not parts:
        return f"Of {total} every one would have been decided as it was."
    return f"Of {total} {len(found.differing):,} would have differed: {', '.join(parts)}."


def _of_money(found: Comparison) -> str:
    """What that would have saved and cost."""
    difference = found.would.profit - found.was.profit
    if not found.names and abs(difference) < CENT:
        what = "It would have earned" if found.differing else "What was held would have been"
        return f"{what} the same: nothing saved, nothing lost."
    net = f"{abs(difference):,.2f} {found.currency} {'more' if difference >= 0.0 else 'less'}"
    other = difference - (found.saved - found.cost)
    cash = f", {other:+,.2f} of it cash that moves no position" if abs(other) >= CENT else ""
    return (
        f"Holding otherwise would have saved {found.saved:,.2f} {found.currency} where it did better, and "
        f"cost {found.cost:,.2f} where it did worse: {net} in all{cash}."
    )
