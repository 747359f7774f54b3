"""The part of the demo's screen that counts alerts and what was done: how grave, how often, how long."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, TypeVar

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from risk_management.demo.records import AlertCourse, MeasureCourse, PeriodResult
from risk_management.demo.words import MEASURES

__all__ = ["alerts_part"]

GRAVITY: Final = ("emergency", "critical", "warning", "info")
STYLES: Final = {"emergency": "bold red", "critical": "red", "warning": "yellow", "info": "dim"}
MOST: Final = 8
"""Alerts that get a line of their own."""
T = TypeVar("T", AlertCourse, MeasureCourse)


def alerts_part(result: PeriodResult) -> RenderableType:
    """Alerts of a period and what was done in it; each name once, the gravest first."""
    return Group(_counts(result.alerts), *_alerts(result.alerts), *_measures(result.measures))


def _counts(alerts: Sequence[AlertCourse]) -> Text:
    """By severity and by type."""
    said = Text.assemble(("Alerts", "bold"), f"  {len(alerts):,} began")
    if not alerts:
        return said.append(".")
    severities = Counter(alert.severity for alert in alerts)
    parts = [f"{severities[one]:,} {one}" for one in GRAVITY if severities[one]]
    types = Counter(alert.alert_type.replace("_", " ") for alert in alerts).most_common()
    lasting = sum(not alert.is_over for alert in alerts)
    said.append(f": {', '.join(parts)}; of {', '.join(f'{name} {count:,}' for name, count in types)}. ")
    return said.append(f"{lasting:,} still stood at the end.")


def _alerts(alerts: Sequence[AlertCourse]) -> Iterator[RenderableType]:
    grouped = sorted(
        _grouped(alerts, lambda one: f"{one.severity} {one.rule_id}").values(),
        key=lambda same: (GRAVITY.index(same[0].severity), same[0].day),
    )
    if not grouped:
        return
    table = _table("first on", "", "alert, as first told", "times", "days")
    for same in grouped[:MOST]:
        first = same[0]
        severity = Text(first.severity, style=STYLES[first.severity])
        table.add_row(first.day, severity, _first_sentence(first.message), f"{len(same):,}", _days(same))
    yield table
    left = grouped[MOST:]
    if left:
        told = sum(map(len, left))
        yield Text(f"  and {len(left)} milder ones, {told:,} times: see --json", style="dim")


def _measures(measures: Sequence[MeasureCourse]) -> Iterator[RenderableType]:
    yield Text.assemble(("What held", "bold"), "  days are those at whose end it stood")
    if not measures:
        yield Text("nothing")
        return
    table = _table("first on", "", "what it does", "times", "days")
    for same in _grouped(measures, lambda one: one.name).values():
        first = same[0]
        did = MEASURES.get(first.did, first.did)
        table.add_row(first.day, first.name, did, f"{len(same):,}", _days(same))
    yield table


def _grouped(found: Iterable[T], name: Callable[[T], str]) -> Mapping[str, list[T]]:
    """Those of one name together, in the order of their first day."""
    grouped: dict[str, list[T]] = {}
    for one in found:
        grouped.setdefault(name(one), []).append(one)
    return grouped


def _first_sentence(message: str) -> str:
    """Without what the alert says besides: what was done and can be done."""
    return message.split(". ", 1)[0].rstrip(".")


def _days(same: Sequence[AlertCourse | MeasureCourse]) -> str:
    """All days together; a + says that it still stood at the end."""
    return f"{sum(one.days for one in same):,}{'' if same[-1].is_over else '+'}"


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    for place, column in enumerate(columns):
        table.add_column(
            column,
            justify="right" if place > 2 else "left",
            no_wrap=place != 2,
            overflow="fold",
            style="dim" if place == 0 else "",
        )
    return table
