"""The journal: read in pages, and held against itself."""

from __future__ import annotations

import json
from itertools import islice
from threading import Lock
from typing import TYPE_CHECKING, Final

from risk_management.errors import shown
from risk_management.model import events
from risk_management.model.access import Access
from risk_management.model.codes import Code
from risk_management.service.answers import AuditAnswer, ChainAnswer
from risk_management.service.models import AuditPage, AuditSearch
from risk_management.service.problems import Problem
from risk_management.service.route import Answer, Call, Route
from risk_management.store.chain import START

if TYPE_CHECKING:
    from risk_management.store.reader import StoreReader

__all__ = ["ROUTES"]

_looking = Lock()
"""The whole journal is read by one caller at a time."""


def page(call: Call) -> Answer:
    """The entries behind a number, oldest first."""
    limit = call.body.limit
    entries = list(islice(_reader(call).entries(call.body.after, chunk=limit), limit))
    rows = [
        {**entry._asdict(), "body": json.loads(entry.body), "hash": entry.hash.hex()} for entry in entries
    ]
    return Answer({"entries": rows, "next": entries[-1].seq if len(entries) == limit else None})


def search(call: Call) -> Answer:
    """The newest entries that fit, the newest first."""
    from risk_management.store.reader import StoreReader  # noqa: PLC0415 - 0.3 s, only for a store

    asked = call.body
    kinds = [kind.strip() for kind in asked.kinds.split(",") if kind.strip()]
    unknown = sorted(set(kinds) - set(events.__all__))
    if unknown:
        said = (
            f"no entries are of the kind {shown(unknown[0])}; kinds are {', '.join(sorted(events.__all__))}"
        )
        raise Problem(Code.OUT_OF_RANGE, "kinds", said)
    # a connection of its own: to look through the journal must not hold up the engine's look-ups
    with StoreReader.of_store(str(_reader(call).place)) as reader:
        found = reader.search(asked.limit, before=asked.before, kinds=kinds, text=asked.text)
    rows = [{**entry._asdict(), "body": json.loads(entry.body), "hash": entry.hash.hex()} for entry in found]
    return Answer({"entries": rows, "next": found[-1].seq if len(found) == asked.limit else None})


def verify(call: Call) -> Answer:
    """Hold the whole store against itself, as ``risk audit verify`` does."""
    from risk_management.store.reader import StoreReader  # noqa: PLC0415 - 0.3 s, only for a store
    from risk_management.store.verify import verify as look_through  # noqa: PLC0415

    path = str(_reader(call).place)
    if not _looking.acquire(blocking=False):
        raise Problem(Code.OVERLOADED, "", "the journal is being looked through", {"Retry-After": "5"})
    try:
        # a connection of its own: a look through a long journal must not hold up the engine's look-ups
        with StoreReader.of_store(path) as reader:
            verdict = look_through(reader)
            last = reader.hash_of(verdict.entries - 1) or START
    finally:
        _looking.release()
    return Answer(
        {
            "ok": verdict.is_clean,
            "entries": verdict.entries,
            "first_bad": verdict.first_bad,
            "problems": verdict.problems,
            "hash": last.hex(),
        }
    )


def _reader(call: Call) -> StoreReader:
    found: StoreReader | None = getattr(call.manager.book.journal, "reader", None)
    if found is None:
        raise Problem(Code.NO_STORE, "", "the journal is kept in memory alone; name a store (RISK_STORE)")
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
        "/audit/search",
        Access.READ,
        "The newest entries of the journal that fit, newest first",
        search,
        asks=AuditSearch,
        answers=AuditAnswer,
        refuses=(404,),
    ),
    Route(
        "GET",
        "/audit/verify",
        Access.READ,
        "Whether the journal is whole: chain, signed end, indexes, models and snapshots",
        verify,
        answers=ChainAnswer,
        refuses=(404, 503),
    ),
)
