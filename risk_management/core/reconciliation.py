"""The broker's truth on quantities and cash, ours on whose they are: find the differences and what follows.

A difference that approved orders explain is awaited. One that adds exposure counts at once. One that
takes exposure away counts only when it is told twice, or settled by a person: until then the larger of
both counts. A difference of cash as small as a fee is booked at once. What a report does not tell stays as
it was found before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.accounts import broker_account
from risk_management.core.cash_tolerance import is_tolerated
from risk_management.core.entry import (
    checked_name,
    checked_number,
    checked_price,
    checked_symbol,
    is_symbol,
    other_spellings,
)
from risk_management.core.evolve import evolve
from risk_management.core.fills import book_fill
from risk_management.errors import InvalidRequest, shown
from risk_management.model.amend import amended
from risk_management.model.events import (
    BreaksSeen,
    CashKind,
    CashMoved,
    Event,
    Filled,
    HoldReleased,
    HoldSet,
    Noted,
    ReservationClosed,
)
from risk_management.model.money import SCALE, to_ledger
from risk_management.model.portfolio import (
    EXTERNAL,
    SYSTEM,
    Hold,
    PortfolioState,
    PositionKey,
    Reservation,
    ReservationStatus,
    Scope,
    TradingMode,
)
from risk_management.model.reconciliation import Break, BrokerReport, Reconciliation

__all__ = ["RECONCILIATION", "UNRECONCILED", "checked_report", "compared", "set_aside", "spelled"]

RECONCILIATION: Final = "reconciliation"
"""Cause of the hold on a symbol, or on the portfolio for cash, that differs."""
UNRECONCILED: Final = "unreconciled"
"""Cause of the hold of a book that nobody compared with its broker yet."""
SAME_UNITS: Final = to_ledger(1e-6)
SAME_MONEY: Final = to_ledger(0.01)
ROUNDED: Final = 1e-5
"""Share of a position by which its units may be rounded at the broker."""
SLACK: Final = 0.005
"""An order may fill this much more than was approved without being a difference."""
BELIEVED: Final = 0.10
"""Cash that differs by more than this share of equity is settled by a person alone."""


def set_aside(held: Mapping[str, int]) -> tuple[dict[str, int], dict[str, int]]:
    """What a broker holds by symbol, and apart from it what it holds under names that are no symbols here."""
    known = {name: units for name, units in held.items() if is_symbol(name)}
    return known, {name: units for name, units in held.items() if units and name not in known}


def spelled(state: PortfolioState, report: BrokerReport) -> BrokerReport:
    """A report in which a symbol that the book knows in another case is a name that is no symbol here."""
    other = other_spellings(state, report.positions)
    if not other:
        return report
    positions = {symbol: units for symbol, units in report.positions.items() if symbol not in other}
    odd = tuple((symbol, report.positions[symbol]) for symbol in other)
    return amended(report, positions=positions, odd=(*report.odd, *odd))


def checked_report(
    positions: object,
    cash: object,
    orders: Iterable[str] | None,
    prices: object,
    odd: Mapping[str, float] | None = None,
) -> BrokerReport:
    """A broker's report with plain types.

    Raises
    ------
    InvalidRequest
    """
    if isinstance(orders, str):
        raise InvalidRequest("WRONG_TYPE", "open_orders", "open_orders lists ids; got one text")
    held = _by_symbol(positions, "positions")
    marks = _by_symbol(prices or {}, "prices")
    return BrokerReport(
        {s: checked_number(q, f"units of {s}", zero=True, signed=True) for s, q in held.items()},
        None if cash is None else checked_number(cash, "cash", zero=True, signed=True),
        None if orders is None else frozenset(checked_name(order, "open_orders") for order in orders),
        {s: checked_price(p, f"price of {s}") for s, p in marks.items()},
        tuple((odd or {}).items()),
    )


def _by_symbol(values: object, field: str) -> dict[str, object]:
    if not isinstance(values, Mapping):
        raise InvalidRequest("WRONG_TYPE", field, f"{field} map symbols to numbers; got {shown(values)}")
    return {checked_symbol(symbol): value for symbol, value in values.items()}


def compared(
    state: PortfolioState,
    config: RiskManagementConfig,
    account_id: str,
    report: BrokerReport,
    now: datetime,
    *,
    settle: bool,
    actor: str,
) -> tuple[list[Event], Reconciliation]:
    """Hold a broker's report against the state.

    Parameters
    ----------
    state : PortfolioState
    config : RiskManagementConfig
    account_id : str
    report : BrokerReport
    now : datetime
    settle : bool
        A person says that the broker is right: every difference is booked now.
    actor : str

    Returns
    -------
    events : list of Event
        To be applied in this order.
    reconciliation : Reconciliation
    """
    work = _Comparison(state, config, account_id, report, now, settle, actor)
    work.orders()
    work.positions()
    work.cash()
    return [*work.events, *work.holds()], Reconciliation(
        account_id,
        tuple(work.breaks),
        tuple(work.adopted),
        tuple(work.awaited),
        tuple(work.settled),
        tuple(work.tolerated),
        work.lacking(),
    )


@dataclass
class _Comparison:
    """One comparison under way; never leaves this module."""

    state: PortfolioState
    config: RiskManagementConfig
    account_id: str
    report: BrokerReport
    now: datetime
    settle: bool
    actor: str
    events: list[Event] = field(default_factory=list)
    breaks: list[Break] = field(default_factory=list)
    adopted: list[Break] = field(default_factory=list)
    awaited: list[str] = field(default_factory=list)
    settled: list[str] = field(default_factory=list)
    tolerated: list[Break] = field(default_factory=list)
    booked: PortfolioState | None = None
    """The state after what was booked so far, None before anything was."""
    cash_moved: int = 0
    has_compared_cash: bool = False

    def orders(self) -> None:
        """Orders that work at the broker and that nobody asked for."""
        if self.report.orders is None:
            self._keep("order")
            return
        for order in sorted(self.report.orders):
            if order not in self.state.reservations:
                self.breaks.append(self._break("order", order, 0, 0))

    def positions(self) -> None:
        """Every symbol that is held here or there."""
        held: dict[str, int] = {}
        for position in self.state.positions.values():
            if position.key.account_id == self.account_id:
                held[position.symbol] = held.get(position.symbol, 0) + position.quantity
        waiting = {r.key.symbol: None for r in self._reservations()}
        for symbol in sorted({*held, *self.report.positions, *waiting}):
            ours, theirs = held.get(symbol, 0), to_ledger(self.report.positions.get(symbol, 0.0))
            left = self._explained(symbol, theirs - ours)
            if abs(left) > SAME_UNITS and (self.settle or not self._is_dust(symbol, ours, left)):
                self._differs(symbol, ours, theirs, left)
        for name, units in self.report.odd:
            self.breaks.append(self._break("name", shown(name), 0, to_ledger(units)))

    def cash(self) -> None:
        """Cash, once no fill is on its way."""
        if self.report.cash is None or self.awaited:
            self._keep("cash")
            return
        self.has_compared_cash = True
        ours = self.state.accounts[self.account_id].cash + self.cash_moved
        theirs = to_ledger(self.report.cash)
        if abs(theirs - ours) <= SAME_MONEY:
            return
        found = self._break("cash", self.account_id, ours, theirs)
        moved = CashMoved(self.now, self.actor, self.account_id, CashKind.ADJUSTMENT, theirs - ours)
        if not self.settle and is_tolerated(self.state, self.config, moved):
            if any(differs.kind == "position" for differs in self.breaks):
                self._keep("cash")  # it may be what a fill moved that we know nothing of: booked with it
                return
            self.tolerated.append(found)
            self.events.append(Noted(self.now, self.actor, "CASH_TOLERATED", found.explain()))
            self.events.append(amended(moved, tolerated=True))
            return
        equity = to_ledger(max(self.state.equity or 0.0, 0.0))
        believed = abs(theirs - ours) <= BELIEVED * equity and self._was_told(found)
        if not (self.settle or believed):
            self.breaks.append(found)
            return
        self.adopted.append(found)
        self.events.append(moved)

    def holds(self) -> Iterator[Event]:
        """What is held while it differs, and let go once it does not."""
        if tuple(self.breaks) != self._known():
            yield BreaksSeen(self.now, self.actor, self.account_id, tuple(self.breaks))
        accounts = self.state.breaks.items()
        others = [found for name, known in accounts if name != self.account_id for found in known]
        wanted = {self._scope(found) for found in (*self.breaks, *others) if found.kind != "order"}
        ours = {(h.scope, h.name) for h in self.state.holds.values() if h.cause == RECONCILIATION}
        for scope, name in sorted(wanted - ours):
            text = f"{name or 'the account'} differs from what the broker says"
            hold = Hold(scope, name, RECONCILIATION, TradingMode.REDUCING, SYSTEM, text, self.now)
            yield HoldSet(self.now, self.actor, hold)
        for scope, name in sorted(ours - wanted):
            yield HoldReleased(self.now, self.actor, scope, name, RECONCILIATION, "the broker says the same")
        is_held = self._is_awaited()
        if is_held and not (self.lacking() or self.breaks or others):
            said = "positions, cash and prices were compared with the broker"
            yield HoldReleased(self.now, self.actor, Scope.PORTFOLIO, "", UNRECONCILED, said)

    def _is_awaited(self) -> bool:
        return (Scope.PORTFOLIO, "", UNRECONCILED) in self.state.holds

    def lacking(self) -> tuple[str, ...]:
        """What was not compared of all that a book waits for, in words; nothing where none waits."""
        if not self._is_awaited():
            return ()
        found = []
        wanted = broker_account(self.config)
        if self.account_id != wanted:
            found.append(f"a report of account {wanted}: this one is of {self.account_id}")
        if self.report.cash is None:
            found.append("the cash of the account")
        elif not self.has_compared_cash:
            found.append(f"the fills of {', '.join(sorted({*self.awaited}))}: cash is compared after them")
        found += [f"a price of {symbol}, from a feed or the broker" for symbol in self._unpriced()]
        return tuple(found)

    # -- a symbol -----------------------------------------------------------------------------------

    def _explained(self, symbol: str, difference: int) -> int:
        """What is left of a difference after the orders that are approved, or our own, and not reported."""
        for own in self._own_orders(symbol):
            units = own if abs(own) < abs(difference) else difference
            if units * own > 0:
                self.awaited.append(symbol)
                difference -= units
        for waiting in self._reservations(symbol):
            units = min(_units_left(waiting), max(0, difference * waiting.side)) * waiting.side
            if abs(difference - units) <= SLACK * abs(difference):
                units = difference
            is_late = waiting.status is ReservationStatus.EXPIRED_UNCONFIRMED
            works = self.report.orders is None or waiting.request_id in self.report.orders
            if units and is_late and self._price(symbol) is not None:
                self._book(self._fill(waiting, units, final=not works))
                self.settled.append(waiting.request_id)
            elif units:
                self.awaited.append(symbol)
            elif is_late and not works:
                self.settled.append(waiting.request_id)
                self.events.append(
                    ReservationClosed(
                        self.now,
                        self.actor,
                        waiting.request_id,
                        ReservationStatus.NOT_SENT,
                        "past its time and not at the broker",
                    )
                )
            difference -= units
        return difference

    def _is_dust(self, symbol: str, ours: int, left: int) -> bool:
        """Whether a broker may have rounded what we hold: a trace of it, worth no more than cash may differ.

        Of what we hold alone, so that no price, however wrong, hides a position.
        """
        price = self._price(symbol)
        return price is not None and abs(left) <= ROUNDED * abs(ours) and abs(left) * price <= SAME_MONEY

    def _differs(self, symbol: str, ours: int, theirs: int, left: int) -> None:
        found = self._break("position", symbol, ours, theirs)
        price = self._price(symbol)
        adds = abs(ours + left) > abs(ours) and ours * left >= 0
        if price is None or not (self.settle or adds or self._was_told(found)):
            self.breaks.append(found)
            return
        self.adopted.append(found)
        key = PositionKey(self.account_id, symbol, "", EXTERNAL)
        name = f"{EXTERNAL}-{symbol}-{self.state.version}"
        self._book(
            Filled(
                at=self.now,
                actor=self.actor,
                request_id=name,
                execution_id=name,
                key=key,
                quantity=left,
                cost=round(left * price),
                fee=0,
                final=True,
                used_opening=0,
                used_closing=0,
                used_quantity=0,
            )
        )

    def _book(self, event: Filled) -> None:
        """Book what the broker holds, with the cash that it moves: of a contract its profit alone."""
        before = self.booked or self.state
        self.events.append(event)
        self.cash_moved += book_fill(before, event, self.config.kelly_config).cash
        self.booked = evolve(before, event, self.config)

    def _fill(self, waiting: Reservation, units: int, *, final: bool) -> Filled:
        """Book what the broker holds on an approval whose bot never told."""
        price = self._price(waiting.key.symbol) or 0.0
        closing = min(abs(units), waiting.closing_quantity)
        used_closing = waiting.closing * closing // waiting.closing_quantity if closing else 0
        return Filled(
            at=self.now,
            actor=self.actor,
            request_id=waiting.request_id,
            execution_id=f"reconciled-{waiting.request_id}-{self.state.version}",
            key=waiting.key,
            quantity=units,
            cost=round(units * price),
            fee=0,
            final=final,
            used_opening=round((abs(units) - closing) * (waiting.price or price)),
            used_closing=used_closing,
            used_quantity=closing,
        )

    def _price(self, symbol: str) -> float | None:
        """Money for one unit in the base currency: our quote, what we paid, or the broker's own mark."""
        instrument = self.state.instruments.get(symbol)
        rate = 1.0 if instrument is None else self.state.rate_of(instrument.currency)
        if rate is None:
            return None
        each = rate * (1.0 if instrument is None else instrument.multiplier)
        quote = self.state.quotes.get(symbol)
        if quote is not None:
            return quote.price * each
        known = [p for p in self.state.positions.values() if p.symbol == symbol]
        if known:
            return known[0].entry_price
        told = self.report.prices.get(symbol)
        return None if told is None else told * each

    def _unpriced(self) -> list[str]:
        """Symbols of the account that neither a feed nor the broker has a price of."""
        held = {p.symbol for p in self.state.positions.values() if p.key.account_id == self.account_id}
        held |= {symbol for symbol, units in self.report.positions.items() if units}
        return sorted(held - self.state.quotes.keys() - self.report.prices.keys())

    def _own_orders(self, symbol: str) -> list[int]:
        """Signed units of the system's own orders in a symbol that may fill: it books them by their ids."""
        working = [o for one in self.state.liquidations.values() if one.is_open for o in one.working]
        mine = [o for o in working if o.symbol == symbol and o.parts[0][0].account_id == self.account_id]
        return [order.quantity for order in mine]

    def _reservations(self, symbol: str | None = None) -> list[Reservation]:
        """Approvals of the account, those past their time first."""
        mine = [
            r
            for r in self.state.reservations.values()
            if r.key.account_id == self.account_id and (symbol is None or r.key.symbol == symbol)
        ]
        return sorted(
            mine, key=lambda r: (r.status is not ReservationStatus.EXPIRED_UNCONFIRMED, r.created_at)
        )

    # -- breaks -------------------------------------------------------------------------------------

    def _break(self, kind: str, subject: str, ours: int, broker: int) -> Break:
        same = (b for b in self._known() if (b.kind, b.subject) == (kind, subject))
        before = next(same, None)
        since = self.now if before is None else before.since
        return Break(kind, subject, ours, broker, since)  # type: ignore[arg-type]

    def _keep(self, kind: str) -> None:
        """Differences of a kind that nobody looked at this time stay open."""
        self.breaks += [found for found in self._known() if found.kind == kind]

    def _known(self) -> tuple[Break, ...]:
        return self.state.breaks.get(self.account_id, ())

    def _was_told(self, found: Break) -> bool:
        """Whether the last report said the same: one report alone takes nothing away."""
        return any(
            (b.kind, b.subject, b.ours, b.broker) == (found.kind, found.subject, found.ours, found.broker)
            for b in self._known()
        )

    @staticmethod
    def _scope(found: Break) -> tuple[Scope, str]:
        """A symbol that is counted in full holds itself alone; what can't be counted holds the book."""
        is_counted = found.kind == "position" and abs(found.ours) >= abs(found.broker)
        return (Scope.SYMBOL, found.subject) if is_counted else (Scope.PORTFOLIO, "")


def _units_left(reservation: Reservation) -> int:
    """Units of an approval that may still be filled, ledger units."""
    if reservation.price:
        return reservation.closing_quantity + round(reservation.opening / reservation.price)
    return reservation.closing_quantity or (SCALE * SCALE if reservation.opening else 0)
