"""What keeps the book and its broker together: the account is read and compared, round after round."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from risk_management.alerts.risk_alerts import AlertSeverity, AlertType
from risk_management.brokers.broker import Broker, Surroundings
from risk_management.brokers.paper import PaperBroker
from risk_management.brokers.registry import load_broker
from risk_management.core.reconciliation import set_aside
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.core.taking_up import hold_until_reconciled
from risk_management.errors import BrokerError, ConfigurationError
from risk_management.integration.liquidation_run import LiquidationRunner
from risk_management.integration.paper_desk import PaperDesk
from risk_management.model.broker import BrokerOrder
from risk_management.model.instrument import Instrument
from risk_management.model.money import from_ledger
from risk_management.model.portfolio import PortfolioState
from risk_management.model.reconciliation import Reconciliation

__all__ = ["BrokerLink", "broker_of", "surroundings_of"]

logger = logging.getLogger(__name__)

TRIES: Final = 3
"""Readings of an account while fills come in between."""
SILENT: Final = 3
"""Rounds without an answer after which nothing opens."""
KEY: Final = "broker"
ENTRIES: Final = "broker_entries"


def surroundings_of(manager: AdvancedRiskManager) -> Surroundings:
    """What a broker may ask of a manager."""

    def price(symbol: str) -> tuple[float, datetime] | None:
        quote = manager.state.quotes.get(symbol)
        return None if quote is None else (quote.price, quote.time)

    def instrument(symbol: str) -> Instrument | None:
        return manager.state.instruments.get(symbol)

    config, state = manager.config, manager.state
    name = config.broker_config.account_id or config.account_id
    holdings: dict[str, int] = {}
    for key, position in state.positions.items():
        if key.account_id == name:
            holdings[key.symbol] = holdings.get(key.symbol, 0) + position.quantity
    return Surroundings(
        manager.clock,
        price,
        instrument,
        config.base_currency,
        config.portfolio_value,
        holdings,
        state.accounts[name].cash if name in state.accounts else 0,
    )


def broker_of(manager: AdvancedRiskManager) -> Broker | None:
    """The broker that a manager's settings name, None where they name none."""
    settings = manager.config.broker_config
    return None if settings.name is None else load_broker(settings, surroundings_of(manager))


class BrokerLink:
    """Compares a manager's book with its broker and carries out what has to be closed there.

    Until the first comparison nothing opens.

    Parameters
    ----------
    manager : AdvancedRiskManager
    broker : Broker

    Raises
    ------
    ConfigurationError
        The broker trades money and the book does not, or the other way round.
    """

    def __init__(self, manager: AdvancedRiskManager, broker: Broker) -> None:
        if broker.environment != manager.config.environment:
            raise ConfigurationError(
                f"environment: the broker {broker.name!r} is of {broker.environment!r}, the book of "
                f"{manager.config.environment!r}; a paper fill never reaches a live book"
            )
        self.broker = broker
        self._manager, self._runner = manager, LiquidationRunner(manager, broker)
        self._paper = PaperDesk(manager, broker) if isinstance(broker, PaperBroker) else None
        self._silent = 0
        self._compared_at = self._ran_at = -math.inf
        self._holds: object = None
        self._hold(f"positions, cash and prices were not compared with the broker {broker.name!r} yet")

    def step(self) -> None:
        """Once a second: closing goes on, a new stop reaches the broker, a comparison comes when due."""
        state, now = self._manager.state, self._manager.clock.monotonic()
        is_due = now - self._compared_at >= self._manager.config.broker_config.poll_interval
        is_new = state.holds is not self._holds
        is_closing = any(one.is_open for one in state.liquidations.values())
        is_trading = self._paper is not None and self._paper.is_watching
        if is_due or is_new or is_closing or is_trading or now - self._ran_at >= self._patience():
            self._ran_at = now
            if self._carry_out(state):
                self._holds = state.holds
        if is_due:
            self._compared_at = now
            self.compare()

    def _patience(self) -> float:
        """The broker's own timer is set anew long before it goes off."""
        timer = self._manager.config.heartbeat_config.cancel_timer
        return timer / 3.0 if timer > 0.0 else math.inf

    def _carry_out(self, state: PortfolioState) -> bool:
        """Close and cancel what has to be, and look whether it is; what is not is tried in the next step."""
        try:
            self._book_paper()  # first: closing compares, and would take fills of bots for nobody's
            self._runner.round()
            self._book_paper()
            left = _asked_here(self.broker.open_orders()) if state.is_stopped else []
        except BrokerError as problem:
            self._tell(f"the broker {self.broker.name} does not answer, closing waits: {problem}", ENTRIES)
            return False
        if left:
            names = ", ".join(left[:5])
            self._tell(
                f"everything is stopped, {len(left)} entries still work at the broker: {names}", ENTRIES
            )
            return False
        self._manager.alert_manager.resolve(ENTRIES, self._manager.clock.now())
        return True

    def _book_paper(self) -> None:
        if self._paper is not None:
            self._paper.book()

    def compare(self) -> Reconciliation | None:
        """One comparison; None where the broker gave no answer or fills came in between."""
        try:
            found = self._compare()
        except BrokerError as problem:
            self._silent += 1
            self._tell(
                f"the broker {self.broker.name} does not answer, positions are not compared: {problem}"
            )
            if self._silent >= SILENT:
                self._hold(f"the broker {self.broker.name!r} gave no answer {self._silent} times in a row")
            return None
        self._silent = 0
        self._manager.alert_manager.resolve(KEY, self._manager.clock.now())
        return found

    def _compare(self) -> Reconciliation | None:
        for _ in range(TRIES):
            before = self._manager.state.positions
            told, cash = self.broker.positions(), self.broker.cash()
            positions, odd = set_aside(told)
            orders = self.broker.open_orders()
            prices = self._prices(positions)
            if self._manager.state.positions is before:  # else what was read is older than what is booked
                return self._manager.reconcile(
                    {symbol: from_ledger(units) for symbol, units in positions.items()},
                    cash=from_ledger(cash),
                    open_orders=_asked_here(orders),
                    prices=prices,
                    odd={name: from_ledger(units) for name, units in odd.items()},
                    account_id=self._manager.config.broker_config.account_id,
                    actor=f"broker {self.broker.name}",
                )
        logger.info("fills came in while the account was read; it is compared in the next round")
        return None

    def _prices(self, symbols: Iterable[str]) -> dict[str, float]:
        """The broker's prices of what no feed has a price of."""
        state = self._manager.state
        wanted = ({*symbols} | {*state.totals.names}) - state.quotes.keys()
        told = {symbol: self.broker.market(symbol).mid for symbol in sorted(wanted)}
        return {symbol: price for symbol, price in told.items() if price is not None}

    def _tell(self, text: str, key: str = KEY) -> None:
        alerts, now = self._manager.alert_manager, self._manager.clock.now()
        alerts.raise_alert(AlertType.SYSTEM_ERROR, AlertSeverity.CRITICAL, text, now, key=key)

    def _hold(self, reason: str) -> None:
        hold_until_reconciled(self._manager.book, self._manager.clock.now(), reason)


def _asked_here(orders: Iterable[BrokerOrder]) -> list[str]:
    """Ids of orders that bots have to have asked for: not our own, and no stop that only closes."""
    return [order.client_order_id for order in orders if not (order.is_ours or order.is_protective)]
