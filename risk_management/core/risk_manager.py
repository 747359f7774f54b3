"""`AdvancedRiskManager`: puts the parts together and decides nothing itself."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Self

from risk_management.alerts.outbox import MemoryOutbox, Outbox
from risk_management.alerts.risk_alerts import AlertSeverity, AlertType, RiskAlertManager, settled_rules
from risk_management.alerts.steady import SteadyOutbox
from risk_management.alerts.telling import KEPT
from risk_management.calculators.kelly_optimizer import KellyOptimizer
from risk_management.calculators.risk_budget import RiskBudgetAllocator
from risk_management.calculators.stress_tester import StressTester
from risk_management.calculators.var_calculator import VaRCalculator
from risk_management.clock import Clock
from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.assessment import RiskAssessment
from risk_management.core.commit import Journal
from risk_management.core.correlation_monitor import CorrelationMonitor
from risk_management.core.emergency_rows import emergency_rows
from risk_management.core.entry import checked_name
from risk_management.core.fill_report import FillReport
from risk_management.core.foundation import Foundation, lay_foundation
from risk_management.core.heartbeats import Heartbeats
from risk_management.core.manager._inside import library_actor
from risk_management.core.manager.account import AccountFacts
from risk_management.core.manager.bots import BotsAndModes
from risk_management.core.manager.budgets import Budgets
from risk_management.core.manager.emergencies import Emergencies
from risk_management.core.order_desk import OrderDesk, OrderTicket
from risk_management.core.portfolio_heat import PortfolioHeatMonitor
from risk_management.core.protocol import EmergencyProtocol, Executor
from risk_management.core.taking_up import hold_until_reconciled, take_up, told_before
from risk_management.core.watch import Watch
from risk_management.errors import ConfigurationError, InvalidRequest, shown
from risk_management.model.codes import Code
from risk_management.model.events import Noted
from risk_management.model.trade import Execution, PaperTrade, TradeDecision
from risk_management.monitors.drawdown_protection import DrawdownProtection

if TYPE_CHECKING:
    import pandas as pd

    from risk_management.core.book import Book

__all__ = ["AdvancedRiskManager", "library_actor"]

logger = logging.getLogger(__name__)


class AdvancedRiskManager(AccountFacts, BotsAndModes, Budgets, Emergencies):
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
        self.tell_markets = None
        self.send_to_paper = None
        self.alert_manager = RiskAlertManager(foundation.config, self.clock, book=self.book)
        self.alert_manager.recall(told_before(self.book.journal, KEPT))
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

    def trade_on_paper(self, request_id: str) -> PaperTrade:
        """Have the paper account trade an approval; its fills are booked by the risk system itself.

        A second call changes nothing and says how the order stands.

        Raises
        ------
        InvalidRequest
            ``NO_PAPER_ACCOUNT``: bots give their orders to their own broker. ``NO_APPROVAL``: nothing may be
            sent. ``REDUCING``, ``HALTED``, ``BOT_DISABLED``: what opens may not be sent now.
        OrderRejected
            The account took no order; the approval stands.
        """
        if self.send_to_paper is None:
            said = "no paper account is kept here (broker_config.name); give the order to your own broker"
            raise InvalidRequest(Code.NO_PAPER_ACCOUNT, "request_id", said)
        return self.send_to_paper(checked_name(request_id, "request_id"))

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
            ``INVALID_KIND``, ``UNKNOWN_BOT``, or ``OUT_OF_RANGE``: too many feeds and engines are watched.
        """
        checked_name(name, "name")
        if kind == "bot" and name not in self.state.bots:
            known = ", ".join(self.state.bots) or "none"
            raise InvalidRequest("UNKNOWN_BOT", "name", f"no bot is called {name!r}; known: {known}")
        self.heartbeats.beat(kind, name)

    def forget_heartbeat(self, kind: str, name: str, reason: str, *, actor: str = "") -> bool:
        """Wait no longer for a feed or an engine that is gone, or was never there: a name mistyped.

        A hold that waited for it ends. A halt is still released by `release_emergency`, and stays away then.

        Parameters
        ----------
        kind : str
            ``feed`` or ``engine``.
        name, reason : str
        actor : str, optional

        Returns
        -------
        bool
            Whether anybody waited for it.

        Raises
        ------
        InvalidRequest
            ``INVALID_KIND``: bots are watched by the settings.
        """
        checked_name(name, "name")
        checked_name(reason, "reason")
        who = actor or library_actor()
        was_known = self.heartbeats.retire(kind, name, who, reason)
        if was_known:
            text = f"{kind} {name}: {reason}"
            self.book.apply(Noted(self.clock.now(), who, "HEARTBEAT_FORGOTTEN", text))
            self.check_heartbeats()
        return was_known

    def check_heartbeats(self) -> tuple[str, ...]:
        """Hold whoever is missing and let go whoever is back; returns a sentence for each that is missing."""
        said = self.heartbeats.check()
        for text in said:
            logger.warning("%s", text)
            self._alert(AlertType.SYSTEM_ERROR, AlertSeverity.CRITICAL, text, "heartbeat", text)
        if not said and not any(cause.startswith("heartbeat:") for _, _, cause in self.state.holds):
            self.alert_manager.resolve("heartbeat", self.clock.now())
        return said

    def look(self) -> RiskAssessment:
        """Measure the whole book and change nothing: no event, no emergency, no alert."""
        return self._watch.look()

    # -- the store ----------------------------------------------------------------------------------

    def mend_store(self) -> bool:
        """Try to reach a store that failed and write what happened meanwhile; whether it can be written."""
        return self.book.mend()

    def close(self) -> None:
        """Keep the state for a fast start and let another process have the store."""
        self.book.close()

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
        rules = self.alert_manager.own_rules(fresh)
        emergency_rows(fresh)  # unknown metrics and double names, before anything is replaced
        with self.book.lock:
            self.book.reconfigure(fresh, self.clock.now(), actor or library_actor())
            self.protocol.reconfigured()
            self.alert_manager.reconfigure(fresh, rules)
            before, self.foundation = self.foundation, self.foundation.under(fresh)
            if self.foundation.model is not before.model:
                self.use_model(self.foundation.model)
        logger.warning("settings replaced, digest %s", fresh.digest())
