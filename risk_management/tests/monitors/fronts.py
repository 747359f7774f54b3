"""Fronts on a foundation that is laid already, with a clock that only the test moves."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar

from risk_management.clock import ManualClock
from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.foundation import Foundation
from risk_management.core.front import Front

F = TypeVar("F", bound=Front)
START = datetime(2022, 3, 7, 15, 0, tzinfo=UTC)  # a Monday, in session


def front(
    kind: type[F],
    foundation: Foundation,
    config: RiskManagementConfig | None = None,
    start: datetime = START,
) -> F:
    """A front over a Book of its own."""
    laid = replace(foundation, clock=ManualClock(start), config=config or foundation.config)
    made = kind.__new__(kind)
    made._stand_on(laid, laid.new_book(), shared=False)
    return made
