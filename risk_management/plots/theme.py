"""How every figure looks: two themes, colours that the colour-blind tell apart, and one way to finish one."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import plotly.graph_objects as go

from risk_management.errors import InvalidRequest

__all__ = ["CONFIG", "DARK", "LIGHT", "Theme", "bare", "empty", "finished", "theme_of"]

CONFIG: Final[dict[str, Any]] = {
    "displaylogo": False,
    "showSendToCloud": False,
    "responsive": True,
    "displayModeBar": False,
}
"""How plotly.js shows a figure: no logo, and no button that posts the book to a third party."""

FAMILY: Final = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'DejaVu Sans', sans-serif"
TITLE_WIDTH: Final = 37
"""Characters of a line of the title: it is whole on a phone of 390 pixels."""
CAPTION_WIDTH: Final = 54
EDGE: Final = 16
"""Free room at the sides, in pixels."""
LEGEND: Final = 40
"""Room for a row of names over the plot."""


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours by what they say. Those of data are from Okabe and Ito's palette, in both themes.

    Parameters
    ----------
    name : str
    ink, muted, grid, track, paper : str
        Text, quiet text, lines of a grid, the ground of a bar, and the sheet.
    accent : str
        The one colour of what is simply so.
    good, warning, bad : str
        A profit; from 80 % of a limit on; a loss, or a limit that is passed. Never told by colour alone.
    series : tuple of str
        For lines that stand side by side.

    References
    ----------
    Okabe, Ito (2008), Color Universal Design.
    """

    name: str
    ink: str
    muted: str
    grid: str
    track: str
    paper: str
    accent: str
    good: str
    warning: str
    bad: str
    series: tuple[str, ...]

    def level(self, level: str) -> str:
        """Colour of a limit's level: ``ok``, ``warning``, ``critical``, ``breached`` or ``full``."""
        return {"warning": self.warning, "critical": self.bad, "breached": self.bad}.get(level, self.accent)

    def diverging(self) -> list[list[Any]]:
        """From losses over nothing to gains, as a colour scale."""
        return [[0.0, self.bad], [0.5, self.track], [1.0, self.good]]


DARK: Final = Theme(
    name="dark",
    ink="#E8EAED",
    muted="#A3ABB5",
    grid="#2B313A",
    track="#2F363F",
    paper="#14181D",
    accent="#56B4E9",
    good="#56B4E9",
    warning="#E69F00",
    bad="#E8703A",
    series=("#56B4E9", "#E69F00", "#3CC29A", "#CC79A7", "#F0E442", "#E8703A", "#8FA3B8"),
)
LIGHT: Final = Theme(
    name="light",
    ink="#1A1E23",
    muted="#59636E",
    grid="#E4E8EC",
    track="#E6EAEE",
    paper="#FFFFFF",
    accent="#0072B2",
    good="#0072B2",
    warning="#C98500",
    bad="#D55E00",
    series=("#0072B2", "#C98500", "#009E73", "#B0528A", "#7A6A00", "#D55E00", "#59636E"),
)
THEMES: Final = {"dark": DARK, "light": LIGHT}


def theme_of(name: str) -> Theme:
    """The theme of a name.

    Raises
    ------
    InvalidRequest
        There is none; the known ones are named.
    """
    found = THEMES.get(name)
    if found is None:
        raise InvalidRequest("UNKNOWN_THEME", "theme", f"no theme is called {name!r}; write dark or light")
    return found


def template(theme: Theme) -> go.layout.Template:
    """Fonts, grid and spacing of a theme."""
    axis = {
        "gridcolor": theme.grid,
        "zeroline": False,
        "linecolor": theme.grid,
        "tickfont": {"color": theme.muted, "size": 11},
        "title": {"font": {"color": theme.muted, "size": 12}, "standoff": 8},
        "automargin": False,  # its room is fixed, so that words under the figure begin at one edge
    }
    return go.layout.Template(
        layout={
            "font": {"family": FAMILY, "size": 12, "color": theme.ink},
            "paper_bgcolor": theme.paper,
            "plot_bgcolor": theme.paper,
            "colorway": list(theme.series),
            "xaxis": axis,
            "yaxis": axis,
            "hoverlabel": {
                "bgcolor": theme.paper,
                "bordercolor": theme.muted,
                "font": {"family": FAMILY, "size": 12, "color": theme.ink},
                "align": "left",
            },
            "legend": {
                "orientation": "h",
                "x": 0.0,
                "xanchor": "left",
                "y": 1.0,
                "yanchor": "bottom",
                "font": {"color": theme.muted, "size": 11},
                "bgcolor": "rgba(0,0,0,0)",
            },
            "bargap": 0.3,
        }
    )


