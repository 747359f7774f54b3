"""`AdvancedRiskManager`: puts the parts together and decides nothing itself."""

from __future__ import annotations

import getpass
import logging
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from risk_management.alerts.outbox import MemoryOutbox, Outbox
from risk_management.alerts.risk_alerts import AlertSeverity, AlertType, RiskAlertManager, settled_rules
from risk_management.alerts.steady import SteadyOutbox
from risk_management.calculators.kelly_optimizer import KellyOptimizer
from risk_management.calculators.risk_budget import RiskBudget, RiskBudgetAllocator
from risk_management.calculators.stress_tester import StressTester
from risk_management.calculators.var_calculator import VaRCalculator
from risk_management.clock import Clock
from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core import drawdown as drawdown_rules
from risk_management.core.assessment import RiskAssessment
from risk_management.core.bot_limits import check_tightens
from risk_management.core.commit import Journal
from risk_management.core.correlation_monitor import CorrelationMonitor
from risk_management.core.emergency_rows import emergency_rows
from risk_management.core.entry import (
    checked_bot,
    checked_instrument,
    checked_moment,
    checked_name,
    checked_number,
    checked_price,
    checked_symbol,
    entry_event,
    instrument_event,
)
from risk_management.core.facts import cash_event, unapproved_fill
from risk_management.core.fill_report import FillReport
from risk_management.core.foundation import Foundation, lay_foundation
from risk_management.core.heartbeats import Heartbeats
from risk_management.core.liquidation import plan_liquidation
from risk_management.core.order_desk import OrderDesk, OrderTicket
from risk_management.core.peaks import fresh_start
from risk_management.core.portfolio_heat import PortfolioHeatMonitor
from risk_management.core.protocol import EmergencyProtocol, Executor, Stopped
from risk_management.core.quotes import PriceUpdate, price_events
from risk_management.core.reconciliation import checked_report, compared
from risk_management.core.risk_model import with_stable_labels
from risk_management.core.scopes import checked_scope
from risk_management.core.taking_up import hold_until_reconciled, take_up
from risk_management.core.watch import Watch
from risk_management.errors import ConfigurationError, InvalidRequest, shown
from risk_management.model.amend import amended
from risk_management.model.broker import MarketState
from risk_management.model.events import (
    BotChanged,
    CashKind,
    DrawdownAdjusted,
    EquityReported,
    Event,
    Filled,
    HoldReleased,
    HoldSet,
    InstrumentDefined,
    ModelRefreshed,
    PositionAdded,
    RateReceived,
    SplitApplied,
)
from risk_management.model.instrument import Instrument
from risk_management.model.liquidation import EVERYTHING, Liquidation, LiquidationPlan, LiquidationScope
from risk_management.model.money import SCALE
from risk_management.model.portfolio import (
    EMERGENCY_STOP,
    EXTERNAL,
    OPERATOR,
    Bot,
    Hold,
    PortfolioState,
    PositionKey,
    Rate,
    Scope,
    TradingMode,
)
from risk_management.model.reconciliation import Reconciliation
from risk_management.model.risk_model import RiskModel
from risk_management.model.trade import Execution, TradeDecision
from risk_management.monitors.drawdown_protection import DrawdownProtection

if TYPE_CHECKING:
    import pandas as pd

    from risk_management.core.book import Book
    from risk_management.market_data.positions_file import PositionRow

__all__ = ["AdvancedRiskManager", "library_actor"]

logger = logging.getLogger(__name__)

FUTURE = timedelta(seconds=5)
MOST_SPLIT = 1e4
MOST_QUOTES = 20_000


def library_actor() -> str:
    """Who calls from Python without naming an actor: ``user@host (library)``."""
    return f"{getpass.getuser()}@{socket.gethostname()} (library)"


