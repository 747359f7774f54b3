"""The state at an entry: the newest snapshot before it that is whole, and what came since."""

from __future__ import annotations

import logging

from risk_management.core.standing import Standing, folded
from risk_management.errors import StoreCorrupt
from risk_management.store.reader import BEGINNING, StoreReader, Tail
from risk_management.store.snapshot import standing_from

__all__ = ["recovered"]

logger = logging.getLogger(__name__)


def recovered(reader: StoreReader, until: int | None = None) -> Standing | None:
    """The state after an entry, by default the last one; None before the first.

    Raises
    ------
    StoreCorrupt
        The journal contradicts itself; the text names the first bad entry.
    """
    standing, tail = _newest_snapshot(reader, until)
    for entry in reader.chain(tail, until):
        standing = folded(standing, reader.event(entry, lean=True))
    return standing


def _newest_snapshot(reader: StoreReader, until: int | None) -> tuple[Standing | None, Tail]:
    for kept in reader.snapshots(until):
        try:
            if not kept.is_whole:
                raise StoreCorrupt("its hash is wrong")
            return standing_from(kept.body, reader.model), Tail(kept.seq, kept.chained)
        except StoreCorrupt as problem:
            logger.warning("the snapshot at entry %d is left out: %s", kept.seq, problem)
    return None, BEGINNING
