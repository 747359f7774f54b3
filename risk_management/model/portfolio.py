"""The one state: an immutable snapshot of everything the gate, the monitors and the dashboard read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from risk_management.model.alert_book import NO_ALERTS, AlertBook
from risk_management.model.budget import RiskAllocation, StrategyDay
from risk_management.model.emergency import NO_MEMORY, EmergencyMemory
from risk_management.model.money import SCALE
from risk_management.model.reconciliation import NOTHING_TOLERATED, Break, ToleratedCash
from risk_management.model.var_record import NO_RECORD, VarRecord

if TYPE_CHECKING:
    from risk_management.model.drawdown import DrawdownState
    from risk_management.model.instrument import Instrument
    from risk_management.model.layered import Layered
    from risk_management.model.liquidation import Liquidation
    from risk_management.model.risk_model import RiskModel
    from risk_management.model.totals import Totals
    from risk_management.model.trade import TradeRequest

__all__ = [
    "EMERGENCY_STOP",
    "EXTERNAL",
    "OPERATOR",
    "OWN_CAUSES",
    "SYSTEM",
    "TAKEN_OVER",
    "Account",
    "Bot",
    "BotRecord",
    "Hold",
    "PortfolioState",
    "Position",
    "PositionKey",
    "Quote",
    "Rate",
    "Reservation",
    "ReservationStatus",
    "Scope",
    "StrategyRecord",
    "TradingMode",
]

OPERATOR: Final = "operator"
"""Owner of what a person adds or trades without naming a bot."""
EXTERNAL: Final = "EXTERNAL"
"""Owner of positions that a broker reports and nobody here approved."""
SYSTEM: Final = "system"
"""The risk system itself, when it trims or liquidates."""
EMERGENCY_STOP: Final = "emergency_stop"
"""Cause of the hold by which a person stops everything."""
TAKEN_OVER: Final = "taken_over"
"""Cause of the hold on a book that another machine had last and did not give back."""
OWN_CAUSES: Final = frozenset(
    {
        *(EMERGENCY_STOP, OPERATOR),
        *("ledger", "settings", "store", "system_error", TAKEN_OVER),
        *("reconciliation", "unreconciled", "fill_price", "overfill", "price_jump"),
        *("heartbeat", "liquidation", "strategy_drawdown"),
    }
)
"""What sets a hold beside the emergency rows, before a colon where it names somebody.

