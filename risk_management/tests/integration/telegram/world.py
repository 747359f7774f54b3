"""A Bot API on this machine: keeps updates until they are confirmed, takes messages, and can misbehave."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from risk_management.tests.alerts.services import Service, Taken, http_service

TOKEN = "123:canary-77aa"  # noqa: S105 - of nobody
CHAT = -100123
ALICE = {"id": 11, "is_bot": False, "username": "alice_r"}
BOB = {"id": 22, "is_bot": False, "first_name": "Bob"}


class BotServer:
    """What the service knows; the semantics of ``offset`` are those of the Bot API."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.updates: list[dict[str, Any]] = []
        self.said: list[dict[str, Any]] = []
        self.notices: list[str] = []
        self.asked: list[dict[str, Any]] = []
        self.bad: dict[str, Any] = {}
        """By method, what is answered instead: see `Service.plan`."""
        self.forgets = False
        """Brings every update again, whatever was confirmed."""
        self.number = 500
        service.plan, service.answer = self._plan, self._answer

    @property
    def texts(self) -> list[str]:
        return [one["text"] for one in self.said]

    def put(self, **what: Any) -> int:
        self.number += 1
        self.updates.append({"update_id": self.number, **what})
        return self.number

    def write(self, text: str, who: dict[str, Any] = ALICE, chat: int = CHAT, **more: Any) -> int:
        message = {"message_id": 1, "date": 1, "chat": {"id": chat}, "from": who, "text": text, **more}
        return self.put(message=message)

    def press(self, data: str, who: dict[str, Any] = ALICE, chat: int = CHAT) -> int:
        below = {"message_id": 2, "chat": {"id": chat}}
        return self.put(callback_query={"id": "q1", "from": who, "data": data, "message": below})

    def buttons(self) -> list[str]:
        """Data of the buttons below the newest answer."""
        return [one["callback_data"] for one in self.said[-1]["reply_markup"]["inline_keyboard"][0]]

    def _plan(self, taken: Taken) -> Any:
        assert taken.path.startswith(f"/bot{TOKEN}/")
        return self.bad.get(taken.path.rpartition("/")[2])

    def _answer(self, taken: Taken) -> bytes:
        return json.dumps(
            {"ok": True, "result": self._result(taken.path.rpartition("/")[2], taken.json)}
        ).encode()

    def _result(self, method: str, body: dict[str, Any]) -> Any:
        if method == "getMe":
            return {"id": 9, "is_bot": True, "username": "risk_bot"}
        if method == "sendMessage":
            self.said.append(body)
            return {"message_id": 3}
        if method == "answerCallbackQuery":
            self.notices.append(body["text"])
            return True
        self.asked.append(body)
        if not self.forgets and "offset" in body:
            self.updates = [one for one in self.updates if one["update_id"] >= body["offset"]]
        return self.updates[: body["limit"]]


@contextmanager
def bot_server() -> Iterator[BotServer]:
    with http_service() as service:
        yield BotServer(service)
