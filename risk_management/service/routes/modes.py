"""What may be traded: modes of every scope, the stop of everything, and its release by name."""

from __future__ import annotations

from typing import Final

from risk_management.model.access import Access
from risk_management.model.money import SCALE
from risk_management.model.portfolio import Scope
from risk_management.service.answers import ModeAnswer, ReleaseAnswer, StopAnswer
from risk_management.service.models import ModeAsked, ReasonGiven
from risk_management.service.route import Answer, Call, Route

__all__ = ["ROUTES"]


def mode(call: Call) -> Answer:
    """Hold a scope in a mode; ACTIVE ends what holds it."""
    body = call.body
    call.manager.set_mode(body.mode, body.reason, scope=body.scope, name=body.name, actor=call.who.actor)
    in_force = call.manager.state.mode_of(Scope(body.scope), body.name)
    return Answer({"mode": in_force, "durable": call.durable})


def stop(call: Call) -> Answer:
    """Stop all trading at once, whatever else goes on."""
    done = call.manager.stop_everything(call.body.reason, actor=call.who.actor)
    cancelled = [
        {
            "request_id": one.request_id,
            "symbol": one.key.symbol,
            "side": "buy" if one.side > 0 else "sell",
            "amount": (one.opening + one.closing) / SCALE,
        }
        for one in done.cancelled
    ]
    return Answer({"durable": done.durable, "outage": call.manager.book.outage, "cancelled": cancelled})


def release(call: Call) -> Answer:
    """End every latched stop, in the name of the token."""
    released = call.manager.release_emergency(call.who.actor, call.body.reason)
    return Answer({"released": released, "durable": call.durable})


ROUTES: Final = (
    Route(
        "POST",
        "/mode",
        Access.OPERATE,
        "Set the mode of the portfolio, a strategy, bot or symbol",
        mode,
        asks=ModeAsked,
        answers=ModeAnswer,
        refuses=(404, 409),
    ),
    Route(
        "POST",
        "/emergency-stop",
        Access.OPERATE,
        "Stop all trading at once",
        stop,
        asks=ReasonGiven,
        answers=StopAnswer,
        urgent=True,
    ),
    Route(
        "POST",
        "/emergency-release",
        Access.OPERATE,
        "End every stop, with a reason",
        release,
        asks=ReasonGiven,
        answers=ReleaseAnswer,
    ),
)
