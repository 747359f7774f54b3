"""A fill report, and how much of an approval's closing and opening part it uses."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import blake2s
from typing import Final

from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.entry import checked_name, checked_number, checked_price
from risk_management.errors import InvalidRequest, shown
from risk_management.model.events import Filled, TradeDecided
from risk_management.model.money import SCALE, to_ledger
from risk_management.model.portfolio import PortfolioState, PositionKey, Reservation, ReservationStatus
from risk_management.model.trade import Execution

__all__ = [
    "Booking",
    "Executed",
    "FillReport",
    "dear_fee",
    "far_from_ours",
    "fill_event",
    "flag_text",
    "is_outlier",
    "nothing_approved",
]

FINAL_WITHIN: Final = 0.005
"""A fill this close to the approved size is the last one, unless the report says otherwise."""
SAME: Final = 1e-6
LONGEST_BASE: Final = 100
"""Characters of a request id that execution ids begin with; of a longer one its digest."""
DEAR: Final = 100.0
Executed = tuple[str, int, float, int]
"""What an execution id booked: request, signed units, money, and the money that the report named."""


@dataclass(frozen=True, slots=True)
class FillReport:
    """What a bot or broker says of an order.

    Parameters
    ----------
    request_id : str
    size : float
        Money filled, 0 or more.
    price : float
        Price of the fill; not looked at where nothing was filled.
    success : bool
        False: nothing more will come.
    execution_id : str or None
        The broker's id of this fill; without one equal reports are told apart by what is left.
    final : bool or None
        Whether this is the last report.
    quantity : float or None
        Units filled, where known; else ``size / price``.
    fee : float
        Money, 0 or more.
    environment : str or None
        ``paper``, ``live`` or ``replay``, where the reporter knows it: another book's fill is refused.
    actor : str
        Who reports, for the journal; by default the bot.
    """

    request_id: str
    size: float
    price: float
    success: bool = True
    execution_id: str | None = None
    final: bool | None = None
    quantity: float | None = None
    fee: float = 0.0
    environment: str | None = None
    actor: str = ""

    def checked(self) -> FillReport:
        """The same with plain types; InvalidRequest for what means nothing."""
        if not isinstance(self.success, bool):
            raise InvalidRequest(
                "WRONG_TYPE", "success", f"success is True or False; got {shown(self.success)}"
            )
        size = checked_number(self.size, "executed_size", zero=True)
        quantity = self.quantity
        if quantity is not None:
            quantity = checked_number(quantity, "executed_quantity", zero=True)
        needs_price = size > 0.0 or bool(quantity)
        if needs_price and self.price == 0.0:
            said = "executed_price is 0 or was left out; a fill needs the price that it was made at"
            raise InvalidRequest("NOT_POSITIVE", "executed_price", said)
        price = checked_price(self.price, "executed_price") if needs_price else 0.0
        return replace(
            self,
            request_id=checked_name(self.request_id, "request_id"),
            size=size,
            price=price,
            execution_id=None
            if self.execution_id is None
            else checked_name(self.execution_id, "execution_id"),
            quantity=quantity,
            fee=checked_number(self.fee, "fee", zero=True),
        )


@dataclass(frozen=True, slots=True)
class Booking:
    """The event of a report, and what a person must know about it."""

    event: Filled
    duplicate: bool
    conflict: bool
    flags: tuple[str, ...]

    def execution(self, state: PortfolioState) -> Execution:
        """The answer to the reporter, after the event was applied."""
        left = state.reservations.get(self.event.request_id)
        return Execution(
            request_id=self.event.request_id,
            execution_id=self.event.execution_id,
            booked=0.0 if self.duplicate else abs(self.event.cost) / SCALE,
            quantity=0.0 if self.duplicate else self.event.quantity / SCALE,
            remaining=0.0 if left is None else (left.opening + left.closing) / SCALE,
            duplicate=self.duplicate,
            flags=self.flags,
        )


def fill_event(
    state: PortfolioState,
    reservation: Reservation,
    report: FillReport,
    config: RiskManagementConfig,
    now: datetime,
    known: Executed | None = None,
) -> Booking:
    """Turn a checked report into the event that books it.

    A report in money is units at its price. Where it comes within half a per cent of the units that
    were to be closed, or names the approved money itself, the close is taken as complete, so that a
    position closed in full is flat although the price moved.

    `known` is what the report's execution id booked before, None for a new one.

    Raises
    ------
    InvalidRequest
        ``NO_RATE``: the instrument's currency has no exchange rate to book it at.
    """
    is_open = report.request_id in state.reservations
    instrument = state.instruments[reservation.key.symbol]
    rate = state.rate_of(instrument.currency)
    if rate is None:
        said = f"there is no {instrument.currency} rate; set_rate it, then report again"
        raise InvalidRequest("NO_RATE", "executed_price", said)
    unit_price = report.price * instrument.multiplier * rate
    closing_units, opening_units, used_closing, used_opening = _split(reservation, report, unit_price)
    units = closing_units + opening_units
    cost = round(units * unit_price)
    filled = reservation.filled + abs(cost)
    final = report.final
    if final is None:
        final = not report.success or filled >= reservation.approved * (1.0 - FINAL_WITHIN)
    event = Filled(
        at=now,
        actor=report.actor or reservation.key.bot,
        request_id=report.request_id,
        execution_id=report.execution_id or _next_id(state, report.request_id),
        key=reservation.key,
        quantity=reservation.side * units,
        cost=reservation.side * cost,
        fee=to_ledger(report.fee),
        final=final or not report.success,
        used_opening=used_opening,
        used_closing=used_closing,
        used_quantity=closing_units,
        stop_risk=_stop_share(reservation, used_opening),
        has_stop=reservation.stop_risk > 0,
        reported=0 if report.quantity is not None else to_ledger(report.size),
    )
    duplicate, conflict = _seen(state, event, report, known, is_open=is_open)
    if duplicate:
        return Booking(event, duplicate, conflict, ())
    is_off = _is_off(state, reservation, report, config, now)
    by_units = is_off or report.quantity is not None
    flags = _flags(reservation, event, config, is_open=is_open, by_units=by_units)
    is_late = "LATE_FILL" in flags and reservation.status is not ReservationStatus.FILLED
    if is_late and "OVERFILL" not in flags and _turns(state, event):
        flags = (*flags, "OVERFILL")
    if is_off:
        flags = (*flags, "OFF_PRICE")
    return Booking(event, duplicate, conflict, flags)


def flag_text(flag: str, reservation: Reservation, event: Filled, price: float) -> str:
    """What a person must know about a fill that was booked, with its numbers and what follows.

    `reservation` is that of before the fill.
    """
    side, symbol, bot = "buy" if event.quantity > 0 else "sell", reservation.key.symbol, reservation.key.bot
    what = f"{side} {symbol} {abs(event.cost) / SCALE:,.2f} at {price:,.4f}, {event.request_id} of {bot}"
    filled = (reservation.filled + abs(event.cost)) / SCALE
    approved = f"filled are {filled:,.2f} in all, approved were {reservation.approved / SCALE:,.2f}"
    closes = f"{bot} only closes until it is set ACTIVE"
    return {
        "OVERFILL": f"filled beyond the approval: {what}; {approved}; {closes}",
        "UNAPPROVED_FILL": f"filled although it was refused: {what}; {closes}",
        "LATE_FILL": f"filled after the approval had ended: {what}; it is booked",
        "OFF_PRICE": f"filled far from our price: {what}; it is booked",
    }[flag]


def nothing_approved(answer: TradeDecided) -> Reservation:
    """What a fill is booked against whose request was refused, or settled so long ago that only the answer
    is known: nothing is left of it.
    """
    request, known = answer.request, answer.reservation
    if known is not None:
        return replace(
            known,
            opening=0,
            closing=0,
            closing_quantity=0,
            filled=known.approved,
            status=ReservationStatus.FILLED,
        )
    return Reservation(
        request_id=request.request_id,
        key=PositionKey(request.account_id, request.symbol, request.strategy, request.bot),
        side=request.side,
        opening=0,
        closing=0,
        closing_quantity=0,
        approved=0,
        filled=0,
        price=None,
        created_at=answer.at,
        valid_until=answer.decision.valid_until,
        status=ReservationStatus.NOT_SENT,
    )


def dear_fee(event: Filled) -> bool:
    """Whether a fee is more than the whole fill and more than a small one: a slip of the reporter."""
    return event.fee > max(abs(event.cost), to_ledger(DEAR))


def is_outlier(
    state: PortfolioState, reservation: Reservation, report: FillReport, config: RiskManagementConfig
) -> bool:
    """Whether the price of a fill is beyond belief beside our own, or what its units cost us: it would make
    up equity.
    """
    paid = None
    if reservation.closing_quantity:
        instrument = state.instruments[reservation.key.symbol]
        rate = state.rate_of(instrument.currency) or 1.0
        paid = reservation.closing / reservation.closing_quantity / instrument.multiplier / rate
    return far_from_ours(state, reservation.key.symbol, report.price, config, paid)


def far_from_ours(
    state: PortfolioState, symbol: str, price: float, config: RiskManagementConfig, paid: float | None = None
) -> bool:
    """Whether a price lies further from our own than `quote_jump`; from `paid` where we have none.

    While our price moved far in one tick and awaits a second, one near that before it is believed too.
    """
    quote = state.quotes.get(symbol)
    known = [paid] if quote is None else [quote.price, quote.anchor]
    distances = [abs(price / each - 1.0) for each in known if each is not None]
    return price > 0.0 and min(distances, default=0.0) > config.market_data_config.quote_jump


def _split(reservation: Reservation, report: FillReport, unit_price: float) -> tuple[int, int, int, int]:
    """Units that close and that open, and the approved money of each that they use; ledger units."""
    closing_left = reservation.closing_quantity
    if report.quantity is not None:
        units = to_ledger(report.quantity)
        closing_units = min(units, closing_left)
        used_closing = reservation.closing * closing_units // closing_left if closing_left else 0
        opening_units = units - closing_units
        used_opening = _approved_money(reservation, opening_units, unit_price)
        return closing_units, opening_units, used_closing, used_opening
    money = to_ledger(report.size)
    if not closing_left:
        return 0, round(money / unit_price), 0, money
    whole = reservation.closing + reservation.opening
    told = reservation.filled + money
    if abs(money - whole) <= FINAL_WITHIN * whole or abs(told - reservation.approved) <= FINAL_WITHIN * told:
        return closing_left, round(reservation.opening / unit_price), reservation.closing, reservation.opening
    units = round(money / unit_price)
    if abs(units - closing_left) <= FINAL_WITHIN * closing_left:
        units = closing_left
    closing_units = min(units, closing_left)
    used_closing = reservation.closing * closing_units // closing_left
    used_opening = round((units - closing_units) * unit_price)
    return closing_units, units - closing_units, used_closing, used_opening


def _approved_money(reservation: Reservation, units: int, unit_price: float) -> int:
    """The approved money that units of the opening part use: in proportion to the units approved."""
    if reservation.quantity and reservation.approved and reservation.price:
        return round(units * reservation.price)
    return round(units * unit_price)


def _stop_share(reservation: Reservation, used_opening: int) -> int:
    if reservation.stop_risk == 0 or reservation.approved == 0:
        return 0
    return min(used_opening, reservation.stop_risk * used_opening // reservation.approved)


def _next_id(state: PortfolioState, request_id: str) -> str:
    if len(request_id) > LONGEST_BASE:
        request_id = blake2s(request_id.encode()).hexdigest()
    number = 1
    while f"{request_id}#{number}" in state.executions:
        number += 1
    return f"{request_id}#{number}"


def _seen(
    state: PortfolioState, event: Filled, report: FillReport, known: Executed | None, *, is_open: bool
) -> tuple[bool, bool]:
    """Whether the report was booked before, and whether its id was booked with other numbers."""
    if known is not None:
        # in money the report itself tells: a close taken as complete was booked in units
        in_money = known[3] and event.reported
        before, now = (known[3], event.reported) if in_money else (known[1], event.quantity)
        same = known[0] == event.request_id and abs(before - now) <= max(1.0, SAME * abs(before))
        return same, not same
    if not is_open and _was_found(state, event):
        return True, False
    if report.execution_id is not None or is_open:
        return False, False
    # no id and nothing left: an equal report is the same one told again
    return any(
        fact[0] == event.request_id and abs(fact[2] - event.cost / SCALE) <= SAME
        for fact in state.executions.values()
    ), False


def _was_found(state: PortfolioState, event: Filled) -> bool:
    """Whether a comparison with the broker booked as many units on the approval: this explains them."""
    found = f"reconciled-{event.request_id}-"
    return any(
        name.startswith(found) and abs(fact[1] - event.quantity) <= FINAL_WITHIN * abs(fact[1])
        for name, fact in state.executions.items()
    )


def _is_off(
    state: PortfolioState,
    reservation: Reservation,
    report: FillReport,
    config: RiskManagementConfig,
    now: datetime,
) -> bool:
    """Whether a fill lies further from our own fresh price than an order may: booked, but told."""
    quote = state.quotes.get(reservation.key.symbol)
    if quote is None or report.price <= 0.0:
        return False
    ages = config.market_data_config.quote_age
    allowed = ages.get(state.instruments[reservation.key.symbol].asset_class, ages.get("other", 60.0))
    is_fresh = not quote.daily and (now - quote.time).total_seconds() <= allowed
    return is_fresh and abs(report.price / quote.price - 1.0) > config.order_config.price_collar


def _turns(state: PortfolioState, event: Filled) -> bool:
    """Whether a late close closes more than its account holds: another one closed the position meanwhile."""
    held = sum(
        abs(position.quantity)
        for key, position in state.positions.items()
        if key.symbol == event.key.symbol
        and key.account_id == event.key.account_id
        and position.quantity * event.quantity < 0
    )
    return event.used_quantity > held


def _flags(
    reservation: Reservation, event: Filled, config: RiskManagementConfig, *, is_open: bool, by_units: bool
) -> tuple[str, ...]:
    """Late, or more than was approved, with the collar as tolerance: slippage is no overfill.

    Held against the approved units where the report counts them, or where its price is far off ours, so that
    a low one makes no more of them out of the approved money. Else against the money alone: whoever spends
    just that when the market has fallen got more for it.
    """
    flags = [] if is_open and event.at <= reservation.valid_until else ["LATE_FILL"]
    collar = 1.0 + config.order_config.price_collar
    if is_open:
        closes_too_much = event.used_quantity > reservation.closing_quantity
        opened = event.used_opening
        if by_units:
            units = abs(event.quantity) - event.used_quantity
            opened = max(opened, _approved_money(reservation, units, 0.0))
        over = closes_too_much or opened > reservation.opening * collar + to_ledger(SAME)
    else:
        # what was left when it was closed is not known any more: all fills together tell
        over = reservation.filled + abs(event.cost) > reservation.approved * collar + to_ledger(SAME)
    if reservation.approved == 0:
        return ("UNAPPROVED_FILL",)
    if over:
        flags.append("OVERFILL")
    return tuple(flags)
