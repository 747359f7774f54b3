"""The figures: plain data in, a Plotly figure out; the same in a notebook, the report and the page.

`figure("limits", manager)` draws one by its name. What a figure shows is a view of the dashboard, so it can't
say anything else than the API does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from risk_management.errors import InvalidRequest
from risk_management.plots.backtest import var_backtest_figure
from risk_management.plots.bots import bots_figure
from risk_management.plots.components import var_components_figure
from risk_management.plots.correlation import correlation_figure
from risk_management.plots.decisions import decisions_figure
from risk_management.plots.distribution import distribution_figure
from risk_management.plots.drawdown import drawdown_figure
from risk_management.plots.equity import equity_figure
from risk_management.plots.heat import heat_figure
from risk_management.plots.limits import limits_figure
from risk_management.plots.pair import pair_figure
from risk_management.plots.positions import positions_figure
from risk_management.plots.reverse_stress import reverse_stress_figure
from risk_management.plots.stress import stress_figure
from risk_management.plots.theme import CONFIG, bare
from risk_management.plots.var_methods import var_methods_figure

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["CONFIG", "FIGURES", "Plot", "Views", "bare", "figure", "names", "pair_figure"]


class Views(Protocol):
    """Whoever has the views by name, such as `RiskDashboardAPI`."""

    def view(self, name: str, version: int | None = None) -> Mapping[str, Any]:
        """A view as plain data; of the state of that version where it is still at hand, else of now."""
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
    "positions": Plot("Positions by risk and result", "heatmap", positions_figure),
    "heat": Plot("Heat by cluster", "heat", heat_figure),
    "correlation": Plot("Correlations and clusters", "correlation", correlation_figure),
    "var_methods": Plot("VaR by method", "var", var_methods_figure),
    "distribution": Plot("Results of one day", "distribution", distribution_figure),
    "var_components": Plot("What VaR is made of", "var", var_components_figure),
    "var_backtest": Plot("VaR held against what came", "backtest", var_backtest_figure),
    "stress": Plot("Stress scenarios", "stress", stress_figure),
    "reverse_stress": Plot("What breaks the book", "reverse_stress", reverse_stress_figure),
    "drawdown": Plot("Under water", "history", drawdown_figure),
    "equity": Plot("Equity", "history", equity_figure),
    "bots": Plot("Budget and Kelly of every bot", "bots", bots_figure),
    "decisions": Plot("Decisions by outcome", "history", decisions_figure),
}
"""By name, in the order in which a page shows them."""


def names() -> tuple[str, ...]:
    """The figures that there are."""
    return tuple(FIGURES)


def figure(name: str, views: Views, *, theme: str = "dark", version: int | None = None) -> go.Figure:
    """A figure by its name.

    Parameters
    ----------
    name : str
        One of `names()`.
    views : Views
        Such as `RiskDashboardAPI(manager)`; only the view that the figure reads is asked for.
    theme : str
        ``dark`` or ``light``.
    version : int, optional
        `state_version` of a view that was shown before: the figure is of the same state where it can be.

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
    return plot.draw(views.view(plot.view, version), theme=theme)
