"""The contract of a broker, and what it is made from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from risk_management.clock import Clock
from risk_management.model.broker import (
    BrokerAbilities,
    BrokerFill,
    BrokerOrder,
    Environment,
    MarketState,
    OrderIntent,
)
from risk_management.model.instrument import Instrument

__all__ = ["Broker", "BrokerSettings", "Prices", "Surroundings"]

Prices = Callable[[str], tuple[float, datetime] | None]
"""The newest price of a symbol with its aware UTC moment, None where there is none."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an adapter may ask of the system around it.

    Parameters
    ----------
    clock : Clock
    prices : callable
        The newest known price of a symbol; the paper broker fills at it.
    instrument : callable
        The facts of a symbol, None where it is unknown.
    currency : str
        Base currency of the book.
    capital : float
        Money that the book began with; a new paper account begins with the same.
    holdings : Mapping of str to int
        What the book holds by now, signed ledger units by symbol; a new paper account begins with the same.
    cash : int
        The book's cash beside its holdings, ledger units.
    """

    clock: Clock
    prices: Prices
    instrument: Callable[[str], Instrument | None]
    currency: str = "USD"
    capital: float = 10_000.0
    holdings: Mapping[str, int] = field(default_factory=dict)
    cash: int = 0


class BrokerSettings(Protocol):
    """What `load_broker` reads; ``BrokerConfig`` has it all."""

    @property
    def name(self) -> str | None:
        """Name of the broker."""
        ...

    @property
    def environment(self) -> Environment:
        """Paper or live account."""
        ...

    @property
    def symbols(self) -> Mapping[str, str]:
        """The broker's name by ours, where they differ and can't be derived."""
        ...

    @property
    def timeout(self) -> float:
        """Seconds to wait for an answer."""
        ...

    @property
    def options(self) -> Mapping[str, object]:
        """What this broker alone understands."""
        ...


class Broker(Protocol):
    """One account at a broker. All calls may do I/O and may come from several threads.

    Every call may raise `BrokerUnavailable`: the broker gave no answer, and what was asked may have been
    done. Ask again with the same id.
    """

    @property
    def name(self) -> str:
        """Short name, such as ``paper``."""
        ...

    @property
    def environment(self) -> Environment:
        """``paper`` or ``live``: a paper fill never reaches a live book."""
        ...

    @property
    def abilities(self) -> BrokerAbilities:
        """What this account can."""
        ...

    def positions(self) -> Mapping[str, int]:
        """Ledger units by our symbol, negative for a short; what is not named is not held."""
        ...

    def cash(self) -> int:
        """Cash in the account's currency, ledger units."""
        ...

    def open_orders(self) -> Sequence[BrokerOrder]:
        """Orders that may still fill, whoever sent them."""
        ...

    def market(self, symbol: str) -> MarketState:
        """A symbol's market now; UNKNOWN and without prices where the broker knows it not."""
        ...

    def submit(self, intent: OrderIntent) -> BrokerOrder:
        """Send an order once. A second call with the same id gives the order that the first made.

        Raises
        ------
        OrderRejected
            The broker refused it and no order exists; the code says why.
        BrokerUnavailable
            The order may exist; call again with the same intent to learn of it.
        """
        ...

    def order(self, client_order_id: str) -> BrokerOrder | None:
        """An order by our id, whatever became of it; None where the broker knows none."""
        ...

    def cancel(self, client_order_id: str) -> BrokerOrder | None:
        """Ask for a cancellation and return the order as it then is; it may have been filled before."""
        ...

    def cancel_all(self, *, protective: bool = False) -> tuple[str, ...]:
        """Ask to cancel every open order; protective ones only if told. Returns their client ids.

        What was asked is not done yet: `open_orders` says what is left.
        """
        ...

    def fills(self, since: datetime) -> Sequence[BrokerFill]:
        """Executions of the account at or after an aware moment, oldest first."""
        ...

    def arm_cancel_all(self, seconds: float) -> bool:
        """Have the broker itself cancel everything if it hears nothing for so long; 0 disarms.

        Brokers make no difference here: protective orders go too.

        Returns
        -------
        bool
            False where the broker has no such timer.
        """
        ...

    def close(self) -> None:
        """Let connections and files go."""
        ...
