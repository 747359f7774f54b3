"""The bot at work: asks for what was written, does it once, answers; it outlives the service's outages."""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Iterable
from random import Random
from threading import Event as Signal
from typing import Final

from risk_management.alerts.outcome import Outcome, Verdict, retry
from risk_management.alerts.pace import backoff
from risk_management.alerts.risk_alerts import AlertSeverity, AlertType
from risk_management.alerts.telegram_api import Said, TelegramApi, Unread
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.integration.monitoring import Repeated
from risk_management.integration.telegram.commands import Commands, Reply

__all__ = ["TelegramBot"]

logger = logging.getLogger(__name__)

ALERT: Final = "telegram_commands"
IN_TROUBLE: Final = 3
"""Failures in a row from which people are told."""
LONGEST: Final = 60.0
"""Seconds between two tries at most: a person who wants to stop everything must not wait long."""
PAUSE: Final = 1.0
KEPT_ANSWERS: Final = 20
REMEMBERED: Final = 1000
TRIES: Final = 5
TOO_OLD: Final = (
    "{} sent before this risk system listened: too old, not carried out. Send again what still holds."
)


class TelegramBot:
    """Takes commands of one chat, from `start` to `stop`.

    An update is noted as seen before it is carried out, so that nothing is done twice; what waited before the
    start is never carried out.

    Parameters
    ----------
    manager : AdvancedRiskManager
    api : TelegramApi
    chat : int
    users : frozenset of int
        Who may give commands; empty: everybody in the chat.
    ignored : Counter, optional
        Counts what is left aside, by reason.
    chance : Random, optional
        Spreads the tries.
    """

    def __init__(
        self,
        manager: AdvancedRiskManager,
        api: TelegramApi,
        chat: int,
        users: frozenset[int] = frozenset(),
        *,
        ignored: Counter[str] | None = None,
        chance: Random | None = None,
    ) -> None:
        self._manager, self._api, self._chat, self._users = manager, api, chat, users
        self.ignored: Counter[str] = Counter() if ignored is None else ignored
        self._chance = chance or Random()  # noqa: S311 - it spreads tries over time, no secret hangs on it
        self._commands = Commands(manager)
        self._name, self._is_ready, self._old = "", False, 0
        self._offset: int | None = None
        self._seen: deque[int] = deque(maxlen=REMEMBERED)
        self._unsent: deque[tuple[Reply, int]] = deque(maxlen=KEPT_ANSWERS)
        self._closed_until = 0.0
        self._failures = 0
        self._current: Said | Unread | None = None
        self._ending = Signal()
        self._thread = Repeated(self._round, 0.0, manager.clock, self._failed, lambda _: None)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start("risk-telegram")

    def stop(self) -> None:
        """End; what is being carried out is waited for."""
        self._ending.set()
        self._api.give_up()
        self._thread.stop()

    def step(self) -> float:
        """Ask once, and do what came; returns seconds to wait before the next step."""
        if not self._name:
            name = self._api.name()
            if isinstance(name, Outcome):
                return self._went_wrong(name)
            self._name = name
        self._send_answers()
        begun = self._manager.clock.monotonic()
        at_once = not self._is_ready or bool(self._unsent)
        found = self._api.updates(self._offset, at_once=at_once)
        if isinstance(found, Outcome):
            return self._went_wrong(found)
        self._went_well()
        if not self._is_ready:
            return self._pass_over(found)
        for one in self._fresh(found):
            self._current = one
            self._take(one)
            self._current = None
            self._send_answers()
        is_quick = self._manager.clock.monotonic() - begun < PAUSE
        return PAUSE if not found and is_quick else 0.0

    def _round(self) -> None:
        if not self._ending.is_set():
            self._ending.wait(self.step())

    def _pass_over(self, found: list[Said | Unread]) -> float:
        """What waited before the start is over; the last question tells the service so too."""
        fresh = list(self._fresh(found))
        mine = [one for one in fresh if isinstance(one, Said) and self._may(one)]
        self._old += sum(1 for one in mine if one.press_id or one.text.startswith("/"))
        if not found:
            self._is_ready = True
            logger.info("commands are taken from the chat of the settings, by the bot %s", self._name)
            if self._old:
                self.ignored["old"] += self._old
                what = f"{self._old} commands were" if self._old > 1 else "1 command was"
                self._unsent.append((Reply(TOO_OLD.format(what)), 0))
        return 0.0

    def _fresh(self, found: Iterable[Said | Unread]) -> Iterable[Said | Unread]:
        """Each update once; it is noted before it is carried out."""
        for one in found:
            if self._ending.is_set():
                return
            self._offset = one.update_id + 1
            if one.update_id not in self._seen:
                self._seen.append(one.update_id)
                yield one

    def _take(self, one: Said | Unread) -> None:
        if isinstance(one, Unread):
            self.ignored["unread"] += 1
            return
        if not self._may(one):
            return
        if not one.press_id:
            reply = self._commands.written(one.text, one.person, self._name)
            if reply is not None:
                self._unsent.append((reply, 0))
            return
        reply = self._commands.pressed(one.text, one.person)
        if reply.text:
            self._unsent.append((reply, 0))
        self._api.took(one.press_id, reply.notice)  # one that is lost costs a notice, nothing else

    def _may(self, one: Said) -> bool:
        """Whether it is of the chat and a person of the settings; all others are not answered."""
        reason = ""
        if one.chat != self._chat:
            reason = "chat"
        elif self._users and one.person.user_id not in self._users:
            reason = "user"
        if reason:
            self.ignored[reason] += 1
        return not reason

    def _send_answers(self) -> None:
        """Say what is to be said, in order; one that the service does not take now waits."""
        now = self._manager.clock.monotonic()
        while self._unsent and now >= self._closed_until and not self._ending.is_set():
            reply, tries = self._unsent[0]
            outcome = self._api.say(self._chat, reply.text, reply.buttons)
            if outcome.verdict is Verdict.RETRY and tries + 1 < TRIES:
                self._unsent[0] = (reply, tries + 1)
                self._closed_until = now + (PAUSE if outcome.after is None else outcome.after)
                return
            if outcome.verdict is not Verdict.DELIVERED:
                logger.warning("an answer to a command was not taken: %s", outcome.reason)
            self._unsent.popleft()

    def _went_wrong(self, outcome: Outcome) -> float:
        if self._ending.is_set():
            return 0.0
        self._failures += 1
        if self._failures == IN_TROUBLE:
            remedy = f"; {outcome.remedy}" if outcome.remedy else ""
            self._tell(f"commands of the chat can't be read: {outcome.reason}{remedy}")
        return max(min(backoff(self._failures, self._chance), LONGEST), outcome.after or 0.0)

    def _went_well(self) -> None:
        if self._failures >= IN_TROUBLE:
            self._manager.alert_manager.resolve(ALERT)
        self._failures = 0

    def _failed(self, problem: Exception) -> None:
        """A mistake of ours in one command must not end the others."""
        logger.error("a command of the chat failed", exc_info=problem)
        text = f"it failed ({type(problem).__name__}), see the log"
        if self._current is None:  # not a command, but the reading of them
            self._ending.wait(self._went_wrong(retry(text)))
            return
        self._current = None
        self._unsent.append((Reply(f"Perhaps not done: {text} and /status."), 0))

    def _tell(self, text: str) -> None:
        self._manager.alert_manager.raise_alert(
            AlertType.SYSTEM_ERROR, AlertSeverity.WARNING, text, key=ALERT
        )
