"""The book as it stands, and how much of every limit is used."""

from __future__ import annotations

from typing import Final

from risk_management.model.access import Access
from risk_management.model.money import SCALE
from risk_management.service.answers import LimitsAnswer, StateAnswer
from risk_management.service.route import Answer, Call, Route

__all__ = ["ROUTES"]

WARNING: Final = 0.80
"""Use of a limit from which it warns."""


def state(call: Call) -> Answer:
    """What is held, what is approved, and what may be done."""
    now = call.manager.state
    positions = [
        {
            **position.key._asdict(),
            "quantity": position.quantity / SCALE,
            "cost": position.cost / SCALE,
            "opened_at": position.opened_at,
        }
        for position in now.positions.values()
    ]
    reservations = [
        {
            "request_id": request_id,
            **one.key._asdict(),
            "side": one.side,
            "opening": one.opening / SCALE,
            "closing": one.closing / SCALE,
            "status": one.status,
            "valid_until": one.valid_until,
        }
        for request_id, one in now.reservations.items()
    ]
    bots = [
        {"name": bot.name, "enabled": bot.enabled, "disabled_reason": bot.disabled_reason}
        for bot in now.bots.values()
    ]
    return Answer(
        {
            "as_of": now.as_of,
            "state_version": now.version,
            "config_digest": call.manager.book.digest,
            "environment": now.environment,
            "currency": now.base_currency,
            "mode": now.mode,
            "equity": now.equity,
            "cash": now.cash,
            "high_water_mark": now.high_water_mark,
            "drawdown": now.drawdown.drawdown,
            "position_multiplier": now.drawdown.effective_multiplier,
            "accounts": {name: account.balance for name, account in now.accounts.items()},
            "positions": positions,
            "reservations": reservations,
            "bots": bots,
            "holds": list(now.holds.values()),
            "durable": call.durable,
            "outage": call.manager.book.outage,
        }
    )


def limits(call: Call) -> Answer:
    """Every limit: used, where it warns, the limit itself, what is left."""
    seen = call.views.view("metrics")
    rows = [{**row, "warning": _warning(row["limit"])} for row in seen["limits"]]
    cards = call.views.view("bots")["bots"]
    return Answer(
        {
            "limits": rows,
            "bots": [{"name": card["name"], **card["limits"]} for card in cards],
            "mode": seen["status"]["mode"],
            "blocked_by": seen["status"]["blocked_by"],
        }
    )


def _warning(limit: float | None) -> float | None:
    return None if limit is None else WARNING * limit


ROUTES: Final = (
    Route(
        "GET",
        "/state",
        Access.READ,
        "Positions, approvals, bots, holds, equity",
        state,
        answers=StateAnswer,
    ),
    Route(
        "GET",
        "/limits",
        Access.READ,
        "Use, warning, limit and room of every limit",
        limits,
        answers=LimitsAnswer,
    ),
)
