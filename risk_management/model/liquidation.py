"""A liquidation: what is to be closed, the plan that does it, and what the journal remembers of it."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, Self

from risk_management.errors import InvalidRequest, shown
from risk_management.model.money import SCALE
from risk_management.model.portfolio import PositionKey

__all__ = [
    "EVERYTHING",
    "Liquidation",
    "LiquidationPlan",
    "LiquidationScope",
    "Part",
    "PathPoint",
    "PlannedOrder",
    "PlannedStep",
    "Remainder",
    "ScopeKind",
    "SentOrder",
    "plan_id_of",
]

Part = tuple[PositionKey, int]
"""Whose position, and the signed ledger units to trade of it."""
LARGEST_TARGET: Final = 20.0
_NUMBER: Final = re.compile(r"[0-9]*\.?[0-9]+(e-?[0-9]+)?\Z")
"""`float` takes more: ``1_0``, and digits of every script."""


class ScopeKind(StrEnum):
    """What a liquidation closes."""

    EVERYTHING = "everything"
    STRATEGY = "strategy"
    BOT = "bot"
    SYMBOL = "symbol"
    CLUSTER = "cluster"
    """All that moves with a symbol."""
    GROSS = "gross"
    """As much as brings gross exposure to a fraction of equity."""
    VAR = "var"
    """As much as brings the one-day VaR at 95 % to a fraction of equity."""

    CUTS = "cuts"
    """What an emergency row chose to cut."""

    @property
    def is_target(self) -> bool:
        """Whether it names a number instead of a part of the book."""
        return self in (ScopeKind.GROSS, ScopeKind.VAR)


@dataclass(frozen=True, slots=True)
class LiquidationScope:
    """What is to be closed.

    Parameters
    ----------
    kind : ScopeKind
    name : str
        Of the strategy, the bot or the symbol; for a cluster any symbol of it; else empty.
    target : float or None
        For gross and VaR: the fraction of equity to come down to.
    """

    kind: ScopeKind
    name: str = ""
    target: float | None = None

    @classmethod
    def of(cls, text: object) -> Self:
        """The scope that a text says: ``everything``, ``bot:NAME``, ``cluster:SPY``, ``gross:0.5``.

        Raises
        ------
        InvalidRequest
            ``INVALID_SCOPE``
        """
        word, _, rest = str(text).partition(":")
        kind = next((k for k in ScopeKind if k.value == word), None)
        if kind is None or (kind is ScopeKind.EVERYTHING) != (rest == ""):
            raise _no_scope(text)
        if not kind.is_target:
            return cls(kind, rest)
        target = float(rest) if _NUMBER.match(rest) else -1.0
        if not 0.0 <= target <= LARGEST_TARGET:
            raise _no_scope(text)
        return cls(kind, target=target)

    def __str__(self) -> str:
        """As `of` reads it."""
        if self.kind is ScopeKind.EVERYTHING:
            return self.kind.value
        return f"{self.kind.value}:{self.name if self.target is None else repr(self.target)}"


EVERYTHING: Final = LiquidationScope(ScopeKind.EVERYTHING)


def _no_scope(text: object) -> InvalidRequest:
    return InvalidRequest(
        "INVALID_SCOPE",
        "scope",
        "a scope is everything, strategy:NAME, bot:NAME, symbol:NAME, cluster:SYMBOL, gross:FRACTION or "
        f"var:FRACTION of equity; got {shown(text)}",
    )


@dataclass(frozen=True, slots=True)
class PathPoint:
    """The whole book at one point of a plan, in money.

    Parameters
    ----------
    gross : float
        Long and short exposure, added up.
    margin : float
        Maintenance margin.
    var, es : float
        One-day VaR at 95 % and expected shortfall at 97.5 % of what is held.
    closing_var : float
        The same VaR of what is still to be closed alone.
    """

    gross: float
    margin: float
    var: float
    es: float
    closing_var: float


@dataclass(frozen=True, slots=True)
class PlannedOrder:
    """One order.

    Parameters
    ----------
    account_id, symbol : str
    quantity : int
        Signed ledger units at the broker; 0 where owners of opposite sides only cross each other.
    parts : tuple of (PositionKey, int)
        Whose positions they are.
    price : float
        Expected before costs, in the instrument's currency.
    limit_price : float
        At the collar, beyond which nothing is paid.
    notional : float
        Money in the base currency, positive.
    spread_cost : float
        Half the spread, in money.
    impact_cost : float or None
        By the square-root law, in money; None where no daily volume is known.
    reduce_only : bool
        False for a hedge alone.
    is_hedge : bool
        It hedges what waits, and is taken off again.
    """

    account_id: str
    symbol: str
    quantity: int
    parts: tuple[Part, ...]
    price: float
    limit_price: float
    notional: float
    spread_cost: float
    impact_cost: float | None
    reduce_only: bool = True
    is_hedge: bool = False

    @property
    def side(self) -> int:
        """+1 to buy, -1 to sell, 0 for a crossing inside."""
        return (self.quantity > 0) - (self.quantity < 0)

    @property
    def units(self) -> float:
        """Units of the instrument, without a sign."""
        return abs(self.quantity) / SCALE


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """Orders that go together: a position and what hedges it.

    Parameters
    ----------
    number : int
        From 1.
    orders : tuple of PlannedOrder
    starts : float
        Seconds after the first step, by the share of volume that may be taken.
    after : PathPoint
    """

    number: int
    orders: tuple[PlannedOrder, ...]
    starts: float
    after: PathPoint


@dataclass(frozen=True, slots=True)
class Remainder:
    """What the plan does not close.

    Parameters
    ----------
    symbol : str
    quantity : int
        Signed ledger units held.
    why : str
        ``closed``, ``halted``, ``auction``, ``wide_spread``, ``paused``, ``no_broker`` (of its account),
        ``hedge`` (it hedges what waits) or ``dust`` (too small to trade).
    text : str
        A sentence.
    """

    symbol: str
    quantity: int
    why: str
    text: str

    @property
    def is_dust(self) -> bool:
        """Whether it can't be traded at all, rather than later."""
        return self.why == "dust"


