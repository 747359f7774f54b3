"""What the risk system and a broker say to each other. Amounts are ledger integers of 1e-8, prices floats."""

from __future__ import annotations

import base64
import hashlib
import math
import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, Literal

from risk_management.errors import InvalidRequest, shown
from risk_management.model.money import SCALE

__all__ = [
    "ApprovedOrder",
    "BrokerAbilities",
    "BrokerFill",
    "BrokerOrder",
    "Environment",
    "MarketState",
    "MarketStatus",
    "OrderIntent",
    "OrderKind",
    "OrderStatus",
    "TimeInForce",
    "own_order",
    "own_order_id",
]

Environment = Literal["paper", "live"]
_OWN: Final = "risk"
_OWN_ID: Final = re.compile(r"risk[a-z2-7]{14}\Z")
_CLIENT_ID: Final = re.compile(r"[A-Za-z0-9]{1,18}\Z")  # Kraken takes 18 characters, OKX no others


class OrderKind(StrEnum):
    """How an order is priced."""

    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    """A market order once the price has reached `stop_price`."""


class TimeInForce(StrEnum):
    """How long an order works."""

    DAY = "day"
    GTC = "gtc"
    """Until it is cancelled."""
    IOC = "ioc"
    """What does not fill at once is cancelled."""


class OrderStatus(StrEnum):
    """Life of an order at the broker."""

    ACCEPTED = "accepted"
    PARTIAL = "partial"
    FILLED = "filled"
    CANCELLED = "cancelled"
    """By anybody, or past its time; what was filled before stays."""
    REJECTED = "rejected"
    UNKNOWN = "unknown"
    """The broker uses a word that the adapter does not know: it may still work."""

    @property
    def is_open(self) -> bool:
        """Whether it may still fill."""
        return self in _OPEN


_OPEN: Final = frozenset({OrderStatus.ACCEPTED, OrderStatus.PARTIAL, OrderStatus.UNKNOWN})


class MarketStatus(StrEnum):
    """Whether a symbol trades now."""

    OPEN = "open"
    CLOSED = "closed"
    HALTED = "halted"
    AUCTION = "auction"
    UNKNOWN = "unknown"
    """The broker does not say."""


@dataclass(frozen=True, slots=True)
class MarketState:
    """A symbol's market at one moment, as the broker tells it; None is not told.

    Parameters
    ----------
    symbol : str
    status : MarketStatus
    as_of : datetime
        Aware UTC time of the prices; without any, of the answer.
    bid, ask, last : float or None
        In the instrument's currency, above 0.
    normal_spread : float or None
        Usual distance from bid to ask, as a fraction of the price.
    daily_volume : float or None
        Units a day.
    lot : int
        Least step of a quantity, ledger units, at least 1.
    min_notional : float
        Least order in money, 0 where there is none.
    tick : float
        Least step of a price, 0 where none is known.
    """

    symbol: str
    status: MarketStatus
    as_of: datetime
    bid: float | None = None
    ask: float | None = None
    last: float | None = None
    normal_spread: float | None = None
    daily_volume: float | None = None
    lot: int = 100
    min_notional: float = 0.0
    tick: float = 0.0

    @property
    def mid(self) -> float | None:
        """Middle of bid and ask, else the last trade."""
        if self.bid is None or self.ask is None:
            return self.last
        return 0.5 * (self.bid + self.ask)

    @property
    def spread(self) -> float | None:
        """Distance from bid to ask as a fraction of their middle."""
        mid = self.mid
        if self.bid is None or self.ask is None or not mid:
            return None
        return (self.ask - self.bid) / mid


