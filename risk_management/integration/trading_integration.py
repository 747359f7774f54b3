"""What bots call: ask, report, and be stopped. Safe to use from many threads."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from contextlib import ExitStack
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, Self

from risk_management.brokers.broker import Broker
from risk_management.clock import Clock
from risk_management.config.risk_config import AT_REST, RiskManagementConfig, load_risk_config
from risk_management.core.assessment import RiskAssessment
from risk_management.core.fill_report import FillReport
from risk_management.core.order_desk import OrderTicket
from risk_management.core.protocol import Executor
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.errors import (
    AlreadyInitialized,
    ConfigurationError,
    EngineEnded,
    InvalidRequest,
    StoreUnavailable,
)
from risk_management.integration.alerting import Alerting
from risk_management.integration.broker_link import BrokerLink, broker_of
from risk_management.integration.client import RiskClient
from risk_management.integration.client_transport import DEADLINE
from risk_management.integration.monitoring import Watcher
from risk_management.integration.trade_response import TradeResponse
from risk_management.market_data.source import load_source
from risk_management.model.portfolio import Bot
from risk_management.model.trade import Execution, PaperTrade
from risk_management.store.journal import Journal, MemoryJournal

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "TradeResponse",
    "TradingSystemIntegration",
    "get_integration",
    "initialize_risk_management",
    "report_trade_execution",
    "request_trade_approval",
    "shutdown_risk_management",
]

logger = logging.getLogger(__name__)

DETAILS = frozenset({"strategy", "price", "risk_amount", "request_id", "account_id", "reduce_only"})
"""Further words of a request."""
LONGEST_DEADLINE = 60.0


class TradingSystemIntegration:
    """The front that bots share.

    Parameters
    ----------
    config : RiskManagementConfig, optional
        By default `load_risk_config()`.
    prices, sectors, clock, executor
        Handed to `AdvancedRiskManager`.
    broker : Broker, optional
        Through which the risk system itself acts; by default the one that the settings name, or none.
    journal : Journal, optional
        Keeps every event; by default the store that the settings name, or memory.
    monitoring_interval : float
        Seconds between assessments of the monitoring thread; fewer than `heartbeat_config.engine`.

    Raises
    ------
    ConfigurationError
        The monitoring would be silent for longer than the settings allow, and stop all trading.
    """

    def __init__(
        self,
        config: RiskManagementConfig | None = None,
        *,
        prices: pd.DataFrame | None = None,
        sectors: Mapping[str, str] | None = None,
        clock: Clock | None = None,
        executor: Executor | None = None,
        broker: Broker | None = None,
        journal: Journal | None = None,
        monitoring_interval: float = 5.0,
    ) -> None:
        settings = load_risk_config() if config is None else config
        if 0.0 < settings.heartbeat_config.engine <= monitoring_interval:
            said = f"heartbeat_config.engine: {settings.heartbeat_config.engine:g} s is no longer than "
            said += f"monitoring_interval, {monitoring_interval:g} s; assess more often"
            raise ConfigurationError(said)
        if journal is None and settings.store is None:
            journal = MemoryJournal()
        self.risk_manager = AdvancedRiskManager(
            settings,
            prices=prices,
            sectors=sectors,
            clock=clock,
            executor=executor,
            journal=journal,
        )
        self.journal = self.risk_manager.book.journal
        self.last_assessment: RiskAssessment | None = None
        self.alerting = Alerting(self.risk_manager)
        data = self.risk_manager.config.market_data_config
        is_living = prices is None and data.source not in AT_REST and data.poll_interval > 0.0
        chosen = broker_of(self.risk_manager) if broker is None else broker
        self.broker_link = None if chosen is None else BrokerLink(self.risk_manager, chosen)
        self._watcher = Watcher(
            self.risk_manager,
            self._assess,
            monitoring_interval,
            load_source(data) if is_living else None,
            data.poll_interval,
            None if self.broker_link is None else self.broker_link.step,
            self.alerting.report,
        )

    # -- orders -------------------------------------------------------------------------------------

    def request_trade(  # noqa: PLR0913 - the words of an order
        self,
        bot_name: str,
        symbol: str,
        action: str,
        size: float,
        confidence: float = 1.0,
        *,
        strategy: str = "",
        price: float | None = None,
        risk_amount: float | None = None,
        request_id: str | None = None,
        account_id: str | None = None,
        reduce_only: bool = False,
    ) -> TradeResponse:
        """Ask before trading; what is approved is reserved until it is reported, cancelled or expired.

        Parameters
        ----------
        bot_name, symbol : str
        action : str
            ``buy`` or ``sell``.
        size : float
            Money, above 0.
        confidence : float
            0 to 1.
        strategy : str, optional
            By default the bot's own.
        price : float, optional
            Limit price.
        risk_amount : float, optional
            Money lost if the stop is hit.
        request_id : str, optional
            The caller's own id: asked again with it, the first answer comes back.
        account_id : str, optional
        reduce_only : bool
            Close what the bot holds and open nothing: an exit can't become a short.

        Raises
        ------
        InvalidRequest
            Malformed; nothing was judged.
        """
        if bot_name is None:
            raise InvalidRequest("INVALID_NAME", "bot_name", "bot_name is missing")
        ticket = OrderTicket(
            symbol,
            action,
            size,
            strategy,
            bot_name,
            confidence,
            price,
            risk_amount,
            account_id,
            request_id,
            reduce_only,
        )
        return TradeResponse.of(self.risk_manager.request_trade(ticket))

    def execute_trade(  # noqa: PLR0913 - the facts of a fill
        self,
        request_id: str,
        executed_size: float,
        executed_price: float,
        success: bool = True,
        *,
        execution_id: str | None = None,
        final: bool | None = None,
        executed_quantity: float | None = None,
        fee: float = 0.0,
        environment: str | None = None,
    ) -> Execution:
        """Report a fill, or that there was none (``success=False``); several reports a request are normal.

        Parameters
        ----------
        request_id : str
        executed_size : float
            Money filled.
        executed_price : float
        success : bool
            False books what was filled and frees the rest.
        execution_id : str, optional
            The broker's id; a report repeated under it is booked once.
        final : bool, optional
            Whether more will come; without it a fill within 0.5 % of the approved size is the last.
        executed_quantity : float, optional
            Units, where known.
        fee : float
            Money.
        environment : str, optional
            Where the fill happened: a paper fill is refused by a live book.

        Raises
        ------
        UnknownRequest
            The report was recorded, not booked, and people are told.
        InvalidRequest
            Malformed, or the execution id was booked with other numbers.
        """
        report = FillReport(
            request_id,
            executed_size,
            executed_price,
            success,
            execution_id,
            final,
            executed_quantity,
            fee,
            environment,
        )
        return self.risk_manager.execute_trade(report)

    def trade_on_paper(self, request_id: str) -> PaperTrade:
        """Have the paper account trade an approval; its fills are booked, so that nothing is to be reported.

        A second call changes nothing and says how the order stands.

        Raises
        ------
        InvalidRequest
            ``NO_PAPER_ACCOUNT``: bots give their orders to their own broker. ``NO_APPROVAL``: nothing may be
            sent. ``REDUCING``, ``HALTED``, ``BOT_DISABLED``: what opens may not be sent now.
        OrderRejected
            The account took no order; the approval stands.
        """
        return self.risk_manager.trade_on_paper(request_id)

    def cancel_trade(self, request_id: str, reason: str = "cancelled by the bot") -> None:
        """Free what is left of an approval; a second call changes nothing."""
        self.risk_manager.desk.cancel(request_id, reason)

    # -- bots ---------------------------------------------------------------------------------------

    def register_bot(
        self,
        bot_name: str,
        strategy_type: str = "",
        max_position_size: float | None = None,
        kelly_fraction: float | None = None,
    ) -> Bot:
        """Register a bot with its own limits, or change them."""
        return self.risk_manager.register_bot(bot_name, strategy_type, max_position_size, kelly_fraction)

    def disable_bot(self, bot_name: str, reason: str = "disabled by an operator") -> tuple[str, ...]:
        """Stop a bot's entries; its exits pass. Returns its open approvals, which are cancelled."""
        return self.risk_manager.set_bot_enabled(bot_name, enabled=False, reason=reason)

    def enable_bot(self, bot_name: str) -> None:
        """Let a bot open positions again."""
        self.risk_manager.set_bot_enabled(bot_name, enabled=True)

    # -- emergencies --------------------------------------------------------------------------------

    def emergency_stop_all(self, reason: str, *, actor: str = "") -> bool:
        """Stop all trading; a person releases it with `release_emergency`. Returns whether it is on disk."""
        return self.risk_manager.emergency_stop(reason, actor=actor)

    def release_emergency(self, actor: str, reason: str) -> tuple[str, ...]:
        """End every latched stop; returns what was released, in words."""
        return self.risk_manager.release_emergency(actor, reason)

    # -- monitoring ---------------------------------------------------------------------------------

    def start_monitoring(self) -> None:
        """Assess the book, pull prices and send alerts in the background; a second call changes nothing.

        Prices are pulled where the settings name a living source, such as ``yahoo`` or ``exchange``; the
        sample and files have no newer ones, and a frame that was handed in leaves them to be pushed.
        """
        self.alerting.start()
        self._watcher.start()

    def stop_monitoring(self) -> None:
        """End the background rounds and wait for the last ones."""
        self._watcher.stop()
        self.alerting.stop()

    @property
    def is_monitoring(self) -> bool:
        """Whether the background rounds run."""
        return self._watcher.is_running

    def _assess(self) -> None:
        self.alerting.refresh()
        self.last_assessment = self.risk_manager.assess_overall_risk()

    def close(self) -> None:
        """End the background assessments and let another process have the store.

        A signal handler may call it too: where it came in the midst of an act, it is done behind that.
        """
        if self.risk_manager.book.put_off(self.close):
            return
        with ExitStack() as parts:  # whatever one of them raises, the book is given back
            parts.callback(self.risk_manager.close)
            if self.broker_link is not None:
                parts.callback(self.broker_link.broker.close)
            parts.callback(self.alerting.close)
            parts.callback(self.stop_monitoring)

    def __enter__(self) -> Self:
        self.start_monitoring()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class _Default:
    """The process-wide instance, held in this one place."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.instance: TradingSystemIntegration | RiskClient | None = None
        self.digest = ""


_default = _Default()


def initialize_risk_management(
    config: RiskManagementConfig | None = None,
) -> TradingSystemIntegration | RiskClient:
    """The process-wide instance, made at the first call.

    With the variables ``RISK_URL`` and ``RISK_TOKEN`` it is a client of the risk system there, which has
    settings of its own; ``RISK_DEADLINE`` is how many seconds a question may take, 0.25 without it.

    Raises
    ------
    AlreadyInitialized
        It exists with another configuration.
    ConfigurationError
        Settings were handed over although another process decides, or the token is missing.
    """
    url = os.environ.get("RISK_URL")
    settings = config if config is not None or url else load_risk_config()
    with _default.lock:
        if _default.instance is None:
            if settings is None or url:
                _default.instance, _default.digest = _client(str(url), config), ""
            else:
                _default.instance = TradingSystemIntegration(settings)
                _default.digest = settings.digest()
        elif config is not None and config.digest() != _default.digest:
            raise AlreadyInitialized(
                "risk management runs already with another configuration; use reconfigure() on its manager "
                "or shutdown_risk_management() first"
            )
        return _default.instance


def _client(url: str, config: RiskManagementConfig | None) -> RiskClient:
    token = os.environ.get("RISK_TOKEN")
    if not token:
        raise ConfigurationError(
            "RISK_TOKEN is missing: 'risk token create --bot NAME' makes one for RISK_URL"
        )
    if config is not None:
        raise ConfigurationError("RISK_URL: the risk system there has its own settings; hand over none")
    written = os.environ.get("RISK_DEADLINE", str(DEADLINE))
    try:
        deadline = float(written)
    except ValueError:
        deadline = 0.0
    if not 0.0 < deadline <= LONGEST_DEADLINE:
        said = f"seconds above 0 and up to {LONGEST_DEADLINE:g}; got {written!r}"
        raise ConfigurationError(f"RISK_DEADLINE: {said}")
    return RiskClient(url, token, deadline=deadline)


def get_integration() -> TradingSystemIntegration | RiskClient:
    """The process-wide instance, made with the loaded configuration where there is none yet."""
    return initialize_risk_management()


def shutdown_risk_management() -> None:
    """Stop and forget the process-wide instance; the next call makes a new one."""
    with _default.lock:
        instance, _default.instance = _default.instance, None
    if instance is not None:
        instance.close()


def request_trade_approval(
    bot_name: str, symbol: str, action: str, size: float, confidence: float = 1.0, **details: object
) -> TradeResponse:
    """Ask the process-wide instance. Malformed is a refusal with its code: a bot's loop must not die.

    `details` are the further keywords of `TradingSystemIntegration.request_trade`.
    """
    try:
        unknown = sorted(details.keys() - DETAILS)
        if unknown:
            said = f"{unknown[0]} is no word of a request; known: {', '.join(sorted(DETAILS))}"
            raise InvalidRequest("UNKNOWN_FIELD", unknown[0], said)
        return get_integration().request_trade(
            bot_name,
            symbol,
            action,
            size,
            confidence,
            **details,  # type: ignore[arg-type]
        )
    except InvalidRequest as problem:
        logger.warning("malformed request of %.60r: %s", bot_name, problem)
        return TradeResponse.not_judged(size, problem.code, problem.message)
    except (StoreUnavailable, EngineEnded) as problem:
        logger.critical("a request of %.60r could not be kept: %s", bot_name, problem)
        return TradeResponse.not_judged(size, "STORE_UNAVAILABLE", str(problem))


def report_trade_execution(
    request_id: str,
    executed_size: float,
    executed_price: float,
    success: bool = True,
    **details: object,
) -> Execution:
    """Report a fill to the process-wide instance; `details` are those of `execute_trade`."""
    return get_integration().execute_trade(
        request_id,
        executed_size,
        executed_price,
        success,
        **details,  # type: ignore[arg-type]
    )
