"""The figures of the page, drawn here and shown by plotly.js."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import Field

from risk_management.model.access import Access
from risk_management.model.codes import Code
from risk_management.service.answers import Open
from risk_management.service.fields import Text
from risk_management.service.models import Asked
from risk_management.service.problems import Problem
from risk_management.service.route import ANYONE, Answer, Call, Route
from risk_management.service.routes.views import SUMMARIES

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["ROUTES", "FigureLook"]

PAIR: Final = "pair"
"""A figure of two names that are told in the address."""


class FigureLook(Asked):
    """How a figure looks."""

    theme: Literal["dark", "light"] = "dark"
    """``dark`` or ``light``."""
    state: Annotated[int, Field(ge=-1)] = -1
    """`state_version` of the view that stands beside it, so that both say the same; -1: of now."""
    pair: Text = ""
    """Of the figure ``pair``: two names, ``AAPL~MSFT``."""


def known(call: Call) -> Answer:
    """The figures that there are, in the order of a page, with the view that each one reads."""
    rows = [
        {"name": name, "title": plot.title, "view": plot.view}
        for name, plot in _plots().FIGURES.items()
        if _may_see(call, plot.view)
    ]
    return Answer({"figures": rows})


def draw(call: Call) -> Answer:
    """One figure as plotly.js takes it; what its title says stands in `layout.meta`."""
    plots, name = _plots(), call.path["name"]
    if name == PAIR:
        first, _, second = call.body.pair.partition("~")
        made = plots.pair_figure(call.views.pair(first, second), theme=call.body.theme)
        return Answer(str(plots.bare(made).to_json()), mimetype="application/json")
    if name not in plots.FIGURES:
        raise Problem(Code.UNKNOWN_FIGURE, "name", f"no figure is called {ascii(name)[1:-1][:80]}")
    if not _may_see(call, plots.FIGURES[name].view):
        raise Problem(Code.UNAUTHENTICATED, "", "this takes a token: it shows more than the seven views")
    made = plots.figure(name, call.views, theme=call.body.theme, version=call.body.state)
    return Answer(str(plots.bare(made).to_json()), mimetype="application/json")


def _may_see(call: Call, view: str) -> bool:
    """In somebody's app the seven views are open, and so is what shows them; the rest takes a token."""
    return call.who is not ANYONE or view in SUMMARIES


def _plots() -> ModuleType:
    from risk_management import plots  # noqa: PLC0415 - a second, only where a figure is asked for

    return plots


ROUTES: Final = (
    Route("GET", "/figures", Access.READ, "The figures that there are", known, answers=Open),
    Route(
        "GET",
        "/figures/{name}",
        Access.READ,
        "A figure, as plotly.js takes it",
        draw,
        asks=FigureLook,
        answers=Open,
        refuses=(404,),
    ),
)