def finished(  # noqa: PLR0913 - what a figure is made of
    made: go.Figure,
    theme: Theme,
    view: Mapping[str, Any],
    *,
    finding: str,
    units: str,
    notes: Iterable[str] = (),
    height: int = 320,
    left: int = EDGE,
    legend: bool = False,
) -> go.Figure:
    """The figure with its title, its units and what it leans on.

    Parameters
    ----------
    made : Figure
        With its traces.
    theme : Theme
    view : Mapping
        Where the figure's numbers come from; what they lean on is said under it.
    finding : str
        The title: what the figure shows, with its number.
    units : str
        What is measured, and in which unit; under the title.
    notes : iterable of str
        Further sentences for under the figure.
    height : int
        Of the plot alone, in pixels.
    left : int
        Room for the words of the vertical axis, in pixels.
    legend : bool
        Whether a row of names stands over the plot.

    Returns
    -------
    Figure
        Its `layout.meta` repeats title, units and notes, for a page that writes them itself; see `bare`.
    """
    said = [*notes, *leaning(view)]
    title = textwrap.wrap(finding, TITLE_WIDTH) or [""]
    under = textwrap.wrap(units, CAPTION_WIDTH) or [""]
    caption = [line for text in said for line in textwrap.wrap(text, CAPTION_WIDTH)]
    top = 20 + 21 * len(title) + 17 * len(under) + 10 + LEGEND * legend
    bottom = 44 + (16 + 15 * len(caption) if caption else 0)
    made.update_layout(
        template=template(theme),
        title={
            "text": "<br>".join(map(escaped, title)),
            "subtitle": {
                "text": "<br>".join(map(escaped, under)),
                "font": {"size": 12, "color": theme.muted},
            },
            "font": {"size": 15, "color": theme.ink, "weight": 600},
            "x": 0.0,
            "xanchor": "left",
            "xref": "container",
            "y": 1.0 - 24.0 / (top + height + bottom),
            "yanchor": "top",
            "yref": "container",
            "pad": {"l": EDGE},
        },
        margin={"t": top, "b": bottom, "l": left, "r": EDGE, "pad": 0},
        height=top + height + bottom,
        showlegend=legend,
        meta={
            "finding": finding,
            "units": units,
            "notes": said,
            "plot_height": height,
            "left": left,
            "legend": legend,
        },
    )
    if caption:
        made.add_annotation(
            name="caption",
            text="<br>".join(map(escaped, caption)),
            xref="paper",
            yref="paper",
            x=0.0,
            y=0.0,
            xanchor="left",
            yanchor="top",
            xshift=EDGE - left,
            yshift=-40,
            align="left",
            showarrow=False,
            font={"size": 11, "color": theme.muted},
        )
    return made


def bare(made: go.Figure) -> go.Figure:
    """A copy without title, caption and sheet, for a page that writes what `layout.meta` says itself."""
    content = made.to_plotly_json()
    layout: dict[str, Any] = content["layout"]
    meta = layout["meta"]
    top = 10 + LEGEND * bool(meta["legend"])
    layout.pop("title")
    layout["annotations"] = [a for a in layout.get("annotations", ()) if a.get("name") != "caption"]
    layout["margin"] = {"t": top, "b": 44, "l": max(10, meta["left"] - EDGE + 10), "r": 10, "pad": 0}
    layout["height"] = top + meta["plot_height"] + 44
    layout["paper_bgcolor"] = layout["plot_bgcolor"] = "rgba(0,0,0,0)"
    return go.Figure(content, _validate=False)  # it was valid before


def empty(theme: Theme, view: Mapping[str, Any], *, finding: str, why: str) -> go.Figure:
    """What stands in a figure's place while there is nothing to draw: the reason."""
    made = go.Figure()
    made.update_xaxes(visible=False, range=[0, 1], fixedrange=True)
    made.update_yaxes(visible=False, range=[0, 1], fixedrange=True)
    lines = textwrap.wrap(why, CAPTION_WIDTH - 12)
    made.add_annotation(
        text="<br>".join(map(escaped, lines)),
        x=0.0,
        y=0.5,
        xanchor="left",
        xref="paper",
        align="left",
        showarrow=False,
        font={"size": 13, "color": theme.muted},
    )
    return finished(made, theme, view, finding=finding, units="", height=40 + 20 * len(lines))


def leaning(view: Mapping[str, Any]) -> Sequence[str]:
    """What the numbers of a view lean on, as one sentence; nothing where they lean on nothing."""
    said = view.get("data", {}).get("leans_on", ())
    if not said:
        return ()
    return ("Leans on: " + "; ".join(str(text).rstrip(".") for text in said) + ".",)


def escaped(text: str) -> str:
    """Text of a user, as plotly.js shall write it: no tag of it counts."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
