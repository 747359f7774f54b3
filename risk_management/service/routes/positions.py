"""Positions as the broker tells them, held against ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from risk_management.model.access import Access
from risk_management.model.money import SCALE
from risk_management.service.answers import ReconciliationAnswer
from risk_management.service.models import BrokerPositions
from risk_management.service.route import Answer, Call, Route

if TYPE_CHECKING:
    from risk_management.dashboard.plain import Plain
    from risk_management.model.reconciliation import Break

__all__ = ["ROUTES"]


def reconcile(call: Call) -> Answer:
    """Compare, adopt what the broker is right on, and hold what differs."""
    body = call.body
    found = call.manager.reconcile(
        body.positions,
        cash=body.cash,
        open_orders=body.open_orders,
        prices=body.prices,
        account_id=body.account_id,
        settle=body.settle,
        actor=call.who.actor,
    )
    return Answer(
        {
            "account_id": found.account_id,
            "is_clean": found.is_clean,
            "breaks": [_told(difference) for difference in found.breaks],
            "adopted": [_told(difference) for difference in found.adopted],
            "awaited": found.awaited,
            "settled": found.settled,
            "tolerated": [_told(difference) for difference in found.tolerated],
            "lacking": found.lacking,
            "durable": call.durable,
        }
    )


def _told(difference: Break) -> Plain:
    return {
        "kind": difference.kind,
        "subject": difference.subject,
        "ours": difference.ours / SCALE,
        "broker": difference.broker / SCALE,
        "since": difference.since,
        "message": difference.explain(),
    }


ROUTES: Final = (
    Route(
        "POST",
        "/positions",
        Access.OPERATE,
        "Hold the account against what its broker says",
        reconcile,
        asks=BrokerPositions,
        answers=ReconciliationAnswer,
    ),
)
