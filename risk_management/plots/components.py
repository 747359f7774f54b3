"""Which names make the VaR: components that sum to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import plotly.graph_objects as go

from risk_management.errors import InvalidRequest
from risk_management.model.explain import amount
from risk_management.plots.rows import PITCH, Row, bars, row_axis, words
from risk_management.plots.theme import Theme, empty, escaped, finished, theme_of

__all__ = ["var_components_figure"]

GROUPINGS: Final = ("symbol", "strategy", "bot", "sector")
MOST: Final = 16


def var_components_figure(view: Mapping[str, Any], *, theme: str = "dark", by: str = "symbol") -> go.Figure:
    """Bars of component VaR; a diversifier stands left of zero.

    Parameters
    ----------
    view : Mapping
        The view ``var``.
    theme : str
        ``dark`` or ``light``.
    by : {'symbol', 'strategy', 'bot', 'sector'}
    """
    look = theme_of(theme)
    if by not in GROUPINGS:
        raise InvalidRequest("UNKNOWN_GROUP", "by", f"components are by {', '.join(GROUPINGS)}; got {by!r}")
    parts = [part for part in view["components"][by] if part["component_var"] is not None]
    if not parts:
        return empty(look, view, finding="No VaR to split", why="Nothing with a VaR is held.")
    shown = parts if len(parts) <= MOST else _outermost(parts)
    rows = [_row(part, view["currency"], look) for part in shown]
    made = go.Figure()
    bars(made, rows)
    words(made, rows, look)
    low, high = min(0.0, *(row.value for row in rows)), max(0.0, *(row.value for row in rows))
    room = 0.04 * (high - low)
    made.add_vline(x=0.0, line={"color": look.grid, "width": 1})
    row_axis(made, len(rows), low - room * (low < 0.0), high + room, ",.2~f")
    left = len(parts) - len(shown)
    return finished(
        made,
        look,
        view,
        finding=_finding(parts, view["headline"], view["currency"]),
        units=f"Component VaR, one day, 95 %, {view['currency']}; by {by}; they sum to the whole",
        notes=[f"{left} smaller ones are not drawn."] if left else [],
        height=PITCH * len(rows) + 10,
    )


def _outermost(parts: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Those of most weight either way, in their order."""
    kept = sorted(parts, key=lambda part: -abs(part["component_var"]))[:MOST]
    return [part for part in parts if part in kept]


def _row(part: Mapping[str, Any], currency: str, theme: Theme) -> Row:
    value, share = part["component_var"], part["share"]
    of_it = "" if share is None else f" · {share:.0%}"
    said = [
        f"<b>{escaped(part['name'] or 'none named')}</b>",
        f"component of VaR {amount(value, 'money')} {currency}",
        f"exposure {amount(part['exposure'], 'money')} {currency}",
    ]
    if part["component_es"] is not None:
        said.insert(2, f"component of ES {amount(part['component_es'], 'money')} {currency}")
    if part["incremental_var"] is not None:
        said.append(f"without it VaR would be {part['incremental_var']:,.2f} {currency} lower")
    return Row(
        label=part["name"] or "none named",
        said=f"{amount(value, 'money')}{of_it}" + (", lowers it" if value < 0.0 else ""),
        value=value,
        colour=theme.accent if value >= 0.0 else theme.series[2],
        hover="<br>".join(said),
    )


def _finding(parts: list[Mapping[str, Any]], head: Mapping[str, Any], currency: str) -> str:
    first = parts[0]
    whole = (
        f"VaR of {amount(head['var_value'], 'money')} {currency}" if head["var_value"] is not None else "VaR"
    )
    share = "most" if first["share"] is None else f"{first['share']:.0%}"
    return f"{first['name'] or 'What has no name'} makes {share} of the {whole}"
