"""Who lives says so."""

from __future__ import annotations

from typing import Final

from risk_management.model.access import Access
from risk_management.model.codes import Code
from risk_management.service.answers import Done, ForgottenAnswer
from risk_management.service.models import HeartbeatForgotten, HeartbeatGiven
from risk_management.service.problems import Problem
from risk_management.service.route import Answer, Call, Route

__all__ = ["ROUTES"]


def heartbeat(call: Call) -> Answer:
    """A bot, feed or engine lives; a bot's token speaks for its bot alone."""
    body = call.body
    if call.who.bot is not None and body.kind != "bot":
        raise Problem(Code.NOT_YOUR_BOT, "kind", f"this token trades for {call.who.bot!r} alone")
    name = call.own(body.name) if body.kind == "bot" else body.name
    if name is None:
        raise Problem(Code.MISSING_FIELD, "name", "name is missing; say whose heartbeat it is")
    call.manager.heartbeat(body.kind, name)
    return Answer({"durable": call.durable})


def forget(call: Call) -> Answer:
    """Wait no longer for a feed or an engine that is gone."""
    body = call.body
    was_known = call.manager.forget_heartbeat(body.kind, body.name, body.reason, actor=call.who.actor)
    return Answer({"forgotten": was_known, "durable": call.durable})


ROUTES: Final = (
    Route(
        "POST",
        "/heartbeat",
        Access.TRADE,
        "A bot, feed or engine lives",
        heartbeat,
        asks=HeartbeatGiven,
        answers=Done,
        refuses=(404,),
    ),
    Route(
        "POST",
        "/heartbeat/forget",
        Access.OPERATE,
        "Wait no longer for a feed or an engine; what halted stays so until it is released",
        forget,
        asks=HeartbeatForgotten,
        answers=ForgottenAnswer,
    ),
)
