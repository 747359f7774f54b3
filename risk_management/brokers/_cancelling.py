"""Cancelling one by one, for brokers whose own call for all orders would take the protective stops too."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from risk_management.model.broker import BrokerOrder

__all__ = ["OneByOne"]


class OneByOne(ABC):
    """`cancel` and `cancel_all` of a broker that can find, list and drop an order."""

    @abstractmethod
    def order(self, client_order_id: str) -> BrokerOrder | None:
        """An order by our id."""

    @abstractmethod
    def open_orders(self) -> Sequence[BrokerOrder]:
        """Orders that may still fill."""

    @abstractmethod
    def _drop(self, order: BrokerOrder) -> None:
        """Ask the broker to cancel an order; one that ended meanwhile is no error."""

    def cancel(self, client_order_id: str) -> BrokerOrder | None:
        """Ask for a cancellation."""
        known = self.order(client_order_id)
        if known is None or not known.status.is_open:
            return known
        self._drop(known)
        return self.order(client_order_id)

    def cancel_all(self, *, protective: bool = False) -> tuple[str, ...]:
        """Ask to cancel what works."""
        chosen = [order for order in self.open_orders() if protective or not order.is_protective]
        for order in chosen:
            self._drop(order)
        return tuple(order.client_order_id for order in chosen)