No row of a user goes by one: its hold would take the place of the other, and end it.
"""


def _no_breaks() -> Mapping[str, tuple[Break, ...]]:
    return MappingProxyType({})


def _no_liquidations() -> Mapping[str, Liquidation]:
    return MappingProxyType({})


class TradingMode(StrEnum):
    """What may be traded."""

    ACTIVE = "active"
    """All checks apply."""
    REDUCING = "reducing"
    """Only the closing part of a request passes."""
    HALTED = "halted"
    """Nothing from a bot passes; the system and an operator close."""

    @property
    def severity(self) -> int:
        """0 for ACTIVE to 2 for HALTED; the strictest of several modes wins."""
        return _SEVERITY[self.value]


_SEVERITY: Final = {"active": 0, "reducing": 1, "halted": 2}


class Scope(StrEnum):
    """What a mode stands over."""

    PORTFOLIO = "portfolio"
    STRATEGY = "strategy"
    BOT = "bot"
    SYMBOL = "symbol"


@dataclass(frozen=True, slots=True)
class Hold:
    """One reason why a scope is not ACTIVE. Releasing one hold never releases another.

    Parameters
    ----------
    scope : Scope
    name : str
        Name of the strategy, bot or symbol; empty for the portfolio.
    cause : str
        What set it, such as ``emergency_stop`` or ``daily_loss``; one hold a scope, name and cause.
    mode : TradingMode
    actor, reason : str
        Who set it, and why.
    since : datetime
    latched : bool
        Only a named person releases it.
    """

    scope: Scope
    name: str
    cause: str
    mode: TradingMode
    actor: str
    reason: str
    since: datetime
    latched: bool = False

    @property
    def key(self) -> tuple[Scope, str, str]:
        """Scope, name and cause."""
        return (self.scope, self.name, self.cause)

    def stands_over(self, request: TradeRequest, bot: Bot | None) -> bool:
        """Whether it holds a request; one of a bot that names another strategy is of its own all the same."""
        if self.scope is Scope.PORTFOLIO:
            return True
        if self.scope is Scope.STRATEGY and bot is not None and self.name == bot.strategy:
            return True
        names = {Scope.STRATEGY: request.strategy, Scope.BOT: request.bot, Scope.SYMBOL: request.symbol}
        return self.name == names[self.scope]


class PositionKey(NamedTuple):
    """Who holds what: positions are attributed to a bot and a strategy within an account."""

    account_id: str
    symbol: str
    strategy: str
    bot: str


@dataclass(frozen=True, slots=True)
class Position:
    """A holding of one bot and strategy. Amounts are ledger integers of 1e-8.

    Parameters
    ----------
    key : PositionKey
    quantity : int
        Units held, negative for a short.
    cost : int
        Money paid for them in the base currency, with the sign of `quantity`.
    opened_at : datetime
    stop_risk : int
        Money lost if the stop is hit, at most the notional; 0 without a stop.
    has_stop, stop_verified : bool
        Whether a stop is known, and whether it is known to stand at the broker.
    realised : int
        Profit of this round trip that is already closed, fees included.
    turnover : int
        Largest absolute cost of this round trip, the base of its return.
    """

    key: PositionKey
    quantity: int
    cost: int
    opened_at: datetime
    stop_risk: int = 0
    has_stop: bool = False
    stop_verified: bool = False
    realised: int = 0
    turnover: int = 0

    @property
    def entry_price(self) -> float:
        """Average money paid per unit, multiplier and exchange rate included."""
        return self.cost / self.quantity if self.quantity else 0.0

    @property
    def symbol(self) -> str:
        """Symbol held."""
        return self.key.symbol


class Quote(NamedTuple):
    """A price of an instrument itself, never of a proxy.

    `price` is above 0 in the instrument's currency; `time` is aware UTC; `source` names the feed;
    `daily` marks a daily close, whose age is counted in days. `anchor` is the last price that was sure while
    this one moved far from it in one tick and awaits a second; None for a sure one.
    """

    price: float
    time: datetime
    source: str
    daily: bool = False
    anchor: float | None = None


class Rate(NamedTuple):
    """Base currency for one unit of another, with its time."""

    value: float
    time: datetime


class ReservationStatus(StrEnum):
    """Life of an approval."""

    RESERVED = "reserved"
    PARTIAL = "partial"
    EXPIRED_UNCONFIRMED = "expired_unconfirmed"
    """Past its time and not reported: it still counts until someone says what became of it."""
    FILLED = "filled"
    CANCELLED = "cancelled"
    NOT_SENT = "not_sent"

    @property
    def is_open(self) -> bool:
        """Whether it still counts as exposure."""
        return self in _OPEN


_OPEN: Final = frozenset(
    {ReservationStatus.RESERVED, ReservationStatus.PARTIAL, ReservationStatus.EXPIRED_UNCONFIRMED}
)


@dataclass(frozen=True, slots=True)
class Reservation:
    """Exposure that is approved and not yet filled. Amounts are ledger integers of 1e-8.

    Parameters
    ----------
    request_id : str
    key : PositionKey
        Whom the fill will be attributed to.
    side : int
        +1 to buy, -1 to sell.
    opening : int
        Money of new exposure that is still open.
    closing : int
        Money of the closing part that is still open, at the price of the decision.
    closing_quantity : int
        Units of the closing part that are still open.
    approved : int
        Money approved in all.
    filled : int
        Money reported as filled.
    price : float or None
        Price of the decision, None where only the size in money was known.
    created_at, valid_until : datetime
    status : ReservationStatus
    quantity : int or None
        Units approved, where the price was known.
    risk : int
        Open risk that the opening part adds.
    stop_risk : int
        Money lost if the stop of the whole opening part is hit; 0 without a stop.
    """

    request_id: str
    key: PositionKey
    side: int
    opening: int
    closing: int
    closing_quantity: int
    approved: int
    filled: int
    price: float | None
    created_at: datetime
    valid_until: datetime
    status: ReservationStatus = ReservationStatus.RESERVED
    quantity: int | None = None
    risk: int = 0
    stop_risk: int = 0


@dataclass(frozen=True, slots=True)
class BotRecord:
    """What a bot has done so far.

    Parameters
    ----------
    returns : tuple of float
        Return of each closed trade on its cost, the newest 500, oldest first.
    closed_trades, wins : int
    realised : int
        Closed profit, ledger units.
    peak : int
        Highest `realised` plus open profit seen, ledger units.
    approved, cut, refused : int
        Decisions by outcome.
    last_seen : datetime or None
        Time of the last request.
    kelly_bound : float or None
        Lower confidence bound of the growth-optimal exposure, None below `min_trades`.
    forgiven : int
        Closed trades when a person last put the bot back: losses in a row are counted from there.
    """

    returns: tuple[float, ...] = ()
    closed_trades: int = 0
    wins: int = 0
    realised: int = 0
    peak: int = 0
    approved: int = 0
    cut: int = 0
    refused: int = 0
    last_seen: datetime | None = None
    kelly_bound: float | None = None
    forgiven: int = 0

    @property
    def losses_in_a_row(self) -> int:
        """Newest closed trades that all lost, as far as they are kept and not forgiven."""
        newest = self.returns[::-1][: max(0, self.closed_trades - self.forgiven)]
        return next((n for n, result in enumerate(newest) if result >= 0.0), len(newest))

    @property
    def win_rate(self) -> float | None:
        """Share of closed trades with a profit, None without any."""
        return self.wins / self.closed_trades if self.closed_trades else None


@dataclass(frozen=True, slots=True)
class Bot:
    """A registered bot.

    Parameters
    ----------
    name, strategy : str
    max_exposure : float or None
        Money that it may hold, None for the configured share of equity.
    kelly_fraction : float or None
        Its own share of Kelly, None for the configured one.
    enabled : bool
        A disabled bot may close and not open.
    registered_at : datetime
    auto_registered : bool
        It came without being registered.
    disabled_reason : str
    record : BotRecord
    """

    name: str
    strategy: str
    registered_at: datetime
    max_exposure: float | None = None
    kelly_fraction: float | None = None
    enabled: bool = True
    auto_registered: bool = False
    disabled_reason: str = ""
    record: BotRecord = field(default_factory=BotRecord)


@dataclass(frozen=True, slots=True)
class StrategyRecord:
    """What a strategy has earned; ledger units.

    Parameters
    ----------
    realised : int
        Closed profit.
    peak : int
        Highest profit seen, open positions included.
    evening : date or None
        Last trading day whose end was seen while a risk budget was in force or asked for.
    evening_profit, evening_exposure : int
        Closed and open profit, and worst gross exposure, at its end.
    days : tuple of StrategyDay
        The last 250 days from one evening to the next, oldest first.
    """

    realised: int = 0
    peak: int = 0
    evening: date | None = None
    evening_profit: int = 0
    evening_exposure: int = 0
    days: tuple[StrategyDay, ...] = ()


@dataclass(frozen=True, slots=True)
class Account:
    """Cash of one account, ledger integers of 1e-8 in the base currency."""

    account_id: str
    cash: int

    @property
    def balance(self) -> float:
        """Cash as money."""
        return self.cash / SCALE


@dataclass(frozen=True)  # no slots: see amended
class PortfolioState:
    """Everything that is known, at one moment. Only `Book.apply` makes the next one.

    Parameters
    ----------
    version : int
        Number of events applied.
    as_of : datetime
        Aware UTC time of the last event.
    environment : str
        ``paper``, ``live`` or ``replay``.
    base_currency : str
    accounts : Mapping of str to Account
    positions : Mapping of PositionKey to Position
    quotes : Mapping of str to Quote
    rates : Mapping of str to Rate
    instruments : Mapping of str to Instrument
    reservations : Mapping of str to Reservation
        Open ones, by request id.
    settled : Layered of str to Reservation
        The newest closed ones, for late reports.
    executions : Layered of str to tuple
        Execution id to what it booked, for repeated reports.
    bots : Mapping of str to Bot
    strategies : Mapping of str to StrategyRecord
    holds : Mapping of (Scope, str, str) to Hold
    var_halted : bool
        Nothing that increases VaR is approved.
    requests : Mapping of str to tuple of datetime
        Times of each bot's opening requests of the last minute.
    intents : Mapping of tuple to datetime
        Time of the newest request of each bot, symbol, side and size.
    model : RiskModel
        Returns, volatilities, clusters and shocks, prepared once.
    totals : Totals
        Carried sums over positions and reservations.
    drawdown : DrawdownState
    var_record : VarRecord
        Forecasts of past days and what came.
    unsure : frozenset of str
        Symbols whose price moved far in one tick and awaits a second.
    emergency : EmergencyMemory
    breaks : Mapping of str to tuple of Break
        By account, what its broker says otherwise.
    prices_since : datetime or None
        Prices of this moment and before open nothing: the machine's clock stepped.
    alerts : AlertBook
    liquidations : Mapping of str to Liquidation
        Those that go on, and the newest that have ended, by id.
    budget : RiskAllocation or None
        The risk budget in force.
    tolerated_cash : ToleratedCash
        Differences of cash that were booked without a hold.
    """

    version: int
    as_of: datetime
    environment: str
    base_currency: str
    accounts: Mapping[str, Account]
    positions: Mapping[PositionKey, Position]
    quotes: Mapping[str, Quote]
    rates: Mapping[str, Rate]
    instruments: Mapping[str, Instrument]
    reservations: Mapping[str, Reservation]
    settled: Layered[str, Reservation]
    executions: Layered[str, tuple[str, int, float, int]]
    bots: Mapping[str, Bot]
    strategies: Mapping[str, StrategyRecord]
    holds: Mapping[tuple[Scope, str, str], Hold]
    var_halted: bool
    requests: Mapping[str, tuple[datetime, ...]]
    intents: Mapping[tuple[str, str, int, int], datetime]
    model: RiskModel
    totals: Totals
    drawdown: DrawdownState
    var_record: VarRecord = NO_RECORD
    unsure: frozenset[str] = frozenset()
    emergency: EmergencyMemory = NO_MEMORY
    breaks: Mapping[str, tuple[Break, ...]] = field(default_factory=_no_breaks)
    prices_since: datetime | None = None
    alerts: AlertBook = NO_ALERTS
    liquidations: Mapping[str, Liquidation] = field(default_factory=_no_liquidations)
    budget: RiskAllocation | None = None
    tolerated_cash: ToleratedCash = NOTHING_TOLERATED

    def rate_of(self, currency: str) -> float | None:
        """Base currency for one unit of `currency`; None where no rate is known."""
        if currency == self.base_currency:
            return 1.0
        rate = self.rates.get(currency)
        return None if rate is None else rate.value

    @property
    def is_sure(self) -> bool:
        """Whether every held price is sure: no loss is acted on, and no peak taken, on a single far tick."""
        return not any(symbol in self.totals.names for symbol in self.unsure)

    @property
    def cash(self) -> float:
        """Cash of all accounts, in the base currency."""
        return sum(account.cash for account in self.accounts.values()) / SCALE

    @property
    def equity(self) -> float | None:
        """Cash and marked positions in the base currency; None while a position has no price."""
        return self.totals.equity

    @property
    def high_water_mark(self) -> float:
        """Highest value that the present units have had, in the base currency."""
        return self.drawdown.high_water_mark

    @property
    def mode(self) -> TradingMode:
        """Strictest mode that stands over the whole portfolio."""
        return self.mode_of(Scope.PORTFOLIO, "")

    @property
    def is_stopped(self) -> bool:
        """Whether a person stopped everything, and nobody released it."""
        return (Scope.PORTFOLIO, "", EMERGENCY_STOP) in self.holds

    def mode_of(self, scope: Scope, name: str) -> TradingMode:
        """Strictest mode of one scope, by its own holds alone."""
        mode = TradingMode.ACTIVE
        for hold in self.holds.values():
            if hold.scope is scope and hold.name == name and hold.mode.severity > mode.severity:
                mode = hold.mode
        return mode
