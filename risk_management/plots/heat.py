"""Heat: open risk over its budget, and which clusters make it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import plotly.graph_objects as go

from risk_management.model.explain import amount
from risk_management.plots.rows import PITCH, Row, bars, row_axis, words
from risk_management.plots.theme import Theme, empty, escaped, finished, theme_of

__all__ = ["heat_figure"]

NAMED: Final = 4
LONGEST: Final = 140.0


def heat_figure(view: Mapping[str, Any], *, theme: str = "dark") -> go.Figure:
    """The heat as a bar against its thresholds, and the points that each cluster adds to it.

    Parameters
    ----------
    view : Mapping
        The view ``heat``.
    theme : str
        ``dark`` or ``light``.
    """
    look = theme_of(theme)
    raw = view["raw_heat"]
    if not view["clusters"] or raw is None:
        return empty(
            look, view, finding="Heat 0 of 100", why="Nothing is at risk: there is no open position."
        )
    rows = [_whole(view, look), *(_cluster(one, view["currency"], look) for one in view["clusters"])]
    made = go.Figure()
    _zones(made, view, look)
    bars(made, rows)
    words(made, rows, look)
    row_axis(made, len(rows), 0.0, max(104.0, min(LONGEST, 1.04 * raw)))
    made.update_layout(barmode="overlay")
    risk, budget = amount(view["open_risk"], "money"), amount(view["risk_budget"], "money")
    return finished(
        made,
        look,
        view,
        finding=f"Heat {raw:.0f} of 100: {risk} at risk of a budget of {budget} {view['currency']}",
        units=f"Points of heat; warning at {view['warning_heat']:g}, critical at {view['critical_heat']:g}",
        notes=_notes(view),
        height=PITCH * len(rows) + 10,
    )


def _whole(view: Mapping[str, Any], theme: Theme) -> Row:
    raw = float(view["raw_heat"])
    level = {"normal": "ok", "warning": "warning"}.get(view["level"], "critical")
    said = f"{raw:.1f}" + ("" if level == "ok" else f", {view['level']}")
    hover = f"<b>heat {raw:.1f}</b><br>open risk {amount(view['open_risk'], 'money')} {view['currency']}"
    return Row("the whole book", said, min(raw, LONGEST), theme.level(level), hover)


def _cluster(one: Mapping[str, Any], currency: str, theme: Theme) -> Row:
    symbols = one["symbols"]
    name = ", ".join(symbols[:NAMED]) + (f" and {len(symbols) - NAMED} more" if len(symbols) > NAMED else "")
    risk = f"{amount(one['risk'], 'money')} {currency}"
    hover = f"<b>{escaped(', '.join(symbols))}</b><br>open risk {risk}<br>{one['points']:.1f} points of heat"
    return Row(name, f"{one['points']:.1f} points", min(one["points"], LONGEST), theme.accent, hover)


def _zones(made: go.Figure, view: Mapping[str, Any], theme: Theme) -> None:
    """Where the warning and the critical zone of the book's own bar begin."""
    bounds = (0.0, view["warning_heat"], view["critical_heat"], 100.0)
    for low, high, opacity in zip(bounds, bounds[1:], (0.45, 0.75, 1.0), strict=False):
        made.add_bar(
            orientation="h",
            x=[high - low],
            y=[0],
            base=[low],
            width=0.26,
            marker={"color": theme.track, "opacity": opacity, "line": {"width": 0}},
            hoverinfo="skip",
            showlegend=False,
        )


def _notes(view: Mapping[str, Any]) -> list[str]:
    notes = ["Risks add inside a cluster and in squares across clusters; the points of all sum to the heat."]
    if view["unverified_stops"]:
        notes.append(f"Stops not known to stand at the broker: {', '.join(view['unverified_stops'])}.")
    return notes
