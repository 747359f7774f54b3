"""From a command in a chat to the manager's own methods, and back to a text."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple

from risk_management.alerts.telegram_api import Button, Person
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.errors import RiskError
from risk_management.integration.telegram.answers import (
    bots_text,
    limits_text,
    positions_text,
    status_text,
)
from risk_management.integration.telegram.confirmations import EXPIRES, Change, Confirmations
from risk_management.model.portfolio import Scope, TradingMode

__all__ = ["HELP", "Commands", "Reply", "actor_of"]

logger = logging.getLogger(__name__)

HELP: Final = """/status how the book stands
/limits the most used limits
/positions the largest positions
/bots every bot
/why ID why a request was answered so
/pause BOT no new positions of a bot
/reduce only closing passes
/halt stop all trading; /halt now asks nothing
/resume REASON end /halt and /reduce
Changes ask for a confirmation."""
COMMAND: Final = re.compile(r"/([A-Za-z_]{1,32})(?:@(\w{1,64}))?(?:\s+(.*))?\Z", re.DOTALL)
USER_NAME: Final = re.compile(r"[A-Za-z0-9_]{4,32}\Z")
YES: Final = "yes:"
NO: Final = "no:"
LONGEST: Final = 100
"""Characters of a reason or name."""


class Reply(NamedTuple):
    """What is said back.

    Parameters
    ----------
    text : str
        Empty for nothing.
    buttons : tuple of Button
    notice : str
        What is shown for a moment to who pressed a button.
    """

    text: str
    buttons: tuple[Button, ...] = ()
    notice: str = ""


def actor_of(person: Person) -> str:
    """Who did it, as the journal names people of a chat."""
    return f"telegram:{person.name if USER_NAME.match(person.name) else person.user_id}"


class Commands:
    """Carries out what the people of one chat write; whoever calls it has checked who they are.

    Parameters
    ----------
    manager : AdvancedRiskManager
    """

    def __init__(self, manager: AdvancedRiskManager) -> None:
        self._manager = manager
        self._confirmations = Confirmations(manager.clock)
        self._looks: dict[str, Callable[[str], str]] = {
            "start": lambda _: HELP,
            "help": lambda _: HELP,
            "status": self._status,
            "limits": lambda _: limits_text(manager.look()),
            "positions": lambda _: positions_text(manager.state),
            "bots": lambda _: bots_text(manager.state),
            "why": self._why,
        }
        self._changes: dict[str, Callable[[str], Change | str]] = {
            "pause": self._pause,
            "reduce": self._reduce,
            "halt": self._halt,
            "resume": self._resume,
        }

    def written(self, text: str, person: Person, name: str) -> Reply | None:
        """The answer to a message; None for one that is no command of the bot `name`."""
        found = COMMAND.match(text)
        if found is None or (found[2] or name).casefold() != name.casefold():
            return None
        word, rest = found[1].casefold(), _one_line(found[3] or "")
        try:
            return self._answered(word, rest, person)
        except RiskError as problem:
            return Reply(f"Not done: {problem}")

    def pressed(self, data: str, person: Person) -> Reply:
        """The answer to a button."""
        is_yes = data.startswith(YES)
        if not is_yes and not data.startswith(NO):
            return Reply("", notice="This button is none of mine.")
        change = self._confirmations.take(data.partition(":")[2], person)
        if isinstance(change, str):
            return Reply("", notice=change)
        if not is_yes:
            return Reply("Left as it is.", notice="Left as it is.")
        try:
            return Reply(self._done(change, person), notice="Done.")
        except RiskError as problem:
            return Reply(f"Not done: {problem}", notice="Not done.")

    def _answered(self, word: str, rest: str, person: Person) -> Reply:
        if word == "halt" and rest.casefold().partition(" ")[0] == "now":
            return Reply(self._done(self._halt(rest[3:].strip()), person))
        if word in self._looks:
            return Reply(self._looks[word](rest))
        if word not in self._changes:
            return Reply(f"There is no /{word}.\n{HELP}")
        change = self._changes[word](rest)
        if isinstance(change, str):
            return Reply(change)
        nonce = self._confirmations.ask(change, person)
        buttons = (Button("Confirm", YES + nonce), Button("Leave it", NO + nonce))
        return Reply(f"{change.asks}\nConfirm within {EXPIRES:.0f} s.", buttons)

    def _done(self, change: Change, person: Person) -> str:
        actor = actor_of(person)
        logger.warning("%s (user %d) does: %s", actor, person.user_id, change.asks.partition("?")[0])
        said = change.act(actor)
        if self._manager.book.outage:
            said += f"\nIt holds, but the store can't be written: {self._manager.book.outage}"
        return said

    # -- looks ------------------------------------------------------------------------------------

    def _status(self, _rest: str) -> str:
        manager = self._manager
        alerts = manager.alert_manager.active
        return status_text(manager.state, manager.look(), alerts, manager.book.outage or "")

    def _why(self, rest: str) -> str:
        if not rest:
            return "Say which request: /why ID"
        decision = self._manager.desk.decision(rest)
        return f"No request has the id {rest!r}." if decision is None else decision.explain()

    # -- changes ----------------------------------------------------------------------------------

    def _pause(self, rest: str) -> Change | str:
        bots = self._manager.state.bots
        by_fold = {name.casefold(): name for name in bots}
        whole, first = by_fold.get(rest.casefold()), by_fold.get(rest.casefold().partition(" ")[0])
        name, reason = (whole, "") if whole else (first, rest.partition(" ")[2])
        if name is None:
            known = ", ".join(list(bots)[:20]) or "none"
            return f"Say which bot: /pause BOT. Known: {known}"
        asks = f"Pause {name}? Its open entries are cancelled, what closes passes."
        return Change(asks, partial(self._paused, name, reason or "paused in the chat"))

    def _paused(self, name: str, reason: str, actor: str) -> str:
        gone = self._manager.set_bot_enabled(name, enabled=False, reason=reason, actor=actor)
        return (
            f"{name} is paused; {len(gone)} open entries are cancelled. The dashboard switches it on again."
        )

    def _reduce(self, rest: str) -> Change | str:
        asks = "Let only closing pass, for the whole book? A person ends it."
        return Change(asks, partial(self._reduced, rest or "asked for in the chat"))

    def _reduced(self, reason: str, actor: str) -> str:
        self._manager.set_mode(TradingMode.REDUCING, reason, scope=Scope.PORTFOLIO, name="", actor=actor)
        return "Only closing passes now. End it: /resume REASON"

    def _halt(self, rest: str) -> Change:
        asks = "Stop all trading? Open entries are cancelled, protective orders stay. A person ends it."
        return Change(asks, partial(self._stop, rest))

    def _stop(self, reason: str, actor: str) -> str:
        done = self._manager.stop_everything(reason or "asked for in the chat", actor=actor)
        return f"All trading is stopped; {done.explain()}."

    def _resume(self, rest: str) -> Change | str:
        if not rest:
            return "Say why: /resume REASON"
        held = [
            f"- {hold.mode.value} by {hold.actor}: {hold.reason}"
            for hold in self._manager.state.holds.values()
            if hold.scope is Scope.PORTFOLIO and hold.latched
        ]
        what = "\n".join(held) or "No stop of the whole book stands."
        return Change(f"Let trading go on?\n{what}\nReason: {rest}", partial(self._resumed, rest))

    def _resumed(self, reason: str, actor: str) -> str:
        said = self._manager.release_emergency(actor, reason)
        return "\n".join(["Released:", *(f"- {text}" for text in said)]) if said else "Nothing was stopped."


def _one_line(text: str) -> str:
    """Printable, without line ends, as names and reasons are."""
    words = "".join(c if c.isprintable() else " " for c in text).split()
    return " ".join(words)[:LONGEST].strip()
