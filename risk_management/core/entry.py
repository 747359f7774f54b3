"""Positions and requests as people write them, checked and turned into events and records."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from risk_management.errors import InvalidRequest, shown
from risk_management.model.events import Event, InstrumentDefined, PositionAdded
from risk_management.model.instrument import ContractKind, Instrument, checked_symbol, is_symbol
from risk_management.model.money import to_ledger
from risk_management.model.portfolio import EXTERNAL, OPERATOR, SYSTEM, PortfolioState, PositionKey

__all__ = [
    "HIDDEN",
    "check_spelling",
    "checked_bot",
    "checked_instrument",
    "checked_moment",
    "checked_name",
    "checked_number",
    "checked_price",
    "checked_symbol",
    "entry_event",
    "instrument_event",
    "is_symbol",
    "other_spellings",
    "weight_events",
]

logger = logging.getLogger(__name__)

HIDDEN: Final = (
    r"\u0000-\u001f\u007f-\u009f\u00ad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f"
    r"\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e007f"
)
"""What shows nothing or steers what shows it, as ranges of a pattern: the Unicode categories Cc, Cf, Zl, Zp.

A name with one looks like another name, or makes two lines of one in a log. The ranges of Python and of the
patterns in the OpenAPI document are the same.
"""
NAME: Final = re.compile(rf"[^{HIDDEN}\ud800-\udfff]{{1,128}}\Z")
LARGEST: Final = 1e12
LEAST_PRICE: Final = 1e-9
RESERVED: Final = frozenset({OPERATOR, SYSTEM, EXTERNAL})


def checked_name(value: object, field: str, *, empty: bool = False) -> str:
    """A name of at most 128 printable characters without leading or trailing blanks."""
    if isinstance(value, str) and ((value == "" and empty) or (NAME.match(value) and value.strip() == value)):
        return value
    raise InvalidRequest(
        "INVALID_NAME", field, f"{field} is 1 to 128 printable characters; got {shown(value)}"
    )


def checked_bot(value: object) -> str:
    """A bot's name; those of the operator, the system and the broker are not for bots."""
    name = checked_name(value, "bot_name")
    if name in RESERVED:
        raise InvalidRequest(
            "RESERVED_NAME",
            "bot_name",
            f"{name!r} is not a bot's name; choose another, or name no bot at all",
        )
    return name


def checked_number(
    value: object,
    field: str,
    *,
    signed: bool = False,
    zero: bool = False,
    most: float = LARGEST,
) -> float:
    """A finite number in range, by default above 0.

    Raises
    ------
    InvalidRequest
        ``WRONG_TYPE``, ``NOT_FINITE``, ``NOT_POSITIVE`` or ``OUT_OF_RANGE``.
    """
    if isinstance(value, bool) or not _is_real(value):
        raise InvalidRequest("WRONG_TYPE", field, f"{field} must be a number; got {shown(value)}")
    try:
        number = float(value)  # type: ignore[arg-type]
    except OverflowError:
        raise InvalidRequest("OUT_OF_RANGE", field, f"{field} is too large; at most {most:g}") from None
    if not math.isfinite(number):
        raise InvalidRequest("NOT_FINITE", field, f"{field} must be a finite number; got {number}")
    if number == 0.0 and not zero:
        raise InvalidRequest("NOT_POSITIVE", field, f"{field} must not be 0")
    if number < 0.0 and not signed:
        least = "0 or more" if zero else "above 0"
        raise InvalidRequest("NOT_POSITIVE", field, f"{field} must be {least}; got {number:g}")
    if abs(number) > most:
        raise InvalidRequest("OUT_OF_RANGE", field, f"{field} may be at most {most:g}; got {number:g}")
    return number


def checked_price(value: object, field: str) -> float:
    """A price: finite, from 1e-9 to 1e12."""
    price = checked_number(value, field)
    if price < LEAST_PRICE:
        raise InvalidRequest(
            "OUT_OF_RANGE", field, f"{field} must be at least {LEAST_PRICE:g}; got {price:g}"
        )
    return price


def checked_moment(value: object, field: str) -> datetime:
    """An aware time."""
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value
    raise InvalidRequest(
        "INVALID_TIMESTAMP",
        field,
        f"{field} must be an aware time, such as datetime.now(UTC); got {shown(value)}",
    )


def checked_instrument(instrument: object, base_currency: str) -> Instrument:
    """An instrument whose facts mean something.

    Options and inverse contracts are refused, and linear ones in another currency than the book's: their
    profit alone moves with the rate, and the book knows their cost in its own currency.
    """
    if not isinstance(instrument, Instrument):
        raise InvalidRequest("WRONG_TYPE", "instrument", f"an Instrument is needed; got {shown(instrument)}")
    checked_symbol(instrument.symbol)
    for name in ("asset_class", "sector", "currency", "calendar"):
        checked_name(getattr(instrument, name), name)
    if not isinstance(instrument.shortable, bool):
        raise InvalidRequest("WRONG_TYPE", "shortable", f"True or False; got {shown(instrument.shortable)}")
    for name in ("multiplier", "lot", "initial_margin", "maintenance_margin"):
        checked_number(getattr(instrument, name), name)
    for name in ("tick", "min_notional"):
        checked_number(getattr(instrument, name), name, zero=True)
    if instrument.average_daily_volume is not None:
        checked_number(instrument.average_daily_volume, "average_daily_volume", most=1e15)
    if instrument.kind not in (ContractKind.SPOT, ContractKind.LINEAR):
        raise InvalidRequest(
            "UNSUPPORTED_CONTRACT", "kind", f"{instrument.kind} contracts are not supported yet"
        )
    if instrument.kind is ContractKind.LINEAR and instrument.currency != base_currency:
        said = (
            f"{instrument.symbol} settles in {instrument.currency}: contracts in another currency than the "
            f"book's {base_currency} are not supported yet; keep a book in {instrument.currency} for them"
        )
        raise InvalidRequest("UNSUPPORTED_CONTRACT", "currency", said)
    return instrument