class AdvancedRiskManager:
    """The whole book, every order's judge, and what watches between orders.

    Parameters
    ----------
    config : RiskManagementConfig, optional
        Checked and copied; later changes go through `reconfigure`.
    prices : DataFrame, optional
        Closes, dates x symbols; without one the configured source serves, by default the sample.
    sectors : Mapping of str to str, optional
        Sector of a symbol.
    clock : Clock, optional
        By default the sample and a frame start at their last date; other sources use real time.
    executor : callable, optional
        Trades what the emergency protocols close; by default it is booked at the marks.
    journal : Journal, optional
        Keeps every event in order; by default the store that the settings name, or nothing.

    Raises
    ------
    ConfigurationError, MarketDataError
    """

    def __init__(
        self,
        config: RiskManagementConfig | None = None,
        *,
        prices: pd.DataFrame | None = None,
        sectors: Mapping[str, str] | None = None,
        clock: Clock | None = None,
        executor: Executor | None = None,
        journal: Journal | None = None,
    ) -> None:
        foundation = lay_foundation(config, prices=prices, sectors=sectors, clock=clock)
        self._build(foundation, executor, journal)

    @classmethod
    def on(
        cls,
        foundation: Foundation,
        *,
        executor: Executor | None = None,
        journal: Journal | None = None,
    ) -> AdvancedRiskManager:
        """A manager on a foundation that is laid already; several may share one."""
        manager = cls.__new__(cls)
        manager._build(foundation, executor, journal)
        return manager

    @classmethod
    def of_book(cls, foundation: Foundation, book: Book) -> AdvancedRiskManager:
        """A manager on a book as it stands, such as one that was read from a store: nothing is taken up."""
        manager = cls.__new__(cls)
        manager._stand_on(foundation, book, None)
        return manager

    def _build(self, foundation: Foundation, executor: Executor | None, journal: Journal | None) -> None:
        settled_rules(foundation.config)  # a wrong file of rules, before a store is opened
        with ExitStack() as failed:
            if journal is None and foundation.config.store is not None:
                from risk_management.store.sql_journal import SqlJournal  # noqa: PLC0415 - 0.3 s, only for a store

                opened = SqlJournal(foundation.config.store)
                failed.callback(opened.close)
                journal = opened
            foundation, book = take_up(foundation, journal)
            failed.pop_all()
        self._stand_on(foundation, book, executor)

    def _stand_on(self, foundation: Foundation, book: Book, executor: Executor | None) -> None:
        self.book = book
        self.foundation = foundation
        self.clock = foundation.clock
        self.desk = OrderDesk(self.book, self.clock, self._alarm)
        self.protocol = EmergencyProtocol(self.book, self.desk, self.clock, executor)
        self.heartbeats = Heartbeats(self.book, self.desk, self.clock)
        self.tell_markets: Callable[[Iterable[str]], Mapping[str, MarketState]] | None = None
        """Asked about markets where a liquidation is planned; set by whoever has a broker."""
        self.alert_manager = RiskAlertManager(foundation.config, self.clock, book=self.book)
        durable: Outbox | None = getattr(self.book.journal, "outbox", None)
        self.outbox: Outbox = MemoryOutbox() if durable is None else SteadyOutbox(durable)
        """What is still to be sent; `integration.alerting` sends it."""
        self._watch = Watch(self.book, self.clock, self.desk, self.protocol, self.alert_manager)
        self.heat_monitor = PortfolioHeatMonitor.on(foundation, self.book)
        self.correlation_monitor = CorrelationMonitor.on(foundation, self.book)
        self.var_calculator = VaRCalculator.on(foundation, self.book)
        self.kelly_optimizer = KellyOptimizer.on(foundation, self.book)
        self.stress_tester = StressTester.on(foundation, self.book)
        self.drawdown_protection = DrawdownProtection.on(foundation, self.book)
        self.budget_allocator = RiskBudgetAllocator.on(foundation, self.book)
        broker = foundation.config.broker_config.name
        if broker is not None:
            said = f"positions, cash and prices were not compared with the broker {broker!r} yet"
            hold_until_reconciled(self.book, self.clock.now(), said)

    @property
    def config(self) -> RiskManagementConfig:
        """The settings in use; change them with `reconfigure`."""
        return self.book.config

    @property
    def state(self) -> PortfolioState:
        """The current snapshot."""
        return self.book.state

    # -- the book -----------------------------------------------------------------------------------

    def add_position(
        self,
        symbol: str,
        size: float,
        entry_price: float,
        strategy: str = "",
        risk_amount: float | None = None,
        *,
        bot_name: str | None = None,
        account_id: str | None = None,
        takes_cash: bool = True,
    ) -> None:
        """Take in a position that exists already; it is a fact and kept, whatever the limits say.

        Parameters
        ----------
        symbol : str
        size : float
            Money paid, negative for a short; cash falls by it unless `takes_cash` is False.
        entry_price : float
            Above 0; the position is marked at it until a quote arrives.
        strategy : str
        risk_amount : float, optional
            Money lost if the stop is hit; more than the size is cut to it, with a warning.
        bot_name : str, optional
            Who may close it; an operator by default.
        account_id : str, optional

        Raises
        ------
        InvalidRequest
            Nothing was changed.
        """
        now = self.clock.now()
        with self.book.lock:
            event = entry_event(
                self.state,
                symbol,
                size,
                entry_price,
                strategy,
                risk_amount,
                now,
                bot=bot_name or OPERATOR,
                account_id=self._account(account_id),
                takes_cash=takes_cash,
            )
            self._know(event.key.symbol)
            self.book.apply(event)

    def import_positions(
        self,
        rows: Iterable[PositionRow],
        *,
        one_shot: bool = False,
        high_water_mark: float | None = None,
    ) -> int:
        """Take in positions read from a file; all or none. Returns how many.

        Parameters
        ----------
        rows : iterable of PositionRow
        one_shot : bool
            Accept rows that give only a size in money: they are taken at a unit price of 1, which holds
            for measuring once and not for a book that will see quotes.
        high_water_mark : float, optional
            Highest equity that the account has had, in money; it is asked for and never guessed. Without
            it the initial capital counts.

        Raises
        ------
        InvalidRequest
            ``MISSING_PRICE`` or a value that means nothing; nothing was changed.
        """
        now = self.clock.now()
        with self.book.lock:
            events = [
                entry_event(
                    self.state,
                    row.symbol,
                    row.size,
                    _entry_price(row, one_shot=one_shot),
                    row.strategy,
                    row.risk_amount,
                    now,
                    bot=row.bot or OPERATOR,
                    account_id=self._account(row.account_id),
                )
                for row in map(_checked_row, rows)
            ]
            mark = None if high_water_mark is None else checked_number(high_water_mark, "high_water_mark")
            _no_opposites(events)
            for event in events:
                self._know(event.key.symbol)
                self.book.apply(event)
            if mark is not None:
                marked = drawdown_rules.with_mark(self.state.drawdown, mark, now, self.config.drawdown_config)
                self._apply_now(DrawdownAdjusted, drawdown=marked, reason="mark given at the import")
        return len(events)

    def update_prices(
        self,
        prices: Mapping[str, float],
        *,
        at: datetime | None = None,
        source: str = "caller",
        daily: bool = False,
    ) -> PriceUpdate:
        """Take in prices of the instruments themselves.

        Parameters
        ----------
        prices : Mapping of str to float
            In each instrument's currency, above 0.
        at : datetime, optional
            Aware time of the prices, by default now; more than 5 s in the future is refused, older
            than the stored one is ignored.
        source : str
        daily : bool
            Daily closes, whose age is counted in days.

        Raises
        ------
        InvalidRequest
            Nothing was changed.
        """
        self.desk.clock_watch.look()
        now = self.clock.now()
        moment = now if at is None else self.desk.clock_watch.engine_time(checked_moment(at, "at"))
        if not isinstance(prices, Mapping):
            raise InvalidRequest("WRONG_TYPE", "prices", f"prices map symbols to prices; got {shown(prices)}")
        if moment > now + FUTURE:
            said = f"prices of {moment} lie in the future of {now}"
            if self.state.model.matrix.is_sample:
                said += "; the sample's clock runs from its last day: set market_data_config.source"
            raise InvalidRequest("FUTURE_TIMESTAMP", "at", said)
        checked = {checked_symbol(s): checked_price(p, f"price of {s}") for s, p in prices.items()}
        if len(checked.keys() | self.state.quotes.keys()) > MOST_QUOTES:
            said = f"prices of more than {MOST_QUOTES:,} symbols are not kept; give those that are traded"
            raise InvalidRequest("OUT_OF_RANGE", "prices", said)
        with self.book.lock:
            update = price_events(self.state, self.config, checked, moment, source, daily=daily, now=now)
            for event in update.events:
                self.book.apply(event)
        self.heartbeats.prices_came(source)
        return update

    def record_cash(
        self,
        kind: CashKind | str,
        amount: float,
        *,
        account_id: str | None = None,
        symbol: str = "",
        actor: str = OPERATOR,
    ) -> None:
        """Book cash that came (positive) or went (negative): deposit, withdrawal, fee, funding, ...

        Deposits and withdrawals are neutral to drawdown; all else is profit or loss. A new account is
        opened by its first deposit.
        """
        event = cash_event(self.state, self.clock.now(), kind, amount, account_id, symbol)
        self.book.apply(replace(event, actor=actor))

    def report_equity(self, equity: float, *, confirmed: bool = False, actor: str = OPERATOR) -> bool:
        """Take in what the account is worth by its broker; cash makes up the difference.

        Parameters
        ----------
        equity : float
            Money.
        confirmed : bool
            Believe it although it jumps by more than `quarantine_jump` without a reason.
        actor : str

        Returns
        -------
        bool
            Whether it is believed; else it is kept aside until a second report of about its size comes, and
            nothing opens meanwhile.

        Raises
        ------
        InvalidRequest
            For anything but a finite number; nothing was changed.
        """
        value = checked_number(equity, "equity", zero=True, signed=True)
        with self.book.lock:
            for _ in range(1 + confirmed):  # a confirmation is the second report that the rules wait for
                self._apply_now(EquityReported, actor=actor, equity=value)
                if self.state.drawdown.quarantined is None:
                    return True
        return False

    def record_split(self, symbol: str, ratio: float) -> None:
        """Every unit became `ratio` units (2.0 for two-for-one); the price falls by the same ratio."""
        value = checked_number(ratio, "ratio", most=MOST_SPLIT)
        if value < 1.0 / MOST_SPLIT:
            raise InvalidRequest(
                "OUT_OF_RANGE", "ratio", f"ratio must be at least {1.0 / MOST_SPLIT:g}; got {value:g}"
            )
        self._apply_now(SplitApplied, symbol=checked_symbol(symbol), ratio=value)

    def set_rate(self, currency: str, rate: float, *, confirmed: bool = False) -> None:
        """Base currency for one unit of another; without a fresh one nothing opens in it.

        A jump beyond `quote_jump` is refused unless it is `confirmed`.
        """
        value = Rate(checked_number(rate, "rate"), self.clock.now())
        old = self.state.rates.get(checked_name(currency, "currency"))
        jump = self.book.config.market_data_config.quote_jump
        if old is not None and not confirmed and abs(value.value / old.value - 1.0) > jump:
            said = f"{currency} was {old.value:g}, now {value.value:g}; pass confirmed=True if so"
            raise InvalidRequest("RATE_JUMP", "rate", said)
        self._apply_now(RateReceived, currency=currency, rate=value)

    def define_instrument(self, instrument: Instrument) -> None:
        """Set the facts of an instrument."""
        fresh = checked_instrument(instrument)
        known = self.state.instruments.get(fresh.symbol)
        changes = known is not None and (known.multiplier, known.currency, known.kind) != (
            fresh.multiplier,
            fresh.currency,
            fresh.kind,
        )
        if changes and fresh.symbol in self.state.totals.names:
            raise InvalidRequest(
                "INSTRUMENT_IN_USE",
                "instrument",
                f"{fresh.symbol} is held: its multiplier, currency and kind can't change; record a split, "
                "or close it first",
            )
        self._apply_now(InstrumentDefined, instrument=fresh)

    def use_model(self, model: RiskModel) -> None:
        """Put a freshly prepared market model in place; its clusters keep the labels that they had."""
        if not isinstance(model, RiskModel):
            raise InvalidRequest("WRONG_TYPE", "model", f"a RiskModel is needed; got {shown(model)}")
        with self.book.lock:
            self._apply_now(ModelRefreshed, model=with_stable_labels(model, self.state.model))

    # -- orders -------------------------------------------------------------------------------------

    def evaluate_trade(  # noqa: PLR0913 - the words of an order
        self,
        symbol: str,
        action: str,
        proposed_size: float,
        strategy: str = "",
        *,
        bot_name: str | None = None,
        confidence: float = 1.0,
        price: float | None = None,
        risk_amount: float | None = None,
        account_id: str | None = None,
    ) -> TradeDecision:
        """Ask what would be approved; nothing is reserved.

        Parameters
        ----------
        symbol : str
        action : str
            ``buy`` or ``sell``.
        proposed_size : float
            Money, above 0.
        strategy : str
        bot_name : str, optional
            Who asks; an operator by default.
        confidence : float
            0 to 1; neutral from 0.70 on, it never raises a size.
        price : float, optional
            Limit price; without one the order is a market order.
        risk_amount : float, optional
            Money lost if the new position's stop is hit.
        account_id : str, optional

        Raises
        ------
        InvalidRequest
            The call means nothing; a refusal is a decision, never an exception.
        """
        return self.desk.ask(
            OrderTicket(
                symbol, action, proposed_size, strategy, bot_name, confidence, price, risk_amount, account_id
            )
        )

    def request_trade(self, ticket: OrderTicket) -> TradeDecision:
        """Ask, and reserve what is approved."""
        return self.desk.request(ticket)

    def execute_trade(self, report: FillReport) -> Execution:
        """Book a fill report."""
        return self.desk.execute(report)

    def record_fill(
        self,
        symbol: str,
        action: str,
        quantity: float,
        price: float,
        *,
        execution_id: str,
        bot_name: str | None = None,
        strategy: str = "",
        fee: float = 0.0,
    ) -> None:
        """Book a broker's fill that nobody approved. It is a fact: booked, flagged and told.

        Without a bot it belongs to `EXTERNAL`. The same execution id is booked once.

        Raises
        ------
        InvalidRequest
            For a value that means nothing, or ``EXECUTION_CONFLICT``: the id was booked with other numbers.
        """
        with self.book.lock:
            known = instrument_event(self.state, checked_symbol(symbol), self.clock.now())
            event = unapproved_fill(
                self.state,
                self.clock.now(),
                symbol,
                action,
                quantity,
                price,
                execution_id,
                bot_name,
                strategy,
                fee,
            )
            booked = self.desk.executed(event.execution_id)
            if booked is not None:
                _same_fill(event, booked)
                return
            if known is not None:
                self.book.apply(known)
            self.book.apply(event)
        owner = event.key.bot
        self._alarm("UNAPPROVED_FILL", f"{owner} filled {action} {quantity:g} {symbol} without an approval")

    def reconcile(
        self,
        positions: Mapping[str, float],
        *,
        cash: float | None = None,
        open_orders: Iterable[str] | None = None,
        prices: Mapping[str, float] | None = None,
        account_id: str | None = None,
        settle: bool = False,
        actor: str = "",
    ) -> Reconciliation:
        """Hold the account against what its broker says; the broker is right on quantities and cash.

        Parameters
        ----------
        positions : Mapping of str to float
            Units by symbol, negative for a short; all that the account holds.
        cash : float, optional
            In the base currency.
        open_orders : iterable of str, optional
            Request ids of the orders that work at the broker. With them approvals past their time that
            are not among them are freed.
        prices : Mapping of str to float, optional
            The broker's marks, for symbols that we have no price of.
        account_id : str, optional
        settle : bool
            Book every difference now; without it one that takes exposure away, or cash beyond
            `broker_config.cash_tolerance`, waits for a second report that says the same.
        actor : str, optional

        Returns
        -------
        Reconciliation
            Differences that approved orders explain are awaited; others are booked to `EXTERNAL`, or stay
            open and hold their symbol.

        Raises
        ------
        InvalidRequest
            Nothing was changed.
        """
        report = checked_report(positions, cash, open_orders, prices)
        who = actor or library_actor()
        with self.book.lock:
            account = self._account(account_id)
            for symbol in report.positions:
                self._know(symbol)
            now = self.clock.now()
            events, found = compared(self.state, self.config, account, report, now, settle=settle, actor=who)
            for event in events:
                self.book.apply(event)
        for difference in found.breaks:
            self._alarm("RECONCILIATION_BREAK", difference.explain())
        for difference in found.adopted:
            self._alarm("RECONCILED", f"{difference.explain()}; booked to {EXTERNAL}")
        if found.is_clean:
            self.alert_manager.resolve("RECONCILIATION_BREAK", now)
        return found

    # -- bots and modes -----------------------------------------------------------------------------

    def register_bot(
        self,
        bot_name: str,
        strategy_type: str = "",
        max_position_size: float | None = None,
        kelly_fraction: float | None = None,
        *,
        actor: str = OPERATOR,
        may_loosen: bool = True,
    ) -> Bot:
        """Register a bot, or change the limits of a known one; its record is kept.

        Parameters
        ----------
        bot_name : str
        strategy_type : str
            Empty: as it is.
        max_position_size : float, optional
            Money. None: as it is; of a new bot `bot_config.max_exposure` of equity.
        kelly_fraction : float, optional
            0 to 1. None: as it is; of a new bot `kelly_config.default_kelly_fraction`.
        actor : str
        may_loosen : bool
            False refuses a limit that is looser than the one that holds now.

        Raises
        ------
        InvalidRequest
            A value that means nothing, or ``NOT_ALLOWED``; nothing was changed.
        """
        name = checked_bot(bot_name)
        strategy = checked_name(strategy_type, "strategy_type", empty=True)
        limit, share = max_position_size, kelly_fraction
        if limit is not None:
            limit = checked_number(limit, "max_position_size")
        if share is not None:
            share = checked_number(share, "kelly_fraction", zero=True, most=1.0)
        with self.book.lock:
            known = self.state.bots.get(name)
            old = known or Bot(name, "", self.clock.now())
            bot = amended(
                old,
                strategy=strategy or old.strategy,
                max_exposure=old.max_exposure if limit is None else limit,
                kelly_fraction=old.kelly_fraction if share is None else share,
            )
            if not may_loosen:
                check_tightens(self.config, self.state.equity, known, bot)
            self._apply_now(BotChanged, actor=actor, bot=bot)
        return bot

    def set_bot_enabled(
        self, bot_name: str, *, enabled: bool, reason: str = "", actor: str = ""
    ) -> tuple[str, ...]:
        """Enable or disable a bot. Disabled, its exits pass; its open entries are cancelled and returned.

        Raises
        ------
        InvalidRequest
            ``UNKNOWN_BOT``.
        """
        if not isinstance(enabled, bool):
            raise InvalidRequest("WRONG_TYPE", "enabled", f"enabled is True or False; got {shown(enabled)}")
        who = actor or library_actor()
        with self.book.lock:
            bot = self.state.bots.get(checked_name(bot_name, "bot_name"))
            if bot is None:
                known = ", ".join(self.state.bots) or "none"
                raise InvalidRequest(
                    "UNKNOWN_BOT", "bot_name", f"no bot is called {bot_name!r}; known: {known}"
                )
            record = amended(bot.record, forgiven=bot.record.closed_trades) if enabled else bot.record
            reason_kept = "" if enabled else reason
            changed = amended(bot, enabled=enabled, disabled_reason=reason_kept, record=record)
            self._apply_now(BotChanged, actor=who, bot=changed)
            if enabled:
                self.desk.failures.forgive(bot.name)
                self.alert_manager.resolve(f"bot_off:{bot.name}", self.clock.now())
                if not bot.enabled:  # else the old peak would switch it off again at once
                    self.book.apply(fresh_start(self.state, self.clock.now(), who, bot=bot_name))
                return ()
            mine = [r for r in self.state.reservations.values() if r.key.bot == bot_name and r.opening > 0]
            self.desk.cancel_all(reason or "bot disabled", bot=bot_name, openings_only=True, actor=who)
            return tuple(r.request_id for r in mine)

    def set_mode(self, mode: TradingMode, reason: str, *, scope: Scope, name: str, actor: str = "") -> None:
        """Hold a portfolio, strategy, bot or symbol in a mode; ACTIVE ends what holds it.

        A strategy that lost too much is let go on by this, with its losses counted anew. The stops of the
        whole portfolio are ended by `release_emergency` alone.

        Raises
        ------
        InvalidRequest
            ``UNKNOWN_BOT``, ``UNKNOWN_STRATEGY`` or ``UNKNOWN_SYMBOL``: nothing here goes by this name,
            and a stop of it would stop nobody.
        """
        who = actor or library_actor()
        now = self.clock.now()
        try:
            mode, scope = TradingMode(mode), Scope(scope)
        except ValueError as problem:
            raise InvalidRequest("INVALID_MODE", "mode", str(problem)) from None
        with self.book.lock:
            checked_scope(self.state, scope, name)
            if mode is TradingMode.ACTIVE:
                self._release(scope, name, who, reason)
                return
            hold = Hold(scope, name, "operator", mode, who, reason, now, latched=scope is Scope.PORTFOLIO)
            self._apply_now(HoldSet, actor=who, hold=hold)

    def _release(self, scope: Scope, name: str, actor: str, reason: str) -> None:
        """End an operator's hold; of a strategy, bot or symbol also those that the system set."""
        with self.book.lock:
            mine = [h for h in self.state.holds.values() if (h.scope, h.name) == (scope, name)]
            for hold in mine:
                if hold.cause == "operator" or scope is not Scope.PORTFOLIO:
                    self._apply_now(
                        HoldReleased, actor=actor, scope=scope, name=name, cause=hold.cause, reason=reason
                    )
            if scope is Scope.STRATEGY:
                self.book.apply(fresh_start(self.state, self.clock.now(), actor, strategy=name))

    # -- watching -----------------------------------------------------------------------------------

    def assess_overall_risk(self, *, confirmed: bool | None = None) -> RiskAssessment:
        """Measure the whole book, act on emergencies, fire alerts.

        Parameters
        ----------
        confirmed : bool, optional
            One assessment is enough for a liquidation; by default in a replay of daily bars.
        """
        self.check_heartbeats()
        return self._watch.assess(confirmed=confirmed)

    def heartbeat(self, kind: str, name: str) -> None:
        """A bot, feed or engine lives; settings say how long each may be silent.

        Parameters
        ----------
        kind : str
            ``bot``, ``feed`` or ``engine``.
        name : str

        Raises
        ------
        InvalidRequest
            ``INVALID_KIND``, or ``UNKNOWN_BOT``.
        """
        checked_name(name, "name")
        if kind == "bot" and name not in self.state.bots:
            known = ", ".join(self.state.bots) or "none"
            raise InvalidRequest("UNKNOWN_BOT", "name", f"no bot is called {name!r}; known: {known}")
        self.heartbeats.beat(kind, name)

    def check_heartbeats(self) -> tuple[str, ...]:
        """Hold whoever is missing and let go whoever is back; returns a sentence for each that is missing."""
        said = self.heartbeats.check()
        for text in said:
            logger.warning("%s", text)
            self._alert(AlertType.SYSTEM_ERROR, AlertSeverity.CRITICAL, text, "heartbeat")
        if not said and not any(cause.startswith("heartbeat:") for _, _, cause in self.state.holds):
            self.alert_manager.resolve("heartbeat", self.clock.now())
        return said

    def look(self) -> RiskAssessment:
        """Measure the whole book and change nothing: no event, no emergency, no alert."""
        return self._watch.look()

    # -- the risk budget ----------------------------------------------------------------------------

    def allocate_risk_budget(
        self,
        budget: float | None = None,
        method: str | None = None,
        measure: str | None = None,
        strategies: Sequence[str] | None = None,
        *,
        preview: bool = False,
        reason: str = "",
        actor: str = "",
        may_loosen: bool = True,
    ) -> RiskBudget:
        """Split a budget of risk over strategies; from then on it binds every opening order.

        Parameters
        ----------
        budget : float, optional
            The whole of it as a fraction of equity; by default `budget_config.limit_share` of the
            portfolio's own limit on the measure.
        method : {'equal', 'inverse_volatility', 'risk_parity', 'sharpe', 'fixed'}, optional
        measure : {'var', 'es', 'drawdown'}, optional
            One-day VaR at 95 %, expected shortfall at 97.5 %, or loss from the peak and one bad day.
        strategies : sequence of str, optional
            By default those of all bots and of all that is held.
        preview : bool
            Say what it would be, and change nothing.
        reason : str
        actor : str, optional
        may_loosen : bool
            False refuses a split that gives a strategy more than it has now.

        Returns
        -------
        RiskBudget
            Where too little is known for the method, equal shares with the reason.

        Raises
        ------
        InvalidRequest
            Nothing was changed.
        """
        return self.budget_allocator.allocate_risk_budget(
            budget,
            method=method,
            measure=measure,
            strategies=strategies,
            preview=preview,
            reason=reason,
            actor=actor or library_actor(),
            may_loosen=may_loosen,
        )

    def withdraw_risk_budget(self, reason: str, *, actor: str = "") -> bool:
        """End the risk budget in force, in somebody's name; whether there was one."""
        return self.budget_allocator.withdraw(reason, actor=actor or library_actor())

    def risk_budget(self) -> RiskBudget | None:
        """The risk budget in force and how it stands, None without one."""
        return self.budget_allocator.current()

    # -- emergencies --------------------------------------------------------------------------------

    def emergency_stop(self, reason: str, *, actor: str = "") -> bool:
        """Stop all trading at once: entries are cancelled, protective orders stay, a person releases.

        Returns
        -------
        bool
            Whether it is on disk. Where the store can't be written the stop holds all the same, and a
            restart comes back in it.
        """
        return self.stop_everything(reason, actor=actor).durable

    def stop_everything(self, reason: str, *, actor: str = "") -> Stopped:
        """`emergency_stop` with the entries that it cancelled."""
        who = actor or library_actor()
        reason = str(reason)  # nothing that is said may keep the stop from working
        done = self.protocol.stop(EMERGENCY_STOP, who, reason)
        text = f"all trading stopped by {who}: {reason}; {done.explain()}; release with a reason"
        if not done.durable:
            text += f"; it holds, but the store can't be written: {self.book.outage}"
        self._alert(AlertType.SYSTEM_ERROR, AlertSeverity.EMERGENCY, text, "emergency_stop")
        return done

    def release_emergency(self, actor: str, reason: str) -> tuple[str, ...]:
        """Release every latched stop of the portfolio; a name and a reason are kept.

        Returns
        -------
        tuple of str
            What was released, in words; empty when nothing was stopped.

        Raises
        ------
        InvalidRequest
            Without an actor or a reason.
        """
        checked_name(actor, "actor")
        checked_name(reason, "reason")
        said = self.protocol.release(actor, reason)
        self.desk.failed_in_a_row = 0
        for text in said:
            logger.warning("released by %s (%s): %s", actor, reason, text)
        for key in ("emergency_stop", "emergency:emergency_drawdown", "emergency:system_error"):
            self.alert_manager.resolve(key, self.clock.now())
        return said

    def plan_liquidation(
        self, scope: LiquidationScope | str = EVERYTHING, *, markets: Mapping[str, MarketState] | None = None
    ) -> LiquidationPlan:
        """How a part of the book would be closed now: orders in sequence, cost, time, risk after each step.

        Nothing is sent and nothing changes.

        Parameters
        ----------
        scope : LiquidationScope or str
            Such as ``everything``, ``bot:RSI2``, ``cluster:SPY``, ``gross:0.5`` (of equity), ``var:0.01``.
        markets : Mapping of str to MarketState, optional
            By symbol, as a broker tells them; one that is not named is taken as open.

        Raises
        ------
        InvalidRequest
            The scope names nobody that is known.
        """
        wanted = scope if isinstance(scope, LiquidationScope) else LiquidationScope.of(scope)
        state, config = self.state, self.config
        if markets is None and self.tell_markets is not None:
            hedge = config.liquidation_config.hedge_symbol
            markets = self.tell_markets({key.symbol for key in state.positions} | ({hedge} - {""}))
        return plan_liquidation(state, config, wanted, markets or {}, self.clock.now())

    def liquidate(
        self, scope: LiquidationScope | str, reason: str, *, plan_id: str = "", actor: str = ""
    ) -> Liquidation:
        """Close a part of the book: at the broker step by step, or without one at the marks at once.

        Parameters
        ----------
        scope : LiquidationScope or str
            As in `plan_liquidation`.
        reason : str
        plan_id : str
            Of the plan that was seen: positions that are others by now begin nothing.
        actor : str, optional

        Raises
        ------
        InvalidRequest
            ``PLAN_CHANGED``, or the scope names nobody that is known.
        """
        wanted = scope if isinstance(scope, LiquidationScope) else LiquidationScope.of(scope)
        who = actor or library_actor()
        checked_name(reason, "reason")
        one = self.protocol.closing.liquidate(wanted, reason, who, plan_id=plan_id)
        text = f"{who} closes {wanted}: {reason}" + (f"; {one.outcome}" if one.outcome else "")
        key = f"liquidation:{one.liquidation_id}"
        self._alert(AlertType.SYSTEM_ERROR, AlertSeverity.EMERGENCY, text, key)
        return one

    def _deactivate_emergency_mode(self, reason: str) -> tuple[str, ...]:
        """Release the emergency in the name of whoever runs this process."""
        return self.release_emergency(library_actor(), reason)

    def report_system_error(self, reason: str) -> None:
        """An invariant does not hold: all trading stops."""
        self.protocol.stop("system_error", "system", reason)
        self._alert(AlertType.SYSTEM_ERROR, AlertSeverity.EMERGENCY, reason, "system_error")

    # -- the store ----------------------------------------------------------------------------------

    def mend_store(self) -> bool:
        """Try to reach a store that failed and write what happened meanwhile; whether it can be written."""
        return self.book.mend()

    def close(self) -> None:
        """Keep the state for a fast start and let another process have the store."""
        if self.book.journal is not None:
            self.book.mend()
            self.book.journal.close(self.book.standing)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- settings -----------------------------------------------------------------------------------

    def reconfigure(self, config: RiskManagementConfig, *, actor: str = "") -> None:
        """Use other settings, whole or not at all. Tightening sells nothing; it blocks what increases.

        The prices stay as they are; the market model is prepared anew on them where a setting asks for it.
        With a store, what differs from the settings of the start stands after a restart too, until it is
        changed again here or given anew at a start.

        Raises
        ------
        ConfigurationError
            The settings contradict each other; the old ones stay.
        """
        if not isinstance(config, RiskManagementConfig):
            raise ConfigurationError(f"settings are a RiskManagementConfig; got {shown(config)}")
        fresh = config.model_copy(deep=True)
        fresh.adjust_for_risk_level()
        fresh.check()
        settled_rules(fresh)
        emergency_rows(fresh)  # unknown metrics and double names, before anything is replaced
        with self.book.lock:
            self.book.reconfigure(fresh, self.clock.now(), actor or library_actor())
            self.protocol.reconfigured()
            self.alert_manager.reconfigure(fresh)
            before, self.foundation = self.foundation, self.foundation.under(fresh)
            if self.foundation.model is not before.model:
                self.use_model(self.foundation.model)
        logger.warning("settings replaced, digest %s", fresh.digest())

    # -- inside -------------------------------------------------------------------------------------

    def _account(self, account_id: str | None) -> str:
        account = self.config.account_id if account_id is None else checked_name(account_id, "account_id")
        if account not in self.state.accounts:
            raise InvalidRequest(
                "UNKNOWN_ACCOUNT",
                "account_id",
                f"no account is called {shown(account)}; deposit into it first",
            )
        return account

    def _know(self, symbol: str) -> None:
        event = instrument_event(self.state, symbol, self.clock.now())
        if event is not None:
            self.book.apply(event)

    def _apply_now(self, kind: type[Event], /, *, actor: str = OPERATOR, **facts: Any) -> None:
        self.book.apply(kind(at=self.clock.now(), actor=actor, **facts))

    def _alarm(self, code: str, text: str) -> None:
        # one alert a code: a storm of the same kind is folded and counted
        self._alert(AlertType.SYSTEM_ERROR, AlertSeverity.CRITICAL, text, code)

    def _alert(self, kind: AlertType, severity: AlertSeverity, text: str, key: str) -> None:
        self.alert_manager.raise_alert(kind, severity, text, self.clock.now(), key=key)


