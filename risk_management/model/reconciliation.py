"""What a broker says of an account, and where that differs from what we hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, Literal

from risk_management.model.money import SCALE

__all__ = ["NOTHING_TOLERATED", "Break", "BrokerReport", "Reconciliation", "ToleratedCash"]


@dataclass(frozen=True, slots=True)
class BrokerReport:
    """One account as its broker tells it, at one moment.

    Parameters
    ----------
    positions : Mapping of str to float
        Units by symbol, negative for a short; a symbol that is not named is not held.
    cash : float or None
        In the base currency; None where it is not told.
    orders : frozenset of str or None
        Request ids of the orders that work at the broker; None where they are not told.
    prices : Mapping of str to float
        The broker's own marks, for symbols that we have no price of.
    odd : tuple of (str, float)
        Units under names that are no symbols here.
    """

    positions: Mapping[str, float]
    cash: float | None
    orders: frozenset[str] | None
    prices: Mapping[str, float]
    odd: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Break:
    """A difference that nothing approved explains.

    Parameters
    ----------
    kind : {"position", "cash", "order", "name"}
        A name is held by the broker and is no symbol here.
    subject : str
        The symbol, the account, the id of the order, or the name as it is shown.
    ours, broker : int
        Units or money, ledger integers; 0 and 0 for an order.
    since : datetime
    """

    kind: Literal["position", "cash", "order", "name"]
    subject: str
    ours: int
    broker: int
    since: datetime

    def explain(self) -> str:
        """One sentence with both numbers."""
        if self.kind == "order":
            return f"the broker works on order {self.subject!r}, which nobody asked for here"
        theirs, ours = (f"{amount / SCALE:,.12g}" for amount in (self.broker, self.ours))
        if self.kind == "name":
            return (
                f"the broker holds {theirs} of {self.subject}, which is no symbol here: it is "
                "neither counted nor closed, and nothing opens beside it; close it there"
            )
        unit = "units of" if self.kind == "position" else "in cash of"
        return f"the broker holds {theirs} {unit} {self.subject}, we hold {ours}"


@dataclass(frozen=True, slots=True)
class ToleratedCash:
    """Differences of cash that were booked without a hold, of one trading day.

    Parameters
    ----------
    day : date or None
        None before the first.
    amount : int
        Sum of their sizes over all accounts, ledger units of the base currency.
    """

    day: date | None = None
    amount: int = 0


NOTHING_TOLERATED: Final = ToleratedCash()


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What a comparison found and did.

    Parameters
    ----------
    account_id : str
    breaks : tuple of Break
        What stays open: the larger of both counts until it is settled.
    adopted : tuple of Break
        Differences that were booked; the broker's numbers are ours now.
    awaited : tuple of str
        Symbols whose difference is that of approved orders; their reports are awaited.
    settled : tuple of str
        Ids of approvals past their time whose fate is known now.
    tolerated : tuple of Break
        Small differences of cash that were booked at once, without a hold.
    lacking : tuple of str
        What a book that waits for its first whole comparison lacks beside what differs, in words.
    """

    account_id: str
    breaks: tuple[Break, ...]
    adopted: tuple[Break, ...]
    awaited: tuple[str, ...]
    settled: tuple[str, ...]
    tolerated: tuple[Break, ...] = ()
    lacking: tuple[str, ...] = ()

    @property
    def is_clean(self) -> bool:
        """Whether nothing is left that people have to look at."""
        return not self.breaks
