"""The fold: a pure step from a state and an event to the next state. Events are facts and never fail here."""

from __future__ import annotations

from typing import Final

from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.steps import money, orders, oversight, prices
from risk_management.model.events import Event
from risk_management.model.portfolio import PortfolioState

__all__ = ["evolve"]

_STEPS: Final = {**prices.STEPS, **orders.STEPS, **money.STEPS, **oversight.STEPS}


def evolve(state: PortfolioState, event: Event, config: RiskManagementConfig) -> PortfolioState:
    """The state after one event.

    Raises
    ------
    KeyError
        For an event of an unknown kind.
    """
    return _STEPS[type(event)](state, event, config)
