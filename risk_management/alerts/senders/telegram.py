"""Telegram, by a bot's own token."""

from __future__ import annotations

import json
from html import escape
from typing import Any, Final

from risk_management.alerts.chart import Picture
from risk_management.alerts.message import Message
from risk_management.alerts.outcome import Cap, Outcome
from risk_management.alerts.senders._http import Poster, Reply, form, judged
from risk_management.alerts.senders._text import cut

__all__ = ["Telegram"]

LONGEST: Final = 4096
"""UTF-16 units of a message, after its markup is taken out."""
LONGEST_CAPTION: Final = 1024
BAD_REQUEST: Final = 400
REMEDIES: Final = {
    400: "check TELEGRAM_CHAT_ID: write to the bot once, or add it to the group",
    401: "check TELEGRAM_BOT_TOKEN: copy it from @BotFather",
    403: "the chat does not let the bot write: unblock it, or add it to the group",
    404: "check TELEGRAM_BOT_TOKEN: copy it from @BotFather",
}


class Telegram:
    """Sends with ``sendMessage``, pictures with ``sendPhoto``.

    Parameters
    ----------
    poster : Poster
    base : str
        Where the Bot API is.
    token : str
    chat : str
        A number, or ``@channelname``; a group's number is negative.
    """

    def __init__(self, poster: Poster, base: str, token: str, chat: str) -> None:
        self._poster, self._chat = poster, chat
        self._base = f"{base.rstrip('/')}/bot{token}"
        is_group = chat.startswith(("-", "@"))
        self.caps = (Cap(1, 1.0), Cap(20, 60.0)) if is_group else (Cap(1, 1.0),)

    def send(self, message: Message) -> Outcome:
        """As HTML, for underscores in names break Telegram's Markdown; as plain text if it refuses that."""
        title = cut(message.title, 256)
        text = cut(message.text, LONGEST - 270)
        marked = {"text": f"<b>{escape(title)}</b>\n{escape(text)}", "parse_mode": "HTML"}
        reply = self._post(marked)
        if isinstance(reply, Reply) and reply.status == BAD_REQUEST:
            reply = self._post({"text": f"{title}\n{text}"})
        return self._judged(reply)

    def send_picture(self, message: Message, picture: Picture) -> Outcome:
        """With ``sendPhoto``, without a sound: the text before it has made one."""
        caption = cut(f"{message.title}\n{picture.text}", LONGEST_CAPTION)
        fields = {"chat_id": self._chat, "caption": caption, "disable_notification": "true"}
        content, headers = form(fields, "photo", picture.png)
        return self._judged(self._poster.post(f"{self._base}/sendPhoto", content, headers))

    def _post(self, words: dict[str, Any]) -> Reply | Outcome:
        body = {"chat_id": self._chat, "link_preview_options": {"is_disabled": True}, **words}
        return self._poster.post(
            f"{self._base}/sendMessage", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )

    def _judged(self, reply: Reply | Outcome) -> Outcome:
        if isinstance(reply, Outcome):
            return reply
        content = reply.json()
        said = content if isinstance(content, dict) else {}
        hints = said.get("parameters") if isinstance(said.get("parameters"), dict) else {}
        remedy = REMEDIES.get(reply.status, "")
        if isinstance(hints, dict) and isinstance(hints.get("migrate_to_chat_id"), int):
            remedy = f"the group has a new number: set TELEGRAM_CHAT_ID={hints['migrate_to_chat_id']}"
        after = hints.get("retry_after") if isinstance(hints, dict) else None
        return judged(reply, self._poster.clock, after=after, said=said.get("description"), remedy=remedy)
