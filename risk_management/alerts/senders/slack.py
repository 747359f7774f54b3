"""Slack, by an incoming webhook."""

from __future__ import annotations

import json
from typing import Final

from risk_management.alerts.message import Message
from risk_management.alerts.outcome import Cap, Outcome
from risk_management.alerts.senders._http import Poster, Reply, judged
from risk_management.alerts.senders._text import cut

__all__ = ["Slack"]

LONGEST: Final = 3500
"""Slack cuts a text of more than 4,000 characters into several messages."""


class Slack:
    """Sends to a webhook's address.

    Parameters
    ----------
    poster : Poster
    address : str
    """

    caps = (Cap(1, 1.0),)

    def __init__(self, poster: Poster, address: str) -> None:
        self._poster, self._address = poster, address

    def send(self, message: Message) -> Outcome:
        """As text without markup; ``<!channel>`` in it calls nobody."""
        text = cut(f"{message.title}\n{message.text}", LONGEST)
        for sign, name in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
            text = text.replace(sign, name)
        body = {"text": text, "mrkdwn": False, "unfurl_links": False, "unfurl_media": False}
        reply = self._poster.post(
            self._address, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        said = reply.body.decode("utf-8", "replace") if isinstance(reply, Reply) else ""
        return judged(
            reply,
            self._poster.clock,
            said=said if len(said) <= 80 else "",
            remedy="check SLACK_WEBHOOK_URL: make a new one at Slack, Incoming Webhooks",
        )
