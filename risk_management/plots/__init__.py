"""The figures: plain data in, a Plotly figure out; the same in a notebook, the report and the page.

`figure("limits", manager)` draws one by its name. What a figure shows is a view of the dashboard, so it can't
say anything else than the API does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from risk_management.errors import InvalidRequest
from risk_management.plots.limits import limits_figure
from risk_management.plots.theme import CONFIG, bare

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["CONFIG", "FIGURES", "Plot", "Views", "bare", "figure", "names"]


class Views(Protocol):
    """Whoever has the views by name, such as `RiskDashboardAPI`."""

    def view(self, name: str) -> Mapping[str, Any]:
        """A view as plain data."""
        ...


@dataclass(frozen=True, slots=True)
class Plot:
    """A figure that can be asked for.

    Parameters
    ----------
    title : str
        What it is about; its finding is in the figure itself.
    view : str
        The view that it reads.
    draw : callable
        ``draw(view, theme="dark")``.
    """

    title: str
    view: str
    draw: Callable[..., go.Figure]


FIGURES: Final[Mapping[str, Plot]] = {
    "limits": Plot("Headroom of every limit", "metrics", limits_figure),
}
"""By name, in the order in which a page shows them."""


def names() -> tuple[str, ...]:
    """The figures that there are."""
    return tuple(FIGURES)


def figure(name: str, views: Views, *, theme: str = "dark") -> go.Figure:
    """A figure by its name.

    Parameters
    ----------
    name : str
        One of `names()`.
    views : Views
        Such as `RiskDashboardAPI(manager)`; only the view that the figure reads is asked for.
    theme : str
        ``dark`` or ``light``.

    Raises
    ------
    InvalidRequest
        ``UNKNOWN_FIGURE`` or ``UNKNOWN_THEME``.
    """
    plot = FIGURES.get(name)
    if plot is None:
        raise InvalidRequest(
            "UNKNOWN_FIGURE", "name", f"no figure is called {name!r}; there are {', '.join(FIGURES)}"
        )
    return plot.draw(views.view(plot.view), theme=theme)
