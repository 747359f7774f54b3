"""Discord, by a channel's webhook."""

from __future__ import annotations

import json
import re
from typing import Final

from risk_management.alerts.chart import Picture
from risk_management.alerts.message import Message
from risk_management.alerts.outcome import Cap, Outcome
from risk_management.alerts.senders._http import Poster, Reply, form, judged
from risk_management.alerts.senders._text import cut

__all__ = ["Discord"]

LONGEST: Final = 2000
MARKUP: Final = re.compile(r"([\\*_~`|>#\[\]()<@:-])")


class Discord:
    """Sends to a webhook's address.

    Parameters
    ----------
    poster : Poster
    address : str
    """

    caps = (Cap(30, 60.0), Cap(5, 2.0))

    def __init__(self, poster: Poster, address: str) -> None:
        self._poster, self._address = poster, address

    def send(self, message: Message) -> Outcome:
        """As text whose markup is escaped and that calls nobody by @."""
        content = f"**{_plain(cut(message.title, 256))}**\n{_plain(message.text)}"
        body = {"content": _whole(cut(content, LONGEST)), "allowed_mentions": {"parse": []}}
        return self._judged(
            self._poster.post(self._address, json.dumps(body).encode(), {"Content-Type": "application/json"})
        )

    def send_picture(self, message: Message, picture: Picture) -> Outcome:
        """As a file with the text that says what it shows."""
        body = {
            "content": _whole(cut(f"**{_plain(cut(message.title, 256))}**", LONGEST)),
            "allowed_mentions": {"parse": []},
            "attachments": [{"id": 0, "description": cut(picture.text, 1024)}],
        }
        content, headers = form({"payload_json": json.dumps(body)}, "files[0]", picture.png)
        return self._judged(self._poster.post(self._address, content, headers))

    def _judged(self, reply: Reply | Outcome) -> Outcome:
        said = reply.json() if isinstance(reply, Reply) else None
        said = said if isinstance(said, dict) else {}
        return judged(
            reply,
            self._poster.clock,
            after=said.get("retry_after"),
            said=said.get("message"),
            remedy="check DISCORD_WEBHOOK_URL: copy it from the channel's settings, Integrations, Webhooks",
        )


def _plain(text: str) -> str:
    return MARKUP.sub(r"\\\1", text)


def _whole(text: str) -> str:
    """A text whose cut end holds no half of an escape."""
    return text[:-2] + "…" if text.endswith("\\…") else text
