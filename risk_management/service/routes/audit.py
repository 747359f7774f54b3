"""The journal: read in pages, and its chain walked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from threading import Lock
from typing import TYPE_CHECKING, Final

from risk_management.model.access import Access
from risk_management.model.codes import Code
from risk_management.service.answers import AuditAnswer, ChainAnswer
from risk_management.service.models import AuditPage
from risk_management.service.problems import Problem
from risk_management.service.route import Answer, Call, Route
from risk_management.store.chain import START, link

if TYPE_CHECKING:
    from risk_management.store.reader import Entry

__all__ = ["ROUTES"]

CHUNK: Final = 1000
_walking = Lock()
"""The whole journal is read by one caller at a time."""


def page(call: Call) -> Answer:
    """The entries behind a number, oldest first."""
    limit = call.body.limit
    entries = list(islice(_entries(call, call.body.after, limit), limit))
    rows = [
        {**entry._asdict(), "body": json.loads(entry.body), "hash": entry.hash.hex()} for entry in entries
    ]
    return Answer({"entries": rows, "next": entries[-1].seq if len(entries) == limit else None})


def verify(call: Call) -> Answer:
    """Walk the chain from its beginning; the first bad entry is named."""
    if not _walking.acquire(blocking=False):
        raise Problem(Code.OVERLOADED, "", "the journal is being walked already", {"Retry-After": "5"})
    try:
        before, seq, bad = START, -1, None
        for entry in _entries(call, -1, CHUNK):
            if entry.seq != seq + 1 or entry.hash != link(before, *entry[:5]):
                bad = seq + 1
                break
            before, seq = entry.hash, entry.seq
    finally:
        _walking.release()
    return Answer({"ok": bad is None, "entries": seq + 1, "first_bad": bad, "hash": before.hex()})


def _entries(call: Call, after: int, chunk: int) -> Iterator[Entry]:
    reader = getattr(call.manager.book.journal, "reader", None)
    if reader is None:
        raise Problem(Code.NO_STORE, "", "the journal is kept in memory alone; name a store (RISK_STORE)")
    found: Iterator[Entry] = reader.entries(after, chunk=chunk)
    return found


ROUTES: Final = (
    Route(
        "GET",
        "/audit",
        Access.READ,
        "The journal in pages, oldest first",
        page,
        asks=AuditPage,
        answers=AuditAnswer,
        refuses=(404,),
    ),
    Route(
        "GET",
        "/audit/verify",
        Access.READ,
        "Whether the journal's chain is whole",
        verify,
        answers=ChainAnswer,
        refuses=(404, 503),
    ),
)