@dataclass(frozen=True, slots=True)
class LiquidationPlan:
    """What a liquidation would do now: nothing is sent by making it.

    Parameters
    ----------
    plan_id : str
        Names scope and positions: prices may move under it, positions may not.
    scope : LiquidationScope
    made_at : datetime
    state_version : int
    before : PathPoint
    steps : tuple of PlannedStep
    left : tuple of Remainder
        What waits, and what is too small.
    cancels : tuple of str
        Approvals that open, cancelled before the first step.
    protective : tuple of str
        Approvals that only close: they stand until their position is flat.
    seconds : float
        Until the last order, by the share of volume that may be taken.
    notes : tuple of str
        What the numbers lean on.
    """

    plan_id: str
    scope: LiquidationScope
    made_at: datetime
    state_version: int
    before: PathPoint
    steps: tuple[PlannedStep, ...]
    left: tuple[Remainder, ...]
    cancels: tuple[str, ...]
    protective: tuple[str, ...]
    seconds: float
    notes: tuple[str, ...]

    @property
    def orders(self) -> tuple[PlannedOrder, ...]:
        """All orders in sequence."""
        return tuple(order for step in self.steps for order in step.orders)

    @property
    def waiting(self) -> tuple[Remainder, ...]:
        """What is closed later."""
        return tuple(one for one in self.left if not one.is_dust)

    @property
    def spread_cost(self) -> float:
        """Half the spread of all orders, in money."""
        return sum(order.spread_cost for order in self.orders)

    @property
    def impact_cost(self) -> float:
        """Impact of the orders whose daily volume is known, in money."""
        return sum(order.impact_cost or 0.0 for order in self.orders)

    @property
    def cost(self) -> float:
        """Expected slippage against the present marks, in money."""
        return self.spread_cost + self.impact_cost

    @property
    def after(self) -> PathPoint:
        """The book behind the last step."""
        return self.steps[-1].after if self.steps else self.before

    def explain(self) -> str:
        """The plan in a few lines for a person."""
        lines = [
            f"{self.scope}: {len(self.steps)} steps, {len(self.orders)} orders of "
            f"{sum(o.notional for o in self.orders):,.2f} in all, expected cost {self.cost:,.2f}, "
            f"about {self.seconds:,.0f} s.",
            f"  gross {self.before.gross:,.2f} -> {self.after.gross:,.2f}, "
            f"VaR {self.before.var:,.2f} -> {self.after.var:,.2f}",
        ]
        lines += [f"  {one.text}" for one in self.left]
        lines += [f"  {note}" for note in self.notes]
        return "\n".join(lines)


