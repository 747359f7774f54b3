"""For open pages: how the book stands now, asked again and again or told when it changes."""

from __future__ import annotations

from typing import Final

from risk_management.model.access import Access
from risk_management.model.codes import Code
from risk_management.service.answers import Open
from risk_management.service.assets import page_version
from risk_management.service.live import news_digest
from risk_management.service.problems import Problem
from risk_management.service.route import Answer, Call, Route

__all__ = ["ROUTES"]

UNBUFFERED: Final = {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}
"""A proxy in between must neither keep nor gather what is told."""


def pulse(call: Call) -> Answer:
    """Vital signs, limits, holds, alerts that fire, bots, and the age of every feed."""
    said = {**call.views.pulse(), "page": page_version()}
    return Answer(said, headers={"ETag": f'"{news_digest(said)}"'})


def stream(call: Call) -> Answer:
    """The pulse whenever it says something new, as server-sent events, and a beat every 15 s."""
    events = None if call.live is None else call.live.listen(lambda: _is_allowed(call))
    if events is None:
        said = "no more streams are open to pages; ask pulse every few seconds"
        raise Problem(Code.OVERLOADED, "", said, {"Retry-After": "30"})
    return Answer(events, headers=UNBUFFERED, mimetype="text/event-stream; charset=utf-8")


def _is_allowed(call: Call) -> bool:
    """Whether the token or session that asked still holds."""
    return call.sessions is None or call.sessions.allows(call.who, call.cookie if call.csrf else "")


ROUTES: Final = (
    Route("GET", "/pulse", Access.READ, "How the book stands now, for a page", pulse, answers=Open),
    Route(
        "GET",
        "/stream",
        Access.READ,
        "The pulse as server-sent events",
        stream,
        head=False,
        mimetype="text/event-stream",
    ),
)
