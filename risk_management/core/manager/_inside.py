"""What all parts of the manager stand on: its book, clock, desk and alerts."""

from __future__ import annotations

import getpass
import socket
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from risk_management.alerts.causes import alerts_of, standing_cause
from risk_management.alerts.risk_alerts import AlertSeverity, AlertType, RiskAlertManager
from risk_management.calculators.risk_budget import RiskBudgetAllocator
from risk_management.clock import Clock
from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.entry import check_spelling, checked_name, instrument_event
from risk_management.core.foundation import Foundation
from risk_management.core.heartbeats import Heartbeats
from risk_management.core.order_desk import OrderDesk
from risk_management.core.protocol import EmergencyProtocol
from risk_management.errors import InvalidRequest, shown
from risk_management.model.broker import MarketState
from risk_management.model.events import Event
from risk_management.model.portfolio import OPERATOR, Hold, PortfolioState
from risk_management.model.trade import PaperTrade

if TYPE_CHECKING:
    from risk_management.core.book import Book

__all__ = ["Inside", "library_actor"]


def library_actor() -> str:
    """Who calls from Python without naming an actor: ``user@host (library)``."""
    return f"{getpass.getuser()}@{socket.gethostname()} (library)"


class Inside:
    """What the parts share; `core.risk_manager` puts it in place."""

    foundation: Foundation
    book: Book
    clock: Clock
    desk: OrderDesk
    protocol: EmergencyProtocol
    heartbeats: Heartbeats
    alert_manager: RiskAlertManager
    budget_allocator: RiskBudgetAllocator
    tell_markets: Callable[[Iterable[str]], Mapping[str, MarketState]] | None
    """Asked about markets where a liquidation is planned; set by whoever has a broker."""
    send_to_paper: Callable[[str], PaperTrade] | None
    """Takes approvals as orders; set by whoever has the paper broker."""

    @property
    def config(self) -> RiskManagementConfig:
        """The settings in use; change them with `reconfigure`."""
        return self.book.config

    @property
    def state(self) -> PortfolioState:
        """The current snapshot."""
        return self.book.state

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
        check_spelling(self.state, [symbol])
        event = instrument_event(self.state, symbol, self.clock.now())
        if event is not None:
            self.book.apply(event)

    def _apply_now(self, kind: type[Event], /, *, actor: str = OPERATOR, **facts: Any) -> None:
        self.book.apply(kind(at=self.clock.now(), actor=actor, **facts))

    def _alarm(self, code: str, text: str, about: str = "") -> None:
        # one alert a code: a storm of the same kind is folded and counted
        self._alert(AlertType.SYSTEM_ERROR, AlertSeverity.CRITICAL, text, code, about or text)

    def _end_alerts(self, hold: Hold) -> None:
        """End what people were told of a hold that is released, unless it still stands elsewhere."""
        for key in alerts_of(hold):
            if not standing_cause(self.state, key):
                self.alert_manager.resolve(key, self.clock.now())

    def _alert(self, kind: AlertType, severity: AlertSeverity, text: str, key: str, about: str = "") -> None:
        self.alert_manager.raise_alert(kind, severity, text, self.clock.now(), key=key, about=about)