@dataclass(frozen=True, slots=True)
class OrderIntent:
    """An order that the risk system wants.

    Parameters
    ----------
    client_order_id : str
        Ours, once in the life of the account: 1 to 18 letters and digits, which every broker takes. The
        same id is sent once. `own_order_id` makes one.
    symbol : str
        Our name.
    side : int
        +1 to buy, -1 to sell.
    quantity : int
        Ledger units, above 0.
    kind : OrderKind
    limit_price, stop_price : float or None
        In the instrument's currency; one for a limit order, one for a stop.
    reduce_only : bool
        Never opens or flips a position: a broker that can't promise it is asked for no more than is held.
    time_in_force : TimeInForce

    Raises
    ------
    InvalidRequest
        The fields contradict each other.
    """

    client_order_id: str
    symbol: str
    side: int
    quantity: int
    kind: OrderKind = OrderKind.MARKET
    limit_price: float | None = None
    stop_price: float | None = None
    reduce_only: bool = True
    time_in_force: TimeInForce = TimeInForce.DAY

    def __post_init__(self) -> None:
        self._check_id()
        if self.side not in (1, -1):
            raise InvalidRequest("OUT_OF_RANGE", "side", f"a side is 1 or -1; got {shown(self.side)}")
        if self.quantity <= 0:
            raise InvalidRequest(
                "NOT_POSITIVE", "quantity", f"a quantity is above 0; got {shown(self.quantity)}"
            )
        for name, kind in (("limit_price", OrderKind.LIMIT), ("stop_price", OrderKind.STOP)):
            price = getattr(self, name)
            is_needed = self.kind is kind
            if is_needed != (price is not None) or not (price is None or 0.0 < price < math.inf):
                said = f"a {self.kind} order has {'a' if is_needed else 'no'} {name}; got {shown(price)}"
                raise InvalidRequest("OUT_OF_RANGE", name, said)

    def _check_id(self) -> None:
        if not _CLIENT_ID.match(self.client_order_id):
            raise InvalidRequest(
                "INVALID_ORDER_ID",
                "client_order_id",
                f"an order id has 1 to 18 letters and digits; got {shown(self.client_order_id)}",
            )

    @property
    def units(self) -> float:
        """Units of the instrument, without a sign."""
        return self.quantity / SCALE


@dataclass(frozen=True, slots=True)
class ApprovedOrder(OrderIntent):
    """An approval of a bot as an order of the paper account, which takes any request id for an order id."""

    def _check_id(self) -> None:
        """Every request id will do."""


@dataclass(frozen=True, slots=True)
class BrokerOrder:
    """An order as the broker tells it.

    Parameters
    ----------
    client_order_id : str
        The id that whoever sent it gave; the broker's own where none was given.
    broker_order_id : str
    symbol : str
        Our name.
    side : int
    quantity : int
        Ledger units ordered.
    kind : OrderKind
    status : OrderStatus
    filled : int
        Ledger units filled so far.
    average_price : float or None
        Of what was filled.
    fee : int
        Paid so far in the account's currency, ledger units; 0 where the broker does not tell it by order.
    reason : str
        Why it was rejected or cancelled, in the broker's words.
    is_protective : bool
        A stop that only closes: it stays when entries are cancelled.
    limit_price, stop_price : float or None
    submitted_at, updated_at : datetime or None
    """

    client_order_id: str
    broker_order_id: str
    symbol: str
    side: int
    quantity: int
    kind: OrderKind
    status: OrderStatus
    filled: int = 0
    average_price: float | None = None
    fee: int = 0
    reason: str = ""
    is_protective: bool = False
    limit_price: float | None = None
    stop_price: float | None = None
    submitted_at: datetime | None = None
    updated_at: datetime | None = None

    @property
    def left(self) -> int:
        """Ledger units that may still fill; 0 of an order that ended."""
        return self.quantity - self.filled if self.status.is_open else 0

    @property
    def is_ours(self) -> bool:
        """Whether the risk system itself sent it."""
        return own_order(self.client_order_id)


@dataclass(frozen=True, slots=True)
class BrokerFill:
    """One execution.

    Parameters
    ----------
    execution_id : str
        The broker's, once in the life of the account.
    client_order_id, broker_order_id : str
    symbol : str
    side : int
    quantity : int
        Ledger units, above 0.
    price : float
        In the instrument's currency.
    fee : int
        In the account's currency, ledger units.
    at : datetime
    """

    execution_id: str
    client_order_id: str
    broker_order_id: str
    symbol: str
    side: int
    quantity: int
    price: float
    fee: int
    at: datetime


@dataclass(frozen=True, slots=True)
class BrokerAbilities:
    """What an adapter can; what it can't, it does not pretend.

    Parameters
    ----------
    reduce_only : bool
        The broker itself keeps an order from opening; else the adapter compares it with what is held.
    stop_orders : bool
    cancel_timer : bool
        `arm_cancel_all` arms a timer at the broker.
    market_status : bool
        The broker says whether a market is open; else it is UNKNOWN.
    halts : bool
        It also tells a halted symbol and an auction.
    fees_by_fill : bool
    """

    reduce_only: bool
    stop_orders: bool
    cancel_timer: bool
    market_status: bool
    halts: bool
    fees_by_fill: bool


def own_order(client_order_id: str) -> bool:
    """Whether an order id is one that `own_order_id` makes."""
    return _OWN_ID.match(client_order_id) is not None


def own_order_id(*parts: str | int) -> str:
    """The id of an order of the risk system itself: 18 characters, the same for the same parts.

    A plan that is taken up again after a crash asks with the same parts and sends nothing twice.
    """
    digest = hashlib.sha256("\0".join(map(str, parts)).encode()).digest()
    return _OWN + base64.b32encode(digest).decode().lower()[:14]  # 70 bits
