"""Making a silence: whom it keeps quiet, for how long, by whom and why."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import blake2s
from typing import Final

from risk_management.core.entry import checked_name, checked_number
from risk_management.errors import InvalidRequest
from risk_management.model.alert import AlertType
from risk_management.model.alert_book import Silence

__all__ = ["LONGEST", "MOST", "new_silence"]

LONGEST: Final = 30 * 86_400.0
"""Seconds; what should be quiet for longer is a rule to be changed."""
MOST: Final = 200
"""Silences that may stand at once."""


def new_silence(
    known: Sequence[Silence], now: datetime, seconds: float, actor: str, reason: str, **matches: str
) -> Silence:
    """A silence from now on.

    Parameters
    ----------
    known : sequence of Silence
        Those that stand.
    now : datetime
    seconds : float
        At most `LONGEST`.
    actor, reason : str
    **matches
        ``rule_id``, ``alert_type``, ``bot`` and ``symbol``; empty ones match all, and one must not be empty.

    Raises
    ------
    InvalidRequest
    """
    span = checked_number(seconds, "seconds", most=LONGEST)
    who, why = checked_name(actor, "actor"), checked_name(reason, "reason")
    checked = {name: checked_name(value, name, empty=True) for name, value in matches.items()}
    if not any(checked.values()):
        raise InvalidRequest(
            "MISSING_FIELD",
            "rule_id",
            "a silence names a rule, type, bot or symbol; all alerts can't be silenced",
        )
    kind = checked.get("alert_type", "")
    if kind and kind not in list(AlertType):
        raise InvalidRequest(
            "INVALID_KIND", "alert_type", f"alert_type is one of {', '.join(AlertType)}; got {kind!r:.40}"
        )
    if len(known) >= MOST:
        raise InvalidRequest("OUT_OF_RANGE", "silence_id", f"{MOST} silences stand already; end one first")
    text = f"{now.isoformat()}|{len(known)}|{who}|{why}|{sorted(checked.items())}"
    name = blake2s(text.encode(errors="replace"), digest_size=6).hexdigest()
    return Silence(name, who, why, now, now + timedelta(seconds=span), **checked)
