"""The one vocabulary: the words of assessments, alert conditions, emergency rows, the API and reports."""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = ["SCOPED", "VOCABULARY", "Word", "words_of"]


class Word(NamedTuple):
    """A metric: its unit (``fraction``, ``score``, ``money``, ``count``, ``number``) and meaning."""

    unit: str
    meaning: str


VOCABULARY: Final[dict[str, Word]] = {
    "risk_score": Word("score", "Largest use of any hard limit, 0 to 100 and above; higher is worse."),
    "equity": Word("money", "Cash and marked positions."),
    "cash": Word("money", "Cash of all accounts."),
    "high_water_mark": Word("money", "Highest value that the present units have had."),
    "portfolio_heat": Word("score", "Open risk over its budget, 0 to 100; the raw figure may be above."),
    "open_risk": Word("money", "Money at risk if stops are hit or an ordinary bad day comes."),
    "max_position": Word("fraction", "Largest net position in one symbol, of equity."),
    "single_name_use": Word("fraction", "Largest use of the limit that its class sets a single position."),
    "max_sector": Word("fraction", "Largest net exposure to one sector, of equity."),
    "max_cluster": Word("fraction", "Largest net exposure to one correlation cluster, of equity."),
    "herfindahl": Word("number", "Sum of squared shares of gross exposure, 0 to 1."),
    "effective_names": Word("number", "Number of equal positions that would be as concentrated."),
    "gross_exposure": Word("fraction", "Sum of long and short exposures, of equity."),
    "net_exposure": Word("fraction", "Signed sum of exposures, of equity."),
    "leverage": Word("fraction", "Largest gross exposure of an account over its own equity."),
    "positions": Word("count", "Symbols held."),
    "pending": Word("count", "Approvals that are not yet filled."),
    "drawdown": Word("fraction", "Fall from the high-water mark."),
    "daily_loss": Word("fraction", "Loss since the trading day began; negative for a gain."),
    "weekly_loss": Word("fraction", "Loss since the trading week began."),
    "rolling_loss": Word("fraction", "Loss over the rolling span."),
    "position_multiplier": Word("fraction", "Share of their size for new positions, by drawdown and rows."),
    "time_under_water": Word("count", "Trading days since the high-water mark."),
    "var_95": Word("fraction", "One-day VaR at 95 % by the default method, of equity."),
    "es_975": Word("fraction", "One-day expected shortfall at 97.5 %, of equity."),
    "var_utilization": Word("fraction", "VaR over its limit."),
    "es_utilization": Word("fraction", "Expected shortfall over its limit."),
    "var_exceptions": Word("count", "Days of the last 250 whose loss passed the VaR that was forecast."),
    "var_zone": Word("count", "Basel's zone of those days: 0 green, 1 yellow, 2 red."),
    "budget_use": Word(
        "fraction", "Largest use of a strategy's risk budget by what it may use; 0 without one."
    ),
    "stress_loss": Word("fraction", "Loss in the worst gate scenario, of equity."),
    "max_correlation": Word("number", "Largest correlation of two held names, by the sides that are held."),
    "average_correlation": Word("number", "Average correlation of the held names, weighted by exposure."),
    "correlation_spike": Word("count", "1 while a pair or the average of the book spikes, else 0."),
    "volatility_ratio": Word("number", "The book's present volatility over its own median."),
    "absorption_ratio": Word("fraction", "Share of variance in the first fifth of principal components."),
    "failed_checks": Word("count", "Checks that failed in a row."),
    "stale_symbols": Word("count", "Held symbols without a fresh price."),
}
"""Every metric of the whole book."""

SCOPED: Final[dict[str, dict[str, Word]]] = {
    "bot": {
        "bot_exposure": Word("fraction", "What the bot holds and was approved, at its worst, of equity."),
        "bot_use": Word("fraction", "That over what the bot may hold."),
        "bot_profit": Word("money", "Profit of the bot, open positions included."),
        "bot_drawdown": Word("fraction", "Fall from the bot's highest profit, of what it may hold."),
        "bot_pending": Word("count", "Approvals of the bot that are not yet filled."),
        "bot_approved": Word("count", "Requests of the bot that were approved as asked."),
        "bot_cut": Word("count", "Requests of the bot that were approved in part."),
        "bot_refused": Word("count", "Requests of the bot that were refused."),
        "bot_refused_share": Word("fraction", "Refused over all requests of the bot; missing without any."),
        "bot_closed_trades": Word("count", "Trades that the bot closed."),
        "bot_win_rate": Word("fraction", "Share of those with a profit; missing without any."),
        "bot_enabled": Word("count", "1 while the bot may open, 0 once it was disabled."),
    },
    "strategy": {
        "strategy_exposure": Word("fraction", "What the strategy holds and was approved, of equity."),
        "strategy_use": Word("fraction", "That over its budget."),
        "strategy_profit": Word("money", "Profit of the strategy, open positions included."),
        "strategy_drawdown": Word("fraction", "Fall from the strategy's highest profit, of its budget."),
    },
    "symbol": {
        "symbol_exposure": Word("fraction", "Net position, longs less shorts, of equity."),
        "symbol_risk": Word("money", "Open risk of the symbol alone."),
        "symbol_profit": Word("money", "Open profit of the symbol's positions."),
        "symbol_quote_age": Word("number", "Seconds since its newest price; missing without one."),
    },
}
"""Metrics of one bot, strategy or symbol, by the scope of a rule that is judged for each."""


def words_of(scope: str) -> dict[str, Word]:
    """All words that a rule of a scope may name: those of the whole book, and those of the scope."""
    return {**VOCABULARY, **SCOPED.get(scope, {})}