def entry_event(  # noqa: PLR0913 - the facts of a position
    state: PortfolioState,
    symbol: str,
    size: float,
    entry_price: float,
    strategy: str,
    risk_amount: float | None,
    now: datetime,
    *,
    bot: str = OPERATOR,
    account_id: str | None = None,
    takes_cash: bool = True,
    actor: str = OPERATOR,
) -> PositionAdded:
    """The event of a position that exists already.

    Parameters
    ----------
    size : float
        Money, signed; the quantity is ``size / entry_price``.
    entry_price : float
        Above 0.
    risk_amount : float or None
        Money lost if its stop is hit. More than the notional can't be lost: it is cut to it, with a
        logged warning.
    """
    symbol = checked_symbol(symbol)
    size = checked_number(size, "size", signed=True)
    price = checked_price(entry_price, "entry_price")
    strategy = checked_name(strategy, "strategy", empty=True)
    bot = checked_name(bot, "bot_name")
    risk = 0.0
    if risk_amount is not None:
        risk = checked_number(risk_amount, "risk_amount", zero=True)
        if risk > abs(size):
            logger.warning(
                "risk_amount %.2f of %s is more than its size %.2f; taken as %.2f",
                risk,
                symbol,
                abs(size),
                abs(size),
            )
            risk = abs(size)
    account = account_id or next(iter(state.accounts))
    key = PositionKey(account, symbol, strategy, bot)
    held = state.positions.get(key)
    if held is not None and held.quantity * size < 0.0:
        raise InvalidRequest(
            "OPPOSITE_POSITION",
            "size",
            f"{symbol} is held on the other side; report a fill that closes it instead of adding to it",
        )
    quantity = to_ledger(size / (price * _unit(state, symbol)))
    if quantity == 0:
        raise InvalidRequest(
            "TOO_SMALL", "size", f"{size:g} at {price:g} is less than the smallest unit of the ledger, 1e-8"
        )
    return PositionAdded(
        at=now,
        actor=actor,
        key=key,
        quantity=quantity,
        cost=to_ledger(size),
        stop_risk=to_ledger(risk),
        has_stop=risk_amount is not None and risk > 0.0,
        takes_cash=takes_cash,
    )


def _unit(state: PortfolioState, symbol: str) -> float:
    """Base currency for one point of the price: multiplier times exchange rate, where they are known."""
    instrument = state.instruments.get(symbol)
    if instrument is None:
        return 1.0
    rate = state.rates.get(instrument.currency)
    return instrument.multiplier * (rate.value if rate is not None else 1.0)


def check_spelling(state: PortfolioState, symbols: Iterable[str], field: str = "symbol") -> None:
    """Raise where the book knows a symbol in another case: as two instruments they would have two limits.

    Raises
    ------
    InvalidRequest
        ``INVALID_SYMBOL``
    """
    for symbol, known in other_spellings(state, symbols).items():
        said = f"{symbol!r} is {known!r} in this book: write it so, in upper and lower case too"
        raise InvalidRequest("INVALID_SYMBOL", field, said)


def other_spellings(state: PortfolioState, symbols: Iterable[str]) -> dict[str, str]:
    """Symbols that the book, or an earlier one of them, knows in another case, each with the known one."""
    new = [s for s in symbols if s not in state.instruments and s not in state.quotes]
    if not new:
        return {}
    names = {*state.model.matrix.symbols, *state.quotes, *state.instruments}
    by_fold = {name.casefold(): name for name in names}
    known = {s: s if s in names else by_fold.setdefault(s.casefold(), s) for s in new}
    return {symbol: other for symbol, other in known.items() if other != symbol}


def instrument_event(
    state: PortfolioState, symbol: str, now: datetime, actor: str = OPERATOR
) -> InstrumentDefined | None:
    """The event that makes an unknown symbol known, None for a known one."""
    if symbol in state.instruments:
        return None
    return InstrumentDefined(at=now, actor=actor, instrument=Instrument(symbol, currency=state.base_currency))


def weight_events(state: PortfolioState, sizes: Mapping[str, float], now: datetime) -> list[Event]:
    """The events that make a book of given sizes in money.

    Raises
    ------
    InvalidRequest
        For a symbol or a number that means nothing.
    """
    if not isinstance(sizes, Mapping):
        raise InvalidRequest("WRONG_TYPE", "positions", "positions are a mapping of symbol to money")
    events: list[Event] = []
    for symbol, size in sizes.items():
        symbol = checked_symbol(symbol)  # noqa: PLW2901
        if checked_number(size, f"positions[{symbol}]", signed=True, zero=True) == 0.0:
            continue
        known = instrument_event(state, symbol, now)
        events += [known] if known else []
        # sizes without prices: a unit is taken to cost 1
        events.append(entry_event(state, symbol, size, 1.0, "", None, now))
    return events


def _is_real(value: object) -> bool:
    return isinstance(value, int | float) or (
        # numpy scalars are numbers too; anything else that only converts, such as text, is not
        type(value).__module__ == "numpy"
        and hasattr(value, "dtype")
        and getattr(value, "ndim", 1) == 0
        and getattr(value.dtype, "kind", "") in "iuf"
    )
