"""How alerts reach people."""

from __future__ import annotations

from typing import Final

from risk_management.alerts.channels import configured
from risk_management.alerts.outbox import RowState
from risk_management.dashboard.delivery import delivery_view
from risk_management.model.access import Access
from risk_management.service.answers import DeliveryAnswer
from risk_management.service.route import Answer, Call, Route

__all__ = ["ROUTES"]

MOST: Final = 50
"""Failed messages that are listed."""


def show(call: Call) -> Answer:
    """What waits, was sent and failed, by channel."""
    manager = call.manager
    box, names = manager.outbox, configured(manager.config.alert_config)
    return Answer(delivery_view(box.counts(), box.rows(RowState.FAILED, MOST), names, manager.clock.now()))


ROUTES: Final = (
    Route(
        "GET",
        "/alerts/delivery",
        Access.READ,
        "What waits to be sent, was sent and failed, by channel",
        show,
        answers=DeliveryAnswer,
    ),
)
