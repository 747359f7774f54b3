"""What codes of refusals and measures mean in a few words, for the demo's tables."""

from __future__ import annotations

from typing import Final

__all__ = ["MEANINGS", "MEASURES"]

MEANINGS: Final = {
    "BOT_DISABLED": "the bot lost too much of its own",
    "BOT_PROBATION": "a new bot's share, half of its own, is used up",
    "BOT_LIMIT": "the bot's share is used up",
    "CASH_LIMIT": "the cash floor",
    "CLUSTER_LIMIT": "names that move together",
    "DRAWDOWN_LIMIT": "the account is in drawdown: smaller or none",
    "BUDGET_LIMIT": "risk budget of the strategy",
    "ES_LIMIT": "expected shortfall of the book",
    "GROSS_LIMIT": "all positions together",
    "HALTED": "all trading is stopped",
    "HEAT_LIMIT": "open risk of the book",
    "KELLY_LIMIT": "the bot's own record does not carry more",
    "MIN_TRADE_SIZE": "what was left is too small",
    "NET_LIMIT": "net exposure",
    "ORDER_SIZE": "one order",
    "POSITION_COUNT": "number of names",
    "RATE_LIMIT": "too many orders in a minute",
    "REDUCING": "losses of a day, week or month: closing only",
    "RISK_PER_TRADE": "what one trade may lose",
    "SCALED_DOWN": "a row of the settings: smaller",
    "SECTOR_LIMIT": "one sector",
    "SINGLE_NAME_LIMIT": "several bots want the same stock",
    "STRATEGY_LIMIT": "one strategy",
    "STRESS_LIMIT": "loss in the worst scenario",
    "VAR_HALT": "VaR near its limit: nothing that adds to it",
    "VAR_LIMIT": "value at risk of the book",
}
"""By code; a code that is missing stands for itself."""

MEASURES: Final = {
    "warn": "people are told",
    "scale_down": "new positions are smaller or none",
    "cancel_open_orders": "approved entries are cancelled",
    "halt_new_risk": "nothing that adds VaR is approved",
    "reduce_only": "only closing passes",
    "reduce_correlated": "the smaller one of the pair is closed, once a day",
    "reduce_cluster": "the largest cluster is cut",
    "trim": "what is above the target is cut, the largest contributors first",
    "halt": "all trading stops",
    "liquidate": "everything is closed, then all trading stops",
    "stopped": "opens nothing more, for its own losses",
    "reopened": "entries at a share of their size, with a loss budget",
}
"""By the action of a row, or what else held."""
