"""What an alert that was raised stands for, as long as the book still has it."""

from __future__ import annotations

from risk_management.model.portfolio import Hold, PortfolioState, TradingMode

__all__ = ["alerts_of", "standing_cause"]


def alerts_of(hold: Hold) -> tuple[str, ...]:
    """Keys that an alert to a hold may have been raised under."""
    return hold.cause, f"emergency:{hold.cause}", f"{hold.cause}:{hold.name}"


def standing_cause(state: PortfolioState, key: str) -> str:
    """Why an alert is not over, with what ends it; empty where nothing of it stands in the book.

    Parameters
    ----------
    state : PortfolioState
    key : str
        Under which it was raised.
    """
    kind, _, rest = key.partition(":")
    if kind == "liquidation":
        one = state.liquidations.get(rest.partition(":")[0])
        return "" if one is None or not one.is_open else f"{one.scope} is still being closed; end that first"
    if kind == "bot_off":
        bot = state.bots.get(rest)
        return "" if bot is None or bot.enabled else f"{rest} is still switched off; enable it first"
    if key == "RECONCILIATION_BREAK" and state.breaks:
        return "the account still differs from its broker; settle that first"
    for hold in state.holds.values():
        is_its = key in alerts_of(hold) or (key == "heartbeat" and hold.cause.startswith("heartbeat:"))
        if is_its and hold.mode is not TradingMode.ACTIVE:
            whom = f"{hold.scope.value} {hold.name}".strip()
            return f"{whom} is still {hold.mode.value} by {hold.cause}: {hold.reason}"
    return ""
