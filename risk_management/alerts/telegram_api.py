"""What people write to a Telegram bot, and the answers: four calls of the Bot API.

See core.telegram.org/bots/api: ``getMe``, ``getUpdates``, ``sendMessage``, ``answerCallbackQuery``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from risk_management.alerts.outcome import Outcome, Verdict, retry
from risk_management.alerts.senders._http import Poster, Reply, Timeouts, judged
from risk_management.alerts.senders._text import cut
from risk_management.clock import Clock

__all__ = ["MOST", "Button", "Person", "Said", "TelegramApi", "Unread"]

MOST: Final = 10
"""Updates that one question brings."""
MOST_READ: Final = 2**20
LONGEST: Final = 4000
SLACK: Final = 10.0
"""Seconds that an answer may take beyond those that the service itself waits."""
REMEDIES: Final = {
    401: "check TELEGRAM_BOT_TOKEN: copy it from @BotFather",
    404: "check TELEGRAM_BOT_TOKEN: copy it from @BotFather",
    409: "another process reads this bot, or it has a webhook: give each risk system a bot of its own",
}


class Person(NamedTuple):
    """Who wrote or pressed.

    Parameters
    ----------
    user_id : int
    name : str
        The user name; empty where there is none.
    """

    user_id: int
    name: str


class Button(NamedTuple):
    """A button below an answer: what it says, and what comes back when it is pressed."""

    text: str
    data: str


class Said(NamedTuple):
    """A message, or a button that was pressed.

    Parameters
    ----------
    update_id : int
    chat : int
    person : Person
    text : str
        What was written, or what the button stands for.
    press_id : str
        Of a button that was pressed; empty for a message.
    """

    update_id: int
    chat: int
    person: Person
    text: str
    press_id: str = ""


class Unread(NamedTuple):
    """An update that is nobody's command: no text, forwarded, written by a bot, or not as it should be."""

    update_id: int


class TelegramApi:
    """One bot.

    Parameters
    ----------
    base : str
        Where the Bot API is.
    token : str
    clock : Clock
        The real time.
    private_hosts : tuple of str
    wait : int
        Seconds that the service waits for something to happen, before it answers that nothing did.
    """

    def __init__(
        self, base: str, token: str, clock: Clock, private_hosts: tuple[str, ...] = (), wait: int = 25
    ) -> None:
        self._base, self._clock, self._wait = f"{base.rstrip('/')}/bot{token}", clock, wait
        self._asking = Poster(clock, private_hosts, Timeouts(total=wait + SLACK), most_read=MOST_READ)
        self._saying = Poster(clock, private_hosts)

    def updates(self, offset: int | None, *, at_once: bool = False) -> list[Said | Unread] | Outcome:
        """What came from `offset` on; all before it is over for the service too.

        Parameters
        ----------
        offset : int or None
            None: from the oldest that the service still has.
        at_once : bool
            Wait for nothing.
        """
        asked: dict[str, Any] = {
            "timeout": 0 if at_once else self._wait,
            "limit": MOST,
            "allowed_updates": ["message", "callback_query"],
        }
        if offset is not None:
            asked["offset"] = offset
        reply = self._post(self._asking, "getUpdates", asked)
        outcome = self._judged(reply)
        if outcome.verdict is not Verdict.DELIVERED:
            return outcome
        rows = _result(reply)
        if not isinstance(rows, list):
            return retry("the answer holds no list of updates")
        found = [one for row in rows if (one := _read(row)) is not None]
        if rows and not found:
            return retry("the updates have no numbers")
        return found

    def name(self) -> str | Outcome:
        """The user name of the bot itself."""
        reply = self._post(self._saying, "getMe", {})
        outcome = self._judged(reply)
        if outcome.verdict is not Verdict.DELIVERED:
            return outcome
        me = _result(reply)
        name = me.get("username") if isinstance(me, dict) else None
        return name if isinstance(name, str) else retry("the answer holds no name of the bot")

    def say(self, chat: int, text: str, buttons: Sequence[Button] = ()) -> Outcome:
        """Plain text, cut to what a message may hold, with buttons in one row."""
        body: dict[str, Any] = {
            "chat_id": chat,
            "text": cut(text, LONGEST),
            "link_preview_options": {"is_disabled": True},
        }
        if buttons:
            row = [{"text": one.text, "callback_data": one.data} for one in buttons]
            body["reply_markup"] = {"inline_keyboard": [row]}
        return self._judged(self._post(self._saying, "sendMessage", body))

    def took(self, press_id: str, text: str) -> Outcome:
        """Tell who pressed a button that it was seen."""
        body = {"callback_query_id": press_id, "text": cut(text, 200)}
        return self._judged(self._post(self._saying, "answerCallbackQuery", body))

    def give_up(self) -> None:
        """End a question that waits, from another thread."""
        self._asking.give_up()

    def _post(self, poster: Poster, method: str, body: Mapping[str, Any]) -> Reply | Outcome:
        headers = {"Content-Type": "application/json"}
        return poster.post(f"{self._base}/{method}", json.dumps(body).encode(), headers)

    def _judged(self, reply: Reply | Outcome) -> Outcome:
        if isinstance(reply, Outcome):
            return reply
        content = reply.json()
        said = content if isinstance(content, dict) else {}
        hints = said.get("parameters")
        after = hints.get("retry_after") if isinstance(hints, dict) else None
        remedy = REMEDIES.get(reply.status, "")
        return judged(reply, self._clock, after=after, said=said.get("description"), remedy=remedy)


def _result(reply: Reply | Outcome) -> object:
    said = reply.json() if isinstance(reply, Reply) else None
    return said.get("result") if isinstance(said, dict) else None


def _read(row: object) -> Said | Unread | None:
    """An update; None for what has not even a number, and so can't be told apart from others."""
    if not isinstance(row, dict) or not _is_int(row.get("update_id")):
        return None
    number, press = row["update_id"], row.get("callback_query")
    if isinstance(press, dict):
        return _pressed(number, press) or Unread(number)
    written = row.get("message")
    return (_written(number, written) if isinstance(written, dict) else None) or Unread(number)


def _written(number: int, message: dict[str, Any]) -> Said | None:
    chat, person, text = _chat(message), _person(message.get("from")), message.get("text")
    is_own = not {"forward_origin", "via_bot", "sender_chat"} & message.keys()
    if chat is None or person is None or not isinstance(text, str) or not is_own:
        return None
    return Said(number, chat, person, text)


def _pressed(number: int, press: dict[str, Any]) -> Said | None:
    below = press.get("message")
    chat = _chat(below) if isinstance(below, dict) else None
    person, data, press_id = _person(press.get("from")), press.get("data"), press.get("id")
    if chat is None or person is None or not isinstance(data, str) or not isinstance(press_id, str):
        return None
    return Said(number, chat, person, data, press_id or "?")


def _chat(message: dict[str, Any]) -> int | None:
    chat = message.get("chat")
    number = chat.get("id") if isinstance(chat, dict) else None
    return number if _is_int(number) else None


def _person(said: object) -> Person | None:
    if not isinstance(said, dict) or said.get("is_bot") is not False or not _is_int(said.get("id")):
        return None
    name = said.get("username")
    return Person(said["id"], name if isinstance(name, str) else "")


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
