"""Who asks, and the way in for a browser."""

from __future__ import annotations

from typing import Final

from risk_management.model.access import Access
from risk_management.model.codes import Code
from risk_management.service.answers import SessionAnswer
from risk_management.service.models import LoginCode
from risk_management.service.problems import Problem
from risk_management.service.route import Answer, Call, Route
from risk_management.service.sessions import COOKIE, LIFE

__all__ = ["LOGIN", "ROUTES"]


def who(call: Call) -> Answer:
    """The caller's own token or session."""
    me = call.who
    return Answer({"name": me.name, "access": me.access, "bot": me.bot, "csrf": call.csrf})


def login(call: Call) -> Answer:
    """Trade the code of a printed link for a session, once."""
    cookie = None if call.sessions is None else call.sessions.enter(call.body.code)
    if cookie is None:
        said = "this link was used or is too old; restart the server, or ask with a token"
        raise Problem(Code.UNAUTHENTICATED, "code", said)
    kept = f"{COOKIE}={cookie}; Path=/; Max-Age={int(LIFE)}; HttpOnly; SameSite=Strict"
    return Answer({"status": "ok"}, 303, {"Set-Cookie": kept, "Location": "/api/risk/session"})


ROUTES: Final = (
    Route("GET", "/session", Access.READ, "Who asks, and how far that reaches", who, answers=SessionAnswer),
)
LOGIN: Final = (
    Route(
        "GET",
        "/login",
        None,
        "Trade the code of a printed link for a session",
        login,
        asks=LoginCode,
        status=(303,),
        refuses=(401,),
        head=False,  # previews of a link ask so, and the code works once
    ),
)
