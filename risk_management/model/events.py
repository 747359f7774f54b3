"""Everything that may change the state. An event is a fact: applying it never fails and never decides."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from risk_management.model.alert import Alert
from risk_management.model.alert_book import RuleFacts, Silence
from risk_management.model.budget import RiskAllocation
from risk_management.model.drawdown import DrawdownState
from risk_management.model.emergency import RowCount
from risk_management.model.instrument import Instrument
from risk_management.model.liquidation import Liquidation, SentOrder
from risk_management.model.portfolio import (
    Bot,
    Hold,
    PositionKey,
    Quote,
    Rate,
    Reservation,
    ReservationStatus,
    Scope,
)
from risk_management.model.reconciliation import Break
from risk_management.model.risk_model import RiskModel
from risk_management.model.trade import TradeDecision, TradeRequest
from risk_management.model.var_record import VarRecord

__all__ = [
    "AlertNoted",
    "AlertTold",
    "BookOpened",
    "BotChanged",
    "BreaksSeen",
    "BudgetAllocated",
    "BudgetCut",
    "CashKind",
    "CashMoved",
    "ClockStepped",
    "ConfigChanged",
    "DrawdownAdjusted",
    "EmergencyStepped",
    "EngineStarted",
    "EquityReported",
    "Event",
    "Filled",
    "HoldReleased",
    "HoldSet",
    "InstrumentDefined",
    "LiquidationEnded",
    "LiquidationStarted",
    "LiquidationStepDone",
    "LiquidationStepSent",
    "LiquidationStopped",
    "Marked",
    "ModelRefreshed",
    "Noted",
    "PeaksSeen",
    "PositionAdded",
    "QuotesReceived",
    "RateReceived",
    "ReservationClosed",
    "RuleChanged",
    "SilenceEnded",
    "SilenceSet",
    "SplitApplied",
    "StrategyDaysRecorded",
    "TradeDecided",
    "VarHaltChanged",
    "VarRecorded",
]


class CashKind(StrEnum):
    """Why cash moved. Deposits and withdrawals are neutral to performance; all else is profit or loss."""

    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"
    FEE = "fee"
    FUNDING = "funding"
    BORROW = "borrow"
    INTEREST = "interest"
    DIVIDEND = "dividend"
    ADJUSTMENT = "adjustment"
    """What the broker's cash differs by from ours, once it is settled."""

    @property
    def is_flow(self) -> bool:
        """Whether it changes units and not the value of a unit."""
        return self in (CashKind.DEPOSIT, CashKind.WITHDRAWAL)


@dataclass(frozen=True, slots=True)
class Event:
    """Base of all events.

    Parameters
    ----------
    at : datetime
        Aware UTC time.
    actor : str
        Who caused it.
    """

    at: datetime
    actor: str


@dataclass(frozen=True, slots=True)
class BookOpened(Event):
    """The first event of a book: what its state begins from.

    `config` is the JSON text of all settings, without secrets.
    """

    config: str
    instruments: tuple[Instrument, ...]
    model: RiskModel


@dataclass(frozen=True, slots=True)
class EngineStarted(Event):
    """A process took up a book that exists already."""

    host: str
    pid: int
    software: str