def plan_id_of(scope: LiquidationScope, held: tuple[Part, ...]) -> str:
    """First 12 hexadecimal digits of the SHA-256 of a scope and the positions in it."""
    text = "\n".join([str(scope), *(f"{'|'.join(key)}={units}" for key, units in sorted(held))])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class SentOrder:
    """An order of a liquidation as the journal knows it: written before it is sent.

    Parameters
    ----------
    client_order_id : str
        Ours; the same is never sent as another order.
    symbol : str
    quantity : int
        Signed ledger units.
    parts : tuple of (PositionKey, int)
    limit_price : float or None
        None for a market order.
    reduce_only : bool
    sent_at : datetime
    status : str
        ``sent`` while it may fill, else how it ended: ``filled``, ``cancelled``, ``rejected``.
    filled : int
        Signed ledger units by the broker.
    is_hedge : bool
        It hedges what waits, and is taken off again.
    told, told_cost : int
        Signed ledger units, and the money paid for them, that were booked by the order's own word since its
        executions did not come.
    """

    client_order_id: str
    symbol: str
    quantity: int
    parts: tuple[Part, ...]
    limit_price: float | None
    reduce_only: bool
    sent_at: datetime
    status: str = "sent"
    filled: int = 0
    is_hedge: bool = False
    told: int = 0
    told_cost: int = 0

    @property
    def is_open(self) -> bool:
        """Whether it may still fill."""
        return self.status == "sent"

    def share(self, before: int, after: int) -> tuple[Part, ...]:
        """Whose units a fill is, that took the order from `before` to `after` (signed, in the order's sense).

        By cumulated shares: however an order fills, each owner ends at the same units. What is filled
        beyond the order goes to the first owner.
        """
        out: list[Part] = []
        for number, (key, units) in enumerate(self.parts):
            first = number == 0
            low = _portion(self.parts, number, before, self.quantity)
            high = _portion(self.parts, number, after, self.quantity)
            beyond = _beyond(after, self.quantity) - _beyond(before, self.quantity) if first else 0
            if units and high - low + beyond:
                out.append((key, high - low + beyond))
        return tuple(out)


def _beyond(filled: int, quantity: int) -> int:
    return filled - quantity if abs(filled) > abs(quantity) else 0


def _portion(parts: tuple[Part, ...], number: int, filled: int, quantity: int) -> int:
    """Units of one owner once `filled` of `quantity` are done: differences of cumulated shares."""
    done = quantity if abs(filled) > abs(quantity) else filled
    upto = sum(units for _, units in parts[: number + 1])
    below = upto - parts[number][1]
    return _share(upto, done, quantity) - _share(below, done, quantity)


def _share(units: int, done: int, quantity: int) -> int:
    return (units * done) // quantity


@dataclass(frozen=True, slots=True)
class Liquidation:
    """A liquidation that began, as the state keeps it until it has ended.

    Parameters
    ----------
    liquidation_id : str
        Its orders' ids begin with it.
    scope : str
        As `LiquidationScope.of` reads it.
    cause : str
        The emergency row, or ``operator``.
    actor, reason : str
    started_at : datetime
    cuts : tuple of (PositionKey, int)
        What is to be traded in all; empty where all that the scope holds is closed, whatever comes.
    orders : tuple of SentOrder
    failures : tuple of (str, int)
        Tries in a row that filled nothing, by symbol.
    ended_at : datetime or None
    outcome : str
        A sentence once it has ended.
    stopped_by, stop_reason : str
        The person who wants it to end: its working orders are cancelled, then it has ended.
    """

    liquidation_id: str
    scope: str
    cause: str
    actor: str
    reason: str
    started_at: datetime
    cuts: tuple[Part, ...] = ()
    orders: tuple[SentOrder, ...] = ()
    failures: tuple[tuple[str, int], ...] = ()
    ended_at: datetime | None = None
    outcome: str = ""
    stopped_by: str = ""
    stop_reason: str = ""

    @property
    def plan_id(self) -> str:
        """Of the plan that it carries out: the scope and the positions that it began with."""
        return self.liquidation_id.rpartition("-")[0]

    @property
    def is_open(self) -> bool:
        """Whether it goes on."""
        return self.ended_at is None

    @property
    def working(self) -> tuple[SentOrder, ...]:
        """Orders that may still fill."""
        return tuple(order for order in self.orders if order.is_open)

    def failed(self, symbol: str) -> int:
        """Tries in a row in a symbol that filled nothing."""
        return dict(self.failures).get(symbol, 0)

    def still_to_cut(self) -> dict[PositionKey, int]:
        """Signed units of each cut that no order has filled."""
        left = dict(self.cuts)
        for order in (one for one in self.orders if not one.is_hedge):
            for key, units in order.share(0, order.filled):
                if key in left:
                    left[key] = left[key] - units
        return {key: units for key, units in left.items() if units * dict(self.cuts)[key] > 0}

    def hedged(self) -> dict[PositionKey, int]:
        """Signed units that its own hedges traded, less what was taken off again."""
        units = {key: 0 for order in self.orders if order.is_hedge for key, _ in order.parts}
        for order in self.orders:
            for key, part in order.share(0, order.filled):
                if key in units:
                    units[key] += part
        return {key: left for key, left in units.items() if left}
