"""The seven views of the dashboard API."""

from __future__ import annotations

from typing import Final

from risk_management.model.access import Access
from risk_management.service.answers import Open
from risk_management.service.route import Answer, Call, Route

__all__ = ["ROUTES"]

SUMMARIES: Final = {
    "metrics": "Every metric and every limit",
    "heatmap": "Every position with its weight, profit and risk",
    "correlation": "The matrix of the names held, and their clusters",
    "var": "VaR and expected shortfall by every method",
    "stress": "All scenarios, the largest loss first",
    "alerts": "What fires, what was told, and the rules",
    "bots": "Every bot with its record and limits",
}


def _shows(name: str) -> Route:
    def show(call: Call) -> Answer:
        return Answer(call.views.view(name))

    return Route("GET", f"/{name}", Access.READ, SUMMARIES[name], show, answers=Open)


ROUTES: Final = tuple(_shows(name) for name in SUMMARIES)