def _no_opposites(events: Sequence[PositionAdded]) -> None:
    """Raise where one owner is said to be long and short in one symbol: the rows would cancel each other."""
    sides: dict[PositionKey, int] = {}
    for event in events:
        if sides.setdefault(event.key, event.quantity) * event.quantity < 0:
            raise InvalidRequest(
                "OPPOSITE_POSITION",
                "rows",
                f"{event.key.symbol} stands long and short for one owner; write what is left in one line",
            )


def _same_fill(event: Filled, booked: tuple[str, int, float, int]) -> None:
    """Raise where an execution id was booked with another order, quantity or money."""
    if booked != (event.request_id, event.quantity, event.cost / SCALE, event.reported):
        raise InvalidRequest(
            "EXECUTION_CONFLICT",
            "execution_id",
            f"execution {event.execution_id!r} was booked with other numbers; give this fill its own id",
        )


def _checked_row(row: PositionRow) -> PositionRow:
    if hasattr(row, "symbol") and hasattr(row, "size"):
        return row
    raise InvalidRequest(
        "WRONG_TYPE", "rows", f"rows are those of read_positions(); got {type(row).__name__} {shown(row)}"
    )


def _entry_price(row: PositionRow, *, one_shot: bool) -> float:
    if row.price is not None:
        return row.price
    if one_shot:
        return 1.0
    raise InvalidRequest(
        "MISSING_PRICE", "price", f"line {row.line}: {row.symbol} has no price; give what was paid for a unit"
    )
