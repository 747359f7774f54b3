"""Bots: registered, changed, switched off and on."""

from __future__ import annotations

from typing import Final

from risk_management.core.entry import checked_bot
from risk_management.model.access import Access
from risk_management.service.answers import BotAnswer
from risk_management.service.models import BotAsked, BotToggled
from risk_management.service.route import Answer, Call, Route

__all__ = ["ROUTES"]


def register(call: Call) -> Answer:
    """Register a bot, or change the limits of a known one; what is not named, or null, stays as it is."""
    body, who = call.body, call.who
    call.manager.register_bot(
        checked_bot(call.path["name"]),
        body.strategy_type,
        body.max_position_size,
        body.kelly_fraction,
        actor=who.actor,
        may_loosen=who.access is Access.ADMIN,
    )
    return _answer(call)


def enable(call: Call) -> Answer:
    """Let a bot open positions again."""
    call.manager.set_bot_enabled(call.path["name"], enabled=True, actor=call.who.actor)
    return _answer(call)


def disable(call: Call) -> Answer:
    """Stop a bot's entries; its exits pass."""
    who = call.who.actor
    reason = call.body.reason or f"disabled by {who}"
    cancelled = call.manager.set_bot_enabled(call.path["name"], enabled=False, reason=reason, actor=who)
    return _answer(call, cancelled)


def _answer(call: Call, cancelled: tuple[str, ...] = ()) -> Answer:
    bot = call.manager.state.bots[call.path["name"]]
    return Answer(
        {
            "name": bot.name,
            "strategy": bot.strategy,
            "enabled": bot.enabled,
            "max_position_size": bot.max_exposure,
            "kelly_fraction": bot.kelly_fraction,
            "cancelled": cancelled,
            "durable": call.durable,
        }
    )


ROUTES: Final = (
    Route(
        "PUT",
        "/bots/{name}",
        Access.OPERATE,
        "Register a bot, or change its limits; to loosen takes an admin",
        register,
        asks=BotAsked,
        answers=BotAnswer,
    ),
    Route(
        "POST",
        "/bots/{name}/enable",
        Access.OPERATE,
        "Let a bot open positions again",
        enable,
        asks=BotToggled,
        answers=BotAnswer,
        refuses=(404,),
    ),
    Route(
        "POST",
        "/bots/{name}/disable",
        Access.OPERATE,
        "Stop a bot's entries; its exits pass",
        disable,
        asks=BotToggled,
        answers=BotAnswer,
        refuses=(404,),
    ),
)
