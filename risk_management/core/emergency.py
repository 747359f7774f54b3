"""Emergency protocols as data: rows of metric, threshold and action, and what they remember."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from math import isnan
from types import MappingProxyType

from risk_management.model.emergency import EmergencyMemory, RowCount
from risk_management.model.portfolio import Scope

__all__ = ["EmergencyAction", "EmergencyRow", "Step", "step"]


class EmergencyAction(StrEnum):
    """What a row does."""

    WARN = "warn"
    SCALE_DOWN = "scale_down"
    """Sizes and single limits are multiplied by the row's amount while it holds."""
    CANCEL_OPEN_ORDERS = "cancel_open_orders"
    """Approved entries are cancelled; what protects a position stays."""
    REDUCE_CLUSTER = "reduce_cluster"
    """The largest cluster is cut to the row's amount, cheapest positions first."""
    HALT_NEW_RISK = "halt_new_risk"
    """Nothing that increases VaR is approved."""
    REDUCE_ONLY = "reduce_only"
    """The mode is REDUCING while the row holds."""
    REDUCE_CORRELATED = "reduce_correlated"
    """The smaller contributor of the pair that spikes is cut."""
    TRIM = "trim"
    """The largest marginal contributors are cut until the book is back at its target."""
    HALT = "halt"
    """All trading stops until a named person releases it."""
    LIQUIDATE = "liquidate"
    """Everything is closed, then all trading stops."""


@dataclass(frozen=True, slots=True)
class EmergencyRow:
    """One protocol.

    Parameters
    ----------
    name : str
    metric : str
        A word of the vocabulary.
    threshold : float
        The row holds while the metric is at or above it.
    action : EmergencyAction
    confirmations : int
        Fresh assessments in a row, or trading days where `by_day`.
    release : float or None
        The row ends below this, by default below `threshold`.
    release_after : int
        Assessments or trading days in a row below `release`.
    by_day : bool
        Count trading days instead of assessments.
    once_a_day : bool
        Once it acted, it waits for the next trading day.
    scope : Scope
        What is measured and acted on.
    subject : str
        Name of the strategy, bot or symbol; empty: each of them.
    cooldown : float
        Seconds after it acted in which it does not act again.
    amount : float or None
        Multiplier of ``scale_down``; else the fraction of equity that ``trim`` and ``reduce_cluster`` cut to.
    """

    name: str
    metric: str
    threshold: float
    action: EmergencyAction
    confirmations: int = 1
    release: float | None = None
    release_after: int = 1
    by_day: bool = False
    once_a_day: bool = False
    scope: Scope = Scope.PORTFOLIO
    subject: str = ""
    cooldown: float = 0.0
    amount: float | None = None

    @property
    def word(self) -> str:
        """What its metric goes by."""
        if self.scope is Scope.PORTFOLIO:
            return self.metric
        return f"{self.metric} of {self.scope.value} {self.subject}"


@dataclass(frozen=True, slots=True)
class Step:
    """What an assessment did to the rows.

    Parameters
    ----------
    memory : EmergencyMemory
    acting : tuple of EmergencyRow
        Rows that are confirmed and act now.
    pending : tuple of EmergencyRow
        Rows above their threshold that still wait for confirmations.
    released : tuple of EmergencyRow
        Rows that held and hold no more.
    cleared : tuple of EmergencyRow
        Rows that waited for confirmations and were not confirmed.
    """

    memory: EmergencyMemory
    acting: tuple[EmergencyRow, ...]
    pending: tuple[EmergencyRow, ...]
    released: tuple[EmergencyRow, ...]
    cleared: tuple[EmergencyRow, ...] = ()


def step(
    rows: Iterable[EmergencyRow],
    metrics: Mapping[str, float],
    memory: EmergencyMemory,
    day: date,
    *,
    confirmed: bool = False,
    is_fresh: bool = True,
    now: datetime | None = None,
) -> Step:
    """Hold the rows against fresh metrics. A metric that is missing or NaN moves no row.

    Parameters
    ----------
    rows : iterable of EmergencyRow
    metrics : Mapping of str to float
    memory : EmergencyMemory
    day : date
        Trading day of the metrics.
    confirmed : bool
        One assessment is enough: the data are daily bars that passed quarantine.
    is_fresh : bool
        Whether prices or cash came since the last call; the same ones again confirm nothing.
    now : datetime, optional
        Moment by which cool-downs are counted.
    """
    counts = dict(memory.counts)
    acting, pending, released, cleared = [], [], [], []
    for row in rows:
        value = metrics.get(row.word, float("nan"))
        if isnan(value):
            continue
        before = counts.get(row.name, RowCount())
        if not is_fresh and row.confirmations > 1 and not row.by_day and not before.active:
            if before.above:
                pending.append(row)
            continue
        after = _counted(row, value, before, day)
        needed = 1 if confirmed and not row.by_day else row.confirmations
        if after.above >= needed:
            if _cools_down(row, before, now):
                after = RowCount(after.above, 0, day, before.active, before.acted, before.acted_at)
            else:
                if not (row.once_a_day and after.acted == day):
                    acting.append(row)
                since = now if row.cooldown else None
                after = RowCount(after.above, 0, day, active=True, acted=day, acted_at=since)
        elif after.above:
            pending.append(row)
        elif after.active and after.below >= row.release_after:
            released.append(row)
            after = RowCount(0, after.below, day, acted_at=before.acted_at)
        elif before.above and not after.active:
            cleared.append(row)
        counts[row.name] = after
    memory = EmergencyMemory(MappingProxyType(counts))
    return Step(memory, tuple(acting), tuple(pending), tuple(released), tuple(cleared))


def _cools_down(row: EmergencyRow, before: RowCount, now: datetime | None) -> bool:
    if not row.cooldown or before.acted_at is None or now is None:
        return False
    return (now - before.acted_at).total_seconds() < row.cooldown


def _counted(row: EmergencyRow, value: float, before: RowCount, day: date) -> RowCount:
    is_above = value >= row.threshold - 1e-9
    release = row.threshold if row.release is None else row.release
    is_below = not is_above and value < release
    if row.by_day and before.day == day:
        # a day that was counted already may still turn: it counts for the side it is on now
        above = max(1, before.above) if is_above else 0
        below = max(1, before.below) if is_below else 0
    else:
        above = before.above + 1 if is_above else 0
        below = before.below + 1 if is_below else 0
    # more than what is needed says nothing new, and is no news to keep
    above, below = min(above, row.confirmations), min(below, row.release_after)
    return RowCount(above, below, day, before.active, before.acted, before.acted_at)
