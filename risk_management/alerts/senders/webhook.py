"""A program of one's own: JSON, signed where a key is set."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Final

from risk_management.alerts.message import Message
from risk_management.alerts.outcome import Cap, Outcome
from risk_management.alerts.senders._http import Poster, judged
from risk_management.alerts.senders._text import cut

__all__ = ["Webhook"]

LONGEST: Final = 16_000


class Webhook:
    """Posts JSON to an address.

    Parameters
    ----------
    poster : Poster
    address : str
    key : str
        Signs what is sent; empty: unsigned.
    """

    caps = (Cap(50, 1.0),)

    def __init__(self, poster: Poster, address: str, key: str = "") -> None:
        self._poster, self._address, self._key = poster, address, key.encode()

    def send(self, message: Message) -> Outcome:
        """With ``Idempotency-Key``; the signature is over the time, a full stop and the body."""
        body = json.dumps(
            {
                "key": message.key,
                "severity": message.severity.value,
                "title": message.title,
                "text": cut(message.text, LONGEST),
                "at": message.at.isoformat(),
                "alert": dict(message.facts),
            },
            allow_nan=False,
        ).encode()
        headers = {"Content-Type": "application/json", "Idempotency-Key": message.key}
        if self._key:
            moment = str(int(self._poster.clock.now().timestamp()))
            digest = hmac.new(self._key, moment.encode() + b"." + body, hashlib.sha256).hexdigest()
            headers |= {"X-Risk-Timestamp": moment, "X-Risk-Signature": f"sha256={digest}"}
        reply = self._poster.post(self._address, body, headers)
        return judged(reply, self._poster.clock, remedy="check WEBHOOK_URL and what answers there")
