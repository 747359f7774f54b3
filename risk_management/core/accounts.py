"""What one account is worth, beside the others."""

from __future__ import annotations

from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.reduction import marked
from risk_management.model.instrument import ContractKind
from risk_management.model.money import SCALE
from risk_management.model.portfolio import PortfolioState

__all__ = ["account_equity", "broker_account"]


def broker_account(config: RiskManagementConfig) -> str:
    """The account of the book that the broker holds; of any other a person says what became of it."""
    return config.broker_config.account_id or config.account_id


def account_equity(state: PortfolioState, account_id: str) -> float:
    """Cash and marked positions of one account, in money; contracts count with their profit."""
    if len(state.accounts) == 1:
        return state.totals.equity or 0.0
    account = state.accounts.get(account_id)
    worth = account.cash if account else 0
    for position in state.positions.values():
        if position.key.account_id == account_id:
            linear = state.instruments[position.symbol].kind is ContractKind.LINEAR
            worth += marked(state, position) - (position.cost if linear else 0)
    return worth / SCALE
