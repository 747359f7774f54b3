"""Every recorded decision, made once more from the journal before it."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, Final

from risk_management.checks import CHECKS
from risk_management.core.decision import judge
from risk_management.core.standing import Standing, folded
from risk_management.model.events import TradeDecided
from risk_management.model.trade import Finding, TradeDecision
from risk_management.store.reader import StoreReader

__all__ = ["Redecided", "redecided"]

RELATIVE: Final = 1e-9
"""Sums of floats are carried along by an engine and made anew by a replay: their last digits may differ."""
LAST_STATES: Final = 8


@dataclass(frozen=True, slots=True)
class Redecided:
    """A decision, made once more.

    Parameters
    ----------
    seq : int
        Its entry.
    request_id : str
    differences : tuple of str
        What came out otherwise; empty where all is the same.
    """

    seq: int
    request_id: str
    differences: tuple[str, ...]


def redecided(reader: StoreReader) -> Iterator[Redecided]:
    """Make every decision of a store once more, each on the state that the entries before it lead to.

    Checks that other packages added are not run: a decision that rests on one comes out otherwise.

    Raises
    ------
    StoreCorrupt
        An entry does not follow from those before it.
    """
    standing: Standing | None = None
    states: deque[Standing] = deque(maxlen=LAST_STATES)
    for entry in reader.chain():
        event = reader.event(entry)
        if isinstance(event, TradeDecided):
            yield Redecided(entry.seq, event.request_id, tuple(_differences(event, states)))
        standing = folded(standing, event)
        states.append(standing)


def _differences(event: TradeDecided, states: deque[Standing]) -> Iterator[str]:
    was = event.decision
    # an instrument that an approval makes known is an entry between the judgement and the decision
    seen = next((s for s in reversed(states) if s.state.version == was.state_version), None)
    if seen is None:
        yield f"it names the state after entry {was.state_version}, which is not the one before it"
        return
    again = judge(
        seen.state, event.request, seen.config, tuple(CHECKS.items()), event.request.requested_at, seen.digest
    )
    for field in fields(TradeDecision):
        if field.name not in {"durable", "findings"}:  # whether it was written is no part of the judgement
            yield from _unlike(field.name, getattr(was, field.name), getattr(again.decision, field.name))
    yield from _unlike_findings(was.findings, again.decision.findings)
    yield from _unlike("reservation", event.reservation, again.reservation)


def _unlike_findings(was: tuple[Finding, ...], again: tuple[Finding, ...]) -> Iterator[str]:
    names = [finding.check for finding in was]
    if names != [finding.check for finding in again]:
        yield f"checks: {names}, now {[finding.check for finding in again]}"
        return
    for one, other in zip(was, again, strict=True):
        for name in Finding._fields:
            yield from _unlike(f"{one.check}.{name}", getattr(one, name), getattr(other, name))


def _unlike(name: str, was: Any, again: Any) -> Iterator[str]:
    if not _same(was, again):
        yield f"{name}: {was}, now {again}"


def _same(was: Any, again: Any) -> bool:
    """Equal, and floats to the tolerance, wherever they stand."""
    if isinstance(was, float) and isinstance(again, float):
        both_unknown = math.isnan(was) and math.isnan(again)
        return both_unknown or math.isclose(was, again, rel_tol=RELATIVE, abs_tol=RELATIVE)
    if isinstance(was, tuple) and isinstance(again, tuple):
        return len(was) == len(again) and all(map(_same, was, again))
    if hasattr(was, "__dataclass_fields__") and type(was) is type(again):
        return all(_same(getattr(was, f.name), getattr(again, f.name)) for f in fields(was))
    if isinstance(was, int) and isinstance(again, int) and not isinstance(was, bool):
        return math.isclose(was, again, rel_tol=RELATIVE, abs_tol=1)  # one unit of 1e-8
    return bool(was == again)
