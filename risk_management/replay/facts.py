"""Facts of one arm, as they would have been in the other: what depends on holdings follows the holdings."""

from __future__ import annotations

from collections.abc import Iterator

from risk_management.config.risk_config import DrawdownConfig
from risk_management.core import drawdown as rules
from risk_management.core.peaks import fresh_start
from risk_management.model.amend import amended
from risk_management.model.events import (
    BotChanged,
    CashMoved,
    DrawdownAdjusted,
    EquityReported,
    Filled,
    PeaksSeen,
)
from risk_management.model.portfolio import PortfolioState
from risk_management.model.totals import EMPTY_NAME

__all__ = ["adjusted", "bot", "cash", "equity", "fresh_starts", "scaled"]


def scaled(event: Filled, ratio: float) -> Filled:
    """A fill of another size at the same price."""
    names = (
        "quantity",
        "cost",
        "fee",
        "used_opening",
        "used_closing",
        "used_quantity",
        "stop_risk",
        "reported",
    )
    return amended(event, **{name: round(getattr(event, name) * ratio) for name in names})


def cash(event: CashMoved, was: PortfolioState, other: PortfolioState) -> CashMoved:
    """A dividend, funding or fee of a symbol in proportion to what is held of it; other cash as it was."""
    if not event.symbol or event.kind.is_flow:
        return event
    held_was, held = (_held(state, event.symbol, event.account_id) for state in (was, other))
    if held_was in (0, held):
        return event
    return amended(event, amount=round(event.amount * held / held_was))


def equity(event: EquityReported, was: PortfolioState, other: PortfolioState) -> EquityReported:
    """A report of equity moves both arms by the same money."""
    if was.equity is None or other.equity is None or was.equity == other.equity:
        return event
    return amended(event, equity=other.equity + event.equity - was.equity)


def bot(event: BotChanged, was: PortfolioState, other: PortfolioState) -> BotChanged:
    """A change by a person; the bot's record is that of its own arm, and so is being switched off by rule."""
    before, here = was.bots.get(event.bot.name), other.bots.get(event.bot.name)
    if here is None:
        return event
    record = here.record
    if before is not None and event.bot.record.forgiven != before.record.forgiven:  # its losses are forgiven
        record = amended(record, forgiven=record.closed_trades)
    changed = amended(event.bot, record=record)
    if before is not None and before.enabled == event.bot.enabled:
        changed = amended(changed, enabled=here.enabled, disabled_reason=here.disabled_reason)
    return amended(event, bot=changed)


def fresh_starts(event: PeaksSeen, other: PortfolioState) -> Iterator[PeaksSeen]:
    """Bots and strategies that a person let go on, with their losses counted from here."""
    for name, _ in event.bots:
        yield fresh_start(other, event.at, event.actor, bot=name)
    for name, _ in event.strategies:
        yield fresh_start(other, event.at, event.actor, strategy=name)


def adjusted(
    event: DrawdownAdjusted, was: PortfolioState, other: PortfolioState, settings: DrawdownConfig
) -> DrawdownAdjusted:
    """A high-water mark that a person gave."""
    if was.drawdown == other.drawdown:
        return event
    mark = event.drawdown.peak * event.drawdown.units
    return amended(event, drawdown=rules.with_mark(other.drawdown, mark, event.at, settings))


def _held(state: PortfolioState, symbol: str, account_id: str) -> int:
    """Signed units of an account, ledger units."""
    keys = state.totals.names.get(symbol, EMPTY_NAME).keys
    return sum(state.positions[key].quantity for key in keys if key.account_id == account_id)
