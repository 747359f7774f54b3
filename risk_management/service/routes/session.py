"""Who asks, and the way in for a browser."""

from __future__ import annotations

from typing import Final

from risk_management.model.access import Access
from risk_management.model.codes import Code
from risk_management.service.answers import Open, SessionAnswer
from risk_management.service.models import LoginCode, Nothing, SessionName
from risk_management.service.problems import Problem
from risk_management.service.route import Answer, Call, Route
from risk_management.service.sessions import BROWSER, COOKIE, LIFE, LOOPBACK_NAMES

__all__ = ["LOGIN", "ROUTES"]


def who(call: Call) -> Answer:
    """The caller's own token or session."""
    me = call.who
    by_link = me.token_id == BROWSER
    said = {"name": me.name, "access": me.access, "bot": me.bot, "csrf": call.csrf}
    return Answer({**said, "by_link": by_link, "is_named": not by_link or me.name != BROWSER})


def name(call: Call) -> Answer:
    """Say who it is that came by a printed link: the journal names them beside the link from then on."""
    given = call.body.name
    if call.sessions is None or not call.sessions.rename(call.cookie, given):
        said = "only a session of a printed link takes a name; a token has its own"
        raise Problem(Code.NOT_ALLOWED, "name", said)
    return Answer({"name": given, "access": call.who.access})


def login(call: Call) -> Answer:
    """Trade the code of a printed link for a session, once."""
    cookie = None if call.sessions is None else call.sessions.enter(call.body.code)
    if cookie is None:
        said = "this link was used or is too old; restart the server, or ask with a token"
        raise Problem(Code.UNAUTHENTICATED, "code", said)
    headers = {"Set-Cookie": _kept(call, cookie), "Location": "api/risk/dashboard"}
    return Answer({"status": "ok"}, 303, headers)


def begin(call: Call) -> Answer:
    """A session for a browser, in the name of the token that is sent; it ends with the token."""
    if call.sessions is None:
        raise Problem(Code.NOT_FOUND, "", "there are no sessions here; send the token with every request")
    if call.csrf:
        said = "a session begins with a token: a session can't lengthen itself"
        raise Problem(Code.NOT_ALLOWED, "", said)
    headers = {"Set-Cookie": _kept(call, call.sessions.begin(call.who))}
    return Answer({"name": call.who.name, "access": call.who.access}, headers=headers)


def end(call: Call) -> Answer:
    """Log out."""
    if call.sessions is not None:
        call.sessions.end(call.cookie)
    return Answer({"status": "ok"}, headers={"Set-Cookie": _kept(call, "", life=0)})


def _kept(call: Call, cookie: str, life: float = LIFE) -> str:
    """The cookie for the browser; beyond this machine for encrypted connections alone."""
    name = call.host.rpartition(":")[0] or call.host
    is_local = name in LOOPBACK_NAMES or call.host in LOOPBACK_NAMES
    secure = "" if is_local else "; Secure"
    return f"{COOKIE}={cookie}; Path=/; Max-Age={int(life)}; HttpOnly; SameSite=Strict{secure}"


ROUTES: Final = (
    Route("GET", "/session", Access.READ, "Who asks, and how far that reaches", who, answers=SessionAnswer),
    Route(
        "POST",
        "/session",
        Access.READ,
        "A session for a browser in the name of a token",
        begin,
        asks=Nothing,
        answers=Open,
        refuses=(404,),
    ),
    Route(
        "PUT",
        "/session",
        Access.READ,
        "Say who came by a printed link",
        name,
        asks=SessionName,
        answers=Open,
    ),
    Route("DELETE", "/session", Access.READ, "Log out", end, answers=Open),
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
