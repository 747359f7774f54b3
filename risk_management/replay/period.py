"""The part of a journal that is replayed, as a person writes it: days, moments or numbers of entries."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from risk_management.errors import InvalidRequest, shown

if TYPE_CHECKING:
    from risk_management.store.reader import StoreReader

__all__ = ["bounds", "moment"]


def moment(text: str, field: str, *, end: bool = False) -> datetime:
    """A day or a moment; a day as an `end` is meant whole, a moment without a zone is UTC.

    Raises
    ------
    InvalidRequest
        ``INVALID_PERIOD``.
    """
    try:
        if len(text) == len("2022-03-01"):
            day = datetime.combine(date.fromisoformat(text), time(), tzinfo=UTC)
            return day + timedelta(days=1) - timedelta(microseconds=1) if end else day
        written = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise InvalidRequest(
            "INVALID_PERIOD",
            field,
            f"--{field} is a day such as 2022-03-01, a moment such as 2022-03-01T14:30, or the number of an "
            f"entry; got {shown(text)}",
        ) from None
    return written.replace(tzinfo=UTC) if written.tzinfo is None else written.astimezone(UTC)


def bounds(reader: StoreReader, since: str | None, until: str | None) -> tuple[int, int]:
    """Numbers of the first and last entry of a period.

    Raises
    ------
    InvalidRequest
        ``INVALID_PERIOD``: nothing lies in it.
    """
    last = reader.tail().seq
    first = 0 if since is None else _entry(reader, since, "from")
    end = last if until is None else min(last, _entry(reader, until, "to", end=True))
    if first > end:
        raise InvalidRequest(
            "INVALID_PERIOD",
            "from",
            f"no entry lies between {since or 'the first'} and {until or 'the last'}; the journal holds "
            f"entries 0 to {last}" + _span(reader, last),
        )
    return first, end


def _entry(reader: StoreReader, text: str, field: str, *, end: bool = False) -> int:
    text = text.strip()
    if text.isascii() and text.isdigit():
        return int(text)
    at = moment(text, field, end=end)
    if not end:
        return reader.first_since(at.isoformat())
    return reader.first_since((at + timedelta(microseconds=1)).isoformat()) - 1


def _span(reader: StoreReader, last: int) -> str:
    if last < 0:
        return ": it is empty"
    first = next(reader.entries(-1, 0)).at
    return f", of {first[:10]} to {next(reader.entries(last - 1, last)).at[:10]}"
