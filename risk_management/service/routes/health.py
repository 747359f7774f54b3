"""For what watches the process: is it there, does it serve in full, and its numbers."""

from __future__ import annotations

from typing import Final

from risk_management.model.access import Access
from risk_management.model.codes import Code
from risk_management.service.answers import Open, Readiness
from risk_management.service.numbers import MIMETYPE, exposition
from risk_management.service.route import Answer, Call, Route

__all__ = ["ROUTES"]


def alive(_call: Call) -> Answer:
    """It answers."""
    return Answer({"status": "ok"})


def ready(call: Call) -> Answer:
    """Whether what is written reaches the disk; a halted book serves all the same."""
    book = call.manager.book
    why = [Code.ENGINE_ENDED] if book.has_ended else [Code.STORE_UNAVAILABLE] if book.outage else []
    return Answer({"ready": not why, "why": why}, 503 if why else 200)


def metrics(call: Call) -> Answer:
    """The numbers of the book for Prometheus."""
    return Answer(exposition(call.views), mimetype=MIMETYPE)


ROUTES: Final = (
    Route("GET", "/healthz", None, "The process answers", alive, answers=Open, urgent=True),
    Route(
        "GET",
        "/readyz",
        None,
        "It serves in full",
        ready,
        answers=Readiness,
        status=(200, 503),
        urgent=True,
    ),
    Route(
        "GET", "/metrics", Access.READ, "Numbers for Prometheus", metrics, mimetype="text/plain", urgent=True
    ),
)
