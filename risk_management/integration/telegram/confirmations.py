"""What somebody asked for and has not confirmed yet: bound to that person, for a minute, once."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Final, NamedTuple

from risk_management.alerts.telegram_api import Person
from risk_management.clock import Clock

__all__ = ["EXPIRES", "Change", "Confirmations"]

EXPIRES: Final = 60.0
"""Seconds in which a change has to be confirmed."""
MOST: Final = 20
"""Changes that wait; the oldest goes when there are more."""


class Change(NamedTuple):
    """Something that is done only when it is confirmed.

    Parameters
    ----------
    asks : str
        What it will do, in a question.
    act : callable
        Does it in the name of an actor and says what came of it.
    """

    asks: str
    act: Callable[[str], str]


class Confirmations:
    """The changes that wait.

    Parameters
    ----------
    clock : Clock
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting: dict[str, tuple[Change, Person, float]] = {}

    def ask(self, change: Change, person: Person) -> str:
        """Keep a change; returns the word that confirms it, which nobody can guess."""
        word = secrets.token_urlsafe(12)
        self._waiting[word] = (change, person, self._clock.monotonic() + EXPIRES)
        while len(self._waiting) > MOST:
            del self._waiting[next(iter(self._waiting))]
        return word

    def take(self, word: str, person: Person) -> Change | str:
        """The change of a word, which is spent by that; or why there is none, in a sentence."""
        change, asked_by, until = self._waiting.get(word, (None, None, 0.0))
        if change is None or asked_by is None:
            return "Nothing waits for this button. Send the command again."
        if asked_by.user_id != person.user_id:
            return "Only who asked may confirm this."
        del self._waiting[word]
        if self._clock.monotonic() > until:
            return f"Not done: {EXPIRES:.0f} s are over. Send the command again."
        return change
