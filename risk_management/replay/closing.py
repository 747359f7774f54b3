"""A close follows the holding: who would have held half would have closed half."""

from __future__ import annotations

from typing import Final

from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.proposal import Proposal, propose
from risk_management.model.amend import amended
from risk_management.model.money import SCALE
from risk_management.model.portfolio import PortfolioState
from risk_management.model.trade import TradeRequest

__all__ = ["asked_again"]

ALL: Final = 1e12
"""Money that closes whatever there is to close."""
CENT: Final = 0.01
Judged = tuple[PortfolioState, RiskManagementConfig]


def asked_again(request: TradeRequest, was: Judged, other: Judged) -> float:
    """Money that a request asks for where other holdings stand; 0 where there is nothing left to close.

    What opens is asked as it was. What closed a share of what its owner could close is asked for the same
    share of what it can close there; a bot that sold all that it held would not have gone short because it
    held less.
    """
    then, could_then = propose(*was, request, request.requested_at), _closable(request, was)
    could = _closable(request, other)
    if then.closing_quantity == 0 or could == could_then:
        return request.size
    # a little beyond a close is what the price moved meanwhile, and no wish to be on the other side
    opens = not request.reduce_only and then.opening > max(CENT, was[1].order_config.min_trade_size)
    opening = then.opening if opens else 0.0
    units = could * then.closing_quantity / could_then / SCALE
    price = then.closing / (then.closing_quantity / SCALE)
    return opening + units * price


def _closable(request: TradeRequest, judged: Judged) -> int:
    """Units that the owner could close, ledger units."""
    whole: Proposal = propose(*judged, amended(request, size=ALL), request.requested_at)
    return whole.closing_quantity
