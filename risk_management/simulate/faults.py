"""What goes wrong in the simulation: every fault with its name, and how often it comes."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import Final

from risk_management.errors import InvalidRequest
from risk_management.simulate.machine import Agenda
from risk_management.simulate.outcome import Tally

__all__ = ["CHANCES", "GROUPS", "LONGEST_OUTAGE", "SCHEDULE", "Faults", "chosen_groups"]

SCHEDULE: Final[dict[str, float]] = {
    "store.write_lost": 500.0,
    "store.write_kept": 1500.0,
    "store.outage": 900.0,
    "store.killed": 900.0,
    "store.killed_before_write": 1200.0,
    "store.killed_after_write": 1200.0,
    "store.snapshot_torn": 1500.0,
    "clock.step_of_seconds": 700.0,
    "clock.step_of_hours": 1500.0,
    "clock.step_while_down": 1500.0,
    "feed.glitch_tenfold": 90.0,
    "feed.glitch_within_the_jump": 90.0,
    "feed.nonsense": 120.0,
    "feed.outage_of_one": 300.0,
    "feed.outage_of_all": 900.0,
    "feed.stale_stamp": 200.0,
    "feed.future_stamp": 200.0,
    "feed.out_of_order": 120.0,
    "feed.split": 1200.0,
    "broker.unapproved_fill": 400.0,
    "bot.runaway": 900.0,
    "operator.stop": 1200.0,
    "operator.bot_disabled": 600.0,
    "operator.settings": 800.0,
    "operator.cash": 800.0,
    "operator.restart": 1500.0,
}
"""Mean seconds between two faults of a kind."""
CHANCES: Final[dict[str, float]] = {
    "broker.reject": 0.03,
    "broker.cancelled_part_filled": 0.03,
    "broker.slow": 0.004,
    "broker.over_fill": 0.001,
    "broker.lost_report": 0.002,
    "broker.late_report": 0.02,
    "broker.duplicate_report": 0.03,
    "bot.hangs_up": 0.01,
    "bot.asks_again_much_later": 0.01,
    "bot.reuses_an_id": 0.002,
    "bot.never_sends": 0.01,
    "bot.cancels": 0.03,
    "bot.cancels_what_it_sent": 0.01,
    "operator.channel_fails": 0.10,
}
"""Chance of a fault at each order, report, request or alert."""
LONGEST_OUTAGE: Final = 120.0
"""Seconds that the store is away at most."""
SOON: Final = 0.05
GROUPS: Final = ("store", "clock", "feed", "broker", "bot", "operator")


def chosen_groups(text: str) -> tuple[str, ...]:
    """Groups of faults as they are written on the command line: ``all``, ``none``, or names with commas.

    Raises
    ------
    InvalidRequest
        ``UNKNOWN_FAULTS``.
    """
    wanted = [word.strip() for word in text.split(",") if word.strip()]
    if wanted in (["all"], ["none"]):
        return GROUPS if wanted == ["all"] else ()
    for name in wanted:
        if name not in GROUPS:
            said = f"no faults are called {name!r}; write all, none, or some of {', '.join(GROUPS)}"
            raise InvalidRequest("UNKNOWN_FAULTS", "faults", said)
    return tuple(group for group in GROUPS if group in wanted)


class Faults:
    """Decides when something goes wrong, from its own seed, and counts it.

    Parameters
    ----------
    seed : str
    groups : iterable of str
        Groups at work; faults of others never come.
    agenda : Agenda
    tally : Tally
    """

    def __init__(self, seed: str, groups: Iterable[str], agenda: Agenda, tally: Tally) -> None:
        self._random = random.Random(seed)
        self._groups = frozenset(groups)
        self._agenda, self._tally = agenda, tally
        self.are_over = False
        """No more faults come: the run is about to end."""

    def happens(self, kind: str) -> bool:
        """Whether a fault of `CHANCES` strikes here."""
        if self.are_over or kind.partition(".")[0] not in self._groups:
            return False
        struck = self._random.random() < CHANCES[kind]
        if struck:
            self._tally.faults[kind] += 1
        return struck

    def schedule(self, kind: str, strike: Callable[[random.Random], bool | None]) -> None:
        """Let a fault of `SCHEDULE` come again and again, the first one soon.

        `strike` returns False where it could not; then it is tried again before long.
        """
        if kind.partition(".")[0] in self._groups:
            self._agenda.after(self._random.uniform(0.0, SCHEDULE[kind]), lambda: self._come(kind, strike))

    def _come(self, kind: str, strike: Callable[[random.Random], bool | None]) -> None:
        if self.are_over:
            return
        struck = strike(self._random) is not False
        self._tally.faults[kind] += struck
        mean = SCHEDULE[kind] if struck else SOON * SCHEDULE[kind]
        self._agenda.after(self._random.expovariate(1.0 / mean), lambda: self._come(kind, strike))
