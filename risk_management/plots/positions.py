"""The positions as areas: their size is the open risk, their colour the profit or loss."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final

import plotly.graph_objects as go

from risk_management.errors import InvalidRequest
from risk_management.model.explain import amount
from risk_management.plots.theme import Theme, empty, escaped, finished, theme_of

__all__ = ["GROUPINGS", "positions_figure"]

GROUPINGS: Final = ("sector", "strategy", "bot")
ROOT: Final = "book"
LEAST_SCALE: Final = 0.01
"""The colour scale spans at least this return: a book at its entry prices isn't all red or blue."""


def positions_figure(view: Mapping[str, Any], *, theme: str = "dark", by: str = "sector") -> go.Figure:
    """Treemap of the positions; a click opens a group.

    Parameters
    ----------
    view : Mapping
        The view ``heatmap``.
    theme : str
        ``dark`` or ``light``.
    by : {'sector', 'strategy', 'bot'}
        What the positions are grouped by.
    """
    look = theme_of(theme)
    if by not in GROUPINGS:
        raise InvalidRequest("UNKNOWN_GROUP", "by", f"positions group by {', '.join(GROUPINGS)}; got {by!r}")
    rows = [row for row in view["positions"] if row["risk"] > 0.0]
    if not rows:
        return empty(look, view, finding="Nothing is held", why="There is no position with a risk to draw.")
    made = go.Figure(_treemap(rows, by, view["currency"], look))
    made.update_layout(uniformtext={"minsize": 10, "mode": "hide"})
    return finished(
        made,
        look,
        view,
        finding=_finding(view["positions"]),
        units=f"Area: open risk in {view['currency']} by {by}; colour: blue for a profit, orange for a loss",
        height=380,
    )


def _treemap(rows: list[Mapping[str, Any]], by: str, currency: str, theme: Theme) -> go.Treemap:
    groups: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        groups[row[by] or f"no {by}"].append(row)
    ids, labels, parents, values, colours, texts, hovers = (
        [ROOT],
        ["the book"],
        [""],
        [_risk(rows)],
        [0.0],
        [""],
        [""],
    )
    count = Counter(row["symbol"] for row in rows)
    hovers[0] = f"<b>the book</b><br>{_sums(rows, currency)}"
    for name, members in sorted(groups.items(), key=lambda item: -_risk(item[1])):
        ids.append(f"{by}/{name}")
        labels.append(escaped(name))
        parents.append(ROOT)
        values.append(_risk(members))
        colours.append(_return(members))
        texts.append("")
        hovers.append(f"<b>{escaped(name)}</b><br>{_sums(members, currency)}")
        for place, row in enumerate(members):
            ids.append(f"{by}/{name}/{place}")
            # two owners of one name are told apart
            owner = row["bot"] if count[row["symbol"]] > 1 else ""
            labels.append(escaped(f"{row['symbol']} · {owner}" if owner else row["symbol"]))
            parents.append(f"{by}/{name}")
            values.append(row["risk"])
            colours.append(row["pnl_pct"] or 0.0)
            texts.append(_signed(row["pnl_pct"]))
            hovers.append(_hover(row, currency))
    most = max(LEAST_SCALE, *(abs(colour) for colour in colours))
    return go.Treemap(
        ids=ids,
        labels=labels,
        parents=parents,
        values=values,
        branchvalues="total",
        text=texts,
        texttemplate="<b>%{label}</b><br>%{text}",
        hovertext=hovers,
        hovertemplate="%{hovertext}<extra></extra>",
        marker={
            "showscale": False,
            "colors": colours,
            "colorscale": theme.diverging(),
            "cmin": -most,
            "cmid": 0.0,
            "cmax": most,
            "line": {"width": 2, "color": theme.paper},
            "pad": {"t": 22, "l": 2, "r": 2, "b": 2},
        },
        tiling={"pad": 2},
        pathbar={"visible": True, "thickness": 22},
        root={"color": theme.track},
    )


def _risk(rows: Iterable[Mapping[str, Any]]) -> float:
    return float(sum(row["risk"] for row in rows))


def _return(rows: Iterable[Mapping[str, Any]]) -> float:
    """Profit of several positions over what was paid for them."""
    members = list(rows)
    paid = sum(abs(row["value"] - row["pnl"]) for row in members)
    return float(sum(row["pnl"] for row in members) / paid) if paid else 0.0


def _sums(rows: list[Mapping[str, Any]], currency: str) -> str:
    value, profit = sum(row["value"] for row in rows), sum(row["pnl"] for row in rows)
    return (
        f"open risk of all, each alone: {amount(_risk(rows), 'money')} {currency}<br>"
        f"net value {amount(value, 'money')} {currency}<br>P&amp;L {profit:+,.2f} {currency}"
    )


def _hover(row: Mapping[str, Any], currency: str) -> str:
    stop = "no stop" if not row["has_stop"] else ("stop" if row["stop_verified"] else "stop, not verified")
    said = [
        f"<b>{escaped(row['symbol'])}</b>, {row['side']}",
        f"value {amount(row['value'], 'money')} {currency}"
        + ("" if row["weight"] is None else f", {row['weight']:.1%} of equity"),
        f"open risk {amount(row['risk'], 'money')} {currency}, {stop}",
        f"P&amp;L {row['pnl']:+,.2f} {currency}, {_signed(row['pnl_pct'])}",
        escaped(f"{row['sector']} · {row['strategy'] or 'no strategy'} · {row['bot']}"),
    ]
    if row["price"] is None:
        said.append("no quote yet: valued at its entry price")
    return "<br>".join(said)


def _signed(share: float | None) -> str:
    return "" if share is None else f"{share:+.1%}"


def _finding(rows: list[Mapping[str, Any]]) -> str:
    first = max(rows, key=lambda row: float(row["risk"]))
    whole = _risk(rows)
    count = "1 position" if len(rows) == 1 else f"{len(rows)} positions"
    return f"{count}; {first['symbol']} carries {first['risk'] / whole:.0%} of the risk"
