"""What was: value, drawdown, decisions by the hour, and when something was stopped or changed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from risk_management.dashboard.plain import Plain, plain
from risk_management.dashboard.snapshot import Snapshot, headline
from risk_management.model.alert import Alert, AlertState
from risk_management.model.events import AlertTold, ConfigChanged, EngineStarted, HoldReleased, HoldSet

if TYPE_CHECKING:
    from risk_management.store.reader import Entry, StoreReader

__all__ = ["DecisionTally", "days_before", "depths", "history_view"]

SATURDAY: Final = 5
MOST_DECISIONS: Final = 10_000
MOST_MARKS: Final = 200
MOST_TOLD: Final = 500
OUTCOMES: Final = ("approved", "cut", "refused")
MARKED: Final = ("HoldSet", "HoldReleased", "ConfigChanged", "EngineStarted")


@dataclass(slots=True)
class DecisionTally:
    """Decisions of a journal by the hour and by code; asked again it reads only what is new.

    Parameters
    ----------
    reader : StoreReader
    """

    reader: StoreReader
    after: int = -1
    complete: bool = True
    hours: dict[str, Counter[str]] = field(default_factory=dict)
    codes: Counter[str] = field(default_factory=Counter)
    _lock: Lock = field(default_factory=Lock)

    def read(self) -> Plain:
        """All that was decided, the oldest hour first; of a long journal the newest decisions."""
        with self._lock:
            for entry in self._new():
                self._count(entry)
            return {
                "hours": [
                    {"at": f"{hour}:00:00+00:00", **{name: counts[name] for name in OUTCOMES}}
                    for hour, counts in sorted(self.hours.items())
                ],
                "codes": dict(self.codes.most_common()),
                "complete": self.complete,
            }

    def _new(self) -> Iterable[Entry]:
        if self.after < 0:
            found = self.reader.newest(MOST_DECISIONS, kind="TradeDecided")
            self.complete = len(found) < MOST_DECISIONS
            return found
        return self.reader.of_kinds("TradeDecided", after=self.after)

    def _count(self, entry: Entry) -> None:
        # the few words that are counted: to validate a whole decision takes twenty times as long
        decision: Mapping[str, Any] = json.loads(entry.body)["decision"]
        reasons = decision["rejection_reasons"]
        outcome = "refused"
        if decision["approved"]:
            outcome = "cut" if reasons and not decision.get("shadow") else "approved"
        self.hours.setdefault(entry.at[:13], Counter())[outcome] += 1
        if reasons and outcome != "approved":
            self.codes[reasons[0]] += 1
        self.after = entry.seq


def history_view(
    seen: Snapshot,
    alerts: Iterable[Alert] = (),
    reader: StoreReader | None = None,
    decisions: Plain | None = None,
) -> Plain:
    """Daily values of the book, the tiers of its drawdown, marks, and decisions.

    Parameters
    ----------
    seen : Snapshot
    alerts : iterable of Alert
        Those that this process remembers; what is read from a journal counts instead.
    reader : StoreReader, optional
        Of the book's journal; without one stops that were released are not known.
    decisions : dict, optional
        What `DecisionTally` read; without it decisions are not known by time.
    """
    drawdown, settings = seen.state.drawdown, seen.config.drawdown_config
    told = _last_tellings(alerts if reader is None else _told(reader))
    days = days_before(drawdown.day, len(drawdown.closes), weekends=settings.trades_weekends)
    return {
        **headline(seen),
        "closes": [
            plain({"day": day, "value": value, "equity": value * drawdown.units})
            for day, value in zip(days, drawdown.closes, strict=True)
        ],
        "now": plain(
            {
                "at": seen.state.as_of,
                "value": drawdown.value,
                "equity": drawdown.value * drawdown.units,
                "drawdown": drawdown.drawdown,
                "peak": drawdown.peak,
                "peak_at": drawdown.peak_at,
                "high_water_mark": drawdown.high_water_mark,
                "days_under_water": drawdown.under_water_days,
                "multiplier": drawdown.effective_multiplier,
            }
        ),
        "tiers": [plain({"at": at, "multiplier": share}) for at, share in settings.tier_levels()],
        "liquidation": seen.config.emergency_config.liquidation_drawdown,
        "marks": _marks(seen, told, reader),
        "alerts": {
            "told": [alert.as_dict() for alert in reversed(told)],
            "active": [alert.as_dict() for alert in _active(told)],
        },
        "decisions": decisions,
        "forecasts": [plain(outcome) for outcome in seen.state.var_record.outcomes],
        "zone": seen.state.var_record.zone,
        "exceptions": seen.state.var_record.exceptions,
        "has_journal": reader is not None,
    }


def depths(closes: Iterable[tuple[str, float]], peak: float, since: str) -> list[float]:
    """Drawdown at each close, as fractions.

    Parameters
    ----------
    closes : iterable of (str, float)
        Day, and value per unit at its end; the oldest first.
    peak : float
        The present mark, from the day `since` on; closes before it are held against the highest of them.
    since : str
        A day as ``2024-03-01``.
    """
    highest, found = 0.0, []
    for day, value in closes:
        highest = max(highest, value)
        mark = peak if day > since else highest
        found.append(max(0.0, 1.0 - value / mark) if mark > 0.0 else 0.0)
    return found


def days_before(running: date, count: int, *, weekends: bool) -> list[date]:
    """The last `count` trading days before the one that runs, as the drawdown rules count them."""
    days: list[date] = []
    day = running
    while len(days) < count:
        day -= timedelta(days=1)
        if weekends or day.weekday() < SATURDAY:
            days.append(day)
    return days[::-1]


def _marks(seen: Snapshot, alerts: Iterable[Alert], reader: StoreReader | None) -> list[Plain]:
    """The newest moments to write on a time chart, oldest first."""
    found = list(_of_journal(reader)) if reader is not None else list(_standing(seen))
    for alert in alerts:
        what = {"kind": "alert", "severity": alert.severity, "text": alert.message}
        found.append(plain({"at": alert.first_at, **what}))
    return sorted(found, key=lambda mark: str(mark["at"]))[-MOST_MARKS:]


def _told(reader: StoreReader) -> list[Alert]:
    """The newest tellings of a journal, oldest first."""
    events = (reader.event(entry) for entry in reader.newest(MOST_TOLD, kind="AlertTold"))
    return [event.alert for event in events if isinstance(event, AlertTold)]


def _last_tellings(told: Iterable[Alert]) -> list[Alert]:
    """Each alert once, as it was told last: repeats would drown the others."""
    last: dict[str, Alert] = {}
    for alert in told:
        last.pop(alert.alert_id, None)
        last[alert.alert_id] = alert
    return list(last.values())


def _active(told: Iterable[Alert]) -> list[Alert]:
    """Alerts whose last telling is none of their end, the most severe first."""
    holding = [alert for alert in told if alert.state is not AlertState.RESOLVED]
    return sorted(holding, key=lambda alert: (-alert.severity.rank, alert.first_at))


def _standing(seen: Snapshot) -> Iterator[Plain]:
    """Without a journal: the holds that stand now."""
    for hold in seen.state.holds.values():
        text = f"{hold.mode} of {hold.name or 'everything'}: {hold.reason}"
        yield plain({"at": hold.since, "kind": "stop", "text": text})


def _of_journal(reader: StoreReader) -> Iterator[Plain]:
    for entry in reader.of_kinds(*MARKED):
        event = reader.event(entry)
        if isinstance(event, HoldSet):
            hold = event.hold
            text = f"{hold.mode} of {hold.name or 'everything'}: {hold.reason}"
            yield plain({"at": event.at, "kind": "stop", "text": text})
        elif isinstance(event, HoldReleased):
            text = f"{event.cause} of {event.name or 'everything'} released: {event.reason}"
            yield plain({"at": event.at, "kind": "release", "text": text})
        elif isinstance(event, ConfigChanged):
            yield plain({"at": event.at, "kind": "settings", "text": f"settings {event.digest}"})
        elif isinstance(event, EngineStarted):
            yield plain({"at": event.at, "kind": "start", "text": f"started on {event.host}"})