@dataclass(frozen=True, slots=True)
class Noted(Event):
    """Something that people must be able to look up later and that changes no number."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class BreaksSeen(Event):
    """An account was compared with its broker: these differences stay open, earlier ones are settled."""

    account_id: str
    breaks: tuple[Break, ...]


@dataclass(frozen=True, slots=True)
class ClockStepped(Event):
    """The machine's wall clock stepped, or 0 s: the engine started. Prices from before it open nothing.

    No interval moved by a step; at a start nobody measured how long no process ran.
    """

    seconds: float


@dataclass(frozen=True, slots=True)
class ConfigChanged(Event):
    """Other settings apply from here on; `config` is their JSON text, without secrets.

    `given` is the text of those that the process was started with; empty where they are the same.
    """

    config: str
    digest: str
    given: str = ""


@dataclass(frozen=True, slots=True)
class PositionAdded(Event):
    """A position that exists already: imported, or added by a person. Cash falls by its cost.

    `quantity` and `cost` are signed ledger integers; `stop_risk` a positive one.
    """

    key: PositionKey
    quantity: int
    cost: int
    stop_risk: int
    has_stop: bool
    takes_cash: bool = True


@dataclass(frozen=True, slots=True)
class QuotesReceived(Event):
    """New prices, by symbol."""

    quotes: tuple[tuple[str, Quote], ...]


@dataclass(frozen=True, slots=True)
class RateReceived(Event):
    """A new exchange rate to the base currency."""

    currency: str
    rate: Rate


@dataclass(frozen=True, slots=True)
class InstrumentDefined(Event):
    """The facts of an instrument."""

    instrument: Instrument


@dataclass(frozen=True, slots=True)
class CashMoved(Event):
    """Cash that came (positive) or went (negative), in ledger units of the base currency.

    `tolerated`: an adjustment to the broker's cash that was too small for a hold.
    """

    account_id: str
    kind: CashKind
    amount: int
    symbol: str = ""
    tolerated: bool = False


@dataclass(frozen=True, slots=True)
class SplitApplied(Event):
    """Every unit of a symbol became `ratio` units; its price falls by the same ratio."""

    symbol: str
    ratio: float


@dataclass(frozen=True, slots=True)
class BotChanged(Event):
    """A bot was registered, changed, enabled or disabled."""

    bot: Bot


@dataclass(frozen=True, slots=True)
class TradeDecided(Event):
    """A request was judged: what was asked, what was answered, and what an approval reserves."""

    request: TradeRequest
    decision: TradeDecision
    reservation: Reservation | None = None

    @property
    def request_id(self) -> str:
        """Id of the request."""
        return self.request.request_id


@dataclass(frozen=True, slots=True)
class Filled(Event):
    """A fill at the broker. `quantity` is signed, amounts are ledger integers.

    `cost` is the signed money paid in the base currency, without `fee`; `reported` the money that the report
    named, 0 where it named units, and of a fill that nobody approved what it cost in the instrument's own
    currency; `beside`: it closes nothing of others, whoever its owner is.
    """

    request_id: str
    execution_id: str
    key: PositionKey
    quantity: int
    cost: int
    fee: int
    final: bool
    used_opening: int
    used_closing: int
    used_quantity: int
    stop_risk: int = 0
    has_stop: bool = False
    reported: int = 0
    beside: bool = False


@dataclass(frozen=True, slots=True)
class ReservationClosed(Event):
    """What is left of an approval no longer counts, or is past its time and still does."""

    request_id: str
    status: ReservationStatus
    reason: str = ""


@dataclass(frozen=True, slots=True)
class HoldSet(Event):
    """A scope is no longer ACTIVE."""

    hold: Hold


@dataclass(frozen=True, slots=True)
class HoldReleased(Event):
    """One hold is gone; others of the same scope stay."""

    scope: Scope
    name: str
    cause: str
    reason: str


@dataclass(frozen=True, slots=True)
class VarHaltChanged(Event):
    """What increases VaR is stopped, or is no longer."""

    halted: bool


@dataclass(frozen=True, slots=True)
class ModelRefreshed(Event):
    """A worker prepared a new market model."""

    model: RiskModel


@dataclass(frozen=True, slots=True)
class EquityReported(Event):
    """Equity from outside, in money: cash is set so that equity comes out at it."""

    equity: float


@dataclass(frozen=True, slots=True)
class Marked(Event):
    """Time passed: spans and days are rolled on, equity is taken at its present value."""


@dataclass(frozen=True, slots=True)
class PeaksSeen(Event):
    """New highest profits, open positions included, by bot and by strategy; ledger units."""

    bots: tuple[tuple[str, int], ...]
    strategies: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class BudgetAllocated(Event):
    """A risk budget is in force from here on, or, with None, no longer."""

    budget: RiskAllocation | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class BudgetCut(Event):
    """Strategies whose budget their own drawdown cuts by another multiplier than before."""

    cuts: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class StrategyDaysRecorded(Event):
    """A trading day ended: profit, open positions included, and worst gross exposure of each strategy.

    `strategies` holds name, profit and exposure, in ledger units; `follows` says that the evening before was
    seen too, so that the difference is the profit of this one day.
    """

    day: date
    strategies: tuple[tuple[str, int, int], ...]
    follows: bool


@dataclass(frozen=True, slots=True)
class DrawdownAdjusted(Event):
    """A person or the recovery rule changed what the drawdown rules remember."""

    drawdown: DrawdownState
    reason: str


@dataclass(frozen=True, slots=True)
class EmergencyStepped(Event):
    """The emergency rows were held against fresh metrics: how often each was seen above its threshold."""

    counts: tuple[tuple[str, RowCount], ...]


@dataclass(frozen=True, slots=True)
class VarRecorded(Event):
    """A trading day ended: its forecast was held against what came, and the next one was kept."""

    record: VarRecord


@dataclass(frozen=True, slots=True)
class LiquidationStarted(Event):
    """A part of the book is to be closed; from here on it goes on until it has ended, restarts included."""

    liquidation: Liquidation


@dataclass(frozen=True, slots=True)
class LiquidationStepSent(Event):
    """Orders that are about to be sent: written first, so that none is sent twice."""

    liquidation_id: str
    orders: tuple[SentOrder, ...]


@dataclass(frozen=True, slots=True)
class LiquidationStepDone(Event):
    """Orders that can't fill any more: id, how it ended, and signed ledger units filled.

    `told`: id, units and cost of what was booked by the order's own word, since its executions did not come.
    """

    liquidation_id: str
    results: tuple[tuple[str, str, int], ...]
    told: tuple[tuple[str, int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class LiquidationStopped(Event):
    """A person wants it to end: nothing more is sent, what works is cancelled."""

    liquidation_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class LiquidationEnded(Event):
    """What was to be closed is closed by the broker's own positions, or a person ended it."""

    liquidation_id: str
    outcome: str


@dataclass(frozen=True, slots=True)
class AlertTold(Event):
    """An alert fired, was repeated, escalated, acknowledged or resolved; its channels are where it goes."""

    alert: Alert


@dataclass(frozen=True, slots=True)
class AlertNoted(Event):
    """An alert was seen and has to wait, or does no longer; nobody is told."""

    alert: Alert


@dataclass(frozen=True, slots=True)
class RuleChanged(Event):
    """An alert rule was added at run time or, without one, taken out.

    `is_settled` says that it is one of the settings, which would bring it back at the next start.
    """

    rule_id: str
    rule: RuleFacts | None
    is_settled: bool = True
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SilenceSet(Event):
    """Nobody is told of some alerts for a while."""

    silence: Silence


@dataclass(frozen=True, slots=True)
class SilenceEnded(Event):
    """Somebody ended a silence before its time."""

    silence_id: str
