"""Alerts taken on, and silences. What is active and what was told is the view ``/alerts``."""

from __future__ import annotations

from typing import Final

from risk_management.dashboard.plain import plain
from risk_management.model.access import Access
from risk_management.service.answers import AlertAnswer, SilencesAnswer
from risk_management.service.models import AlertTaken, SilenceAsked
from risk_management.service.route import Answer, Call, Route

__all__ = ["ROUTES"]


def acknowledge(call: Call) -> Answer:
    """Take an alert on, in the name of the token."""
    alerts = call.manager.alert_manager
    alert = alerts.acknowledge(call.path["alert_id"], call.who.actor, call.body.comment)
    return Answer({"alert": alert.as_dict(), "durable": call.durable})


def resolve(call: Call) -> Answer:
    """End an alert that was raised, in the name of the token."""
    alerts = call.manager.alert_manager
    alert = alerts.end_raised(call.path["alert_id"], call.who.actor, call.body.comment)
    return Answer({"alert": alert.as_dict(), "durable": call.durable})


def silences(call: Call) -> Answer:
    """All that stand."""
    standing = [plain(silence) for silence in call.manager.alert_manager.silences]
    return Answer({"silences": standing, "durable": call.durable})


def silence(call: Call) -> Answer:
    """Begin one, in the name of the token."""
    asked = call.body
    call.manager.alert_manager.silence(
        asked.seconds,
        call.who.actor,
        asked.reason,
        rule_id=asked.rule_id,
        alert_type=asked.alert_type,
        bot=asked.bot,
        symbol=asked.symbol,
    )
    return silences(call)


def end(call: Call) -> Answer:
    """End one before its time."""
    call.manager.alert_manager.end_silence(call.path["silence_id"], call.who.actor)
    return silences(call)


ROUTES: Final = (
    Route(
        "POST",
        "/alerts/{alert_id}/acknowledge",
        Access.OPERATE,
        "Take an active alert on: it repeats and escalates no more",
        acknowledge,
        asks=AlertTaken,
        answers=AlertAnswer,
        refuses=(404,),
    ),
    Route(
        "POST",
        "/alerts/{alert_id}/resolve",
        Access.OPERATE,
        "End an alert that was raised and is over; one of a rule ends by itself",
        resolve,
        asks=AlertTaken,
        answers=AlertAnswer,
        refuses=(404, 409),
    ),
    Route("GET", "/silences", Access.READ, "Silences that stand", silences, answers=SilencesAnswer),
    Route(
        "POST",
        "/silences",
        Access.OPERATE,
        "Tell nobody of some alerts for a while",
        silence,
        asks=SilenceAsked,
        answers=SilencesAnswer,
    ),
    Route(
        "DELETE",
        "/silences/{silence_id}",
        Access.OPERATE,
        "End a silence before its time",
        end,
        answers=SilencesAnswer,
        refuses=(404,),
    ),
)
