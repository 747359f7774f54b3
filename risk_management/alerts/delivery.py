"""Sends what the outbox holds: one thread a channel, so that a slow one delays nobody else."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Container, Iterable, Mapping
from dataclasses import replace
from random import Random
from threading import Event as Signal
from threading import Thread
from typing import Final, Protocol

from risk_management.alerts.chart import NoPicture, Picture
from risk_management.alerts.message import Message
from risk_management.alerts.outbox import Due, Outbox
from risk_management.alerts.outcome import Following, Illustrated, Outcome, Sender, Verdict, retry
from risk_management.alerts.pace import Pace, backoff
from risk_management.clock import Clock

__all__ = ["Delivery", "Listener", "Pictures"]

logger = logging.getLogger(__name__)

IDLE: Final = 2.0
"""Seconds between two looks at an outbox in which nothing is due."""
PATIENCE: Final = 15.0
"""Seconds that an end waits for a message that is on its way."""
IN_TROUBLE: Final = 3
"""Failures in a row from which a channel counts as in trouble."""
MOST_PICTURES: Final = 20
"""Pictures that wait for their turn on a channel; texts go first, and the oldest picture is dropped."""
NO_SENDER: Final = "this channel is not configured"


class Pictures(Protocol):
    """Draws what goes with messages."""

    def picture(self, message: Message) -> Picture | None:
        """The picture of a message, None where there is nothing to show; it may raise NoPicture."""
        ...


class Listener(Protocol):
    """Hears how the channels do."""

    def in_trouble(self, channel: str, outcome: Outcome) -> None:
        """A channel does not take what it is sent; told once until it does again."""
        ...

    def recovered(self, channel: str) -> None:
        """A channel that was in trouble took a message."""
        ...


class Delivery:
    """The channels of a configuration at work.

    Parameters
    ----------
    outbox : Outbox
    senders : Mapping of str to Sender
        By channel.
    clock : Clock
    listener : Listener
    tries : int
        Tries before a message counts as failed.
    label : str
        Put before every title: which book it is.
    chance : Random, optional
        Spreads the tries.
    pictures : Pictures, optional
        Draws what goes with a message.
    """

    def __init__(
        self,
        outbox: Outbox,
        senders: Mapping[str, Sender],
        clock: Clock,
        listener: Listener,
        *,
        tries: int = 20,
        label: str = "",
        chance: Random | None = None,
        pictures: Pictures | None = None,
    ) -> None:
        self._outbox, self._clock = outbox, clock
        self._fresh: deque[tuple[Message, tuple[str, ...]]] = deque(maxlen=10_000)
        self.channels = {
            name: ChannelWorker(
                name,
                sender,
                outbox,
                clock,
                self,
                listener=listener,
                tries=tries,
                label=label,
                chance=chance or Random(),  # noqa: S311 - it spreads tries over time, no secret hangs on it
                pictures=pictures,
            )
            for name, sender in senders.items()
        }
        self._threads: list[Thread] = []

    def add(self, message: Message, channels: Iterable[str]) -> None:
        """Hand over a message that the store will not put into the outbox; it returns at once."""
        self._fresh.append((message, tuple(channels)))
        self.wake()

    def take_in(self) -> None:
        """Put what was handed over into the outbox."""
        while self._fresh:
            try:
                self._outbox.put(*self._fresh.popleft())
            except IndexError:  # another channel's thread took it
                return

    def start(self) -> None:
        """Begin; what an earlier process left unsent is sent first."""
        self._outbox.resume()
        for name, worker in self.channels.items():
            thread = Thread(target=worker.run, name=f"risk-alerts-{name}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        """End; a message that is on its way is waited for. The others stay in the outbox."""
        for worker in self.channels.values():
            worker.stop()
        for thread in self._threads:
            thread.join(PATIENCE)
        self._threads.clear()
        self.take_in()

    def wake(self) -> None:
        """Something new is in the outbox."""
        for worker in self.channels.values():
            worker.wake()

    def pass_on(self, message: Message, channel: str) -> None:
        """Tell on another channel what this one did not take; nothing where every other one has it anyway."""
        carrying = self._outbox.carries(message.key)
        others = [name for name in self.channels if name not in carrying and name != channel]
        if others:
            said = replace(message, title=f"{message.title} (not taken by {channel})")
            self.add(said, others[:1])

    def settle_orphans(self, in_process: Container[str]) -> None:
        """What waits for a channel without a sender must not wait unseen.

        Parameters
        ----------
        in_process : container of str
            Channels that were told within this process; what waits for another one has failed.
        """
        for one in self._outbox.counts():
            if one.channel in self.channels or not one.pending:
                continue
            for due in self._outbox.due(one.channel, float("inf"), one.pending):
                key = due.message.key
                if one.channel in in_process:
                    self._outbox.sent(key, one.channel, self._clock.now().timestamp())
                    continue
                self._outbox.failed(key, one.channel, NO_SENDER)
                self.pass_on(due.message, one.channel)


class ChannelWorker:
    """Sends what is due on one channel.

    Parameters
    ----------
    name : str
    sender : Sender
    outbox : Outbox
    clock : Clock
    delivery : Delivery
        Hands over what is new, and passes on what failed.
    listener : Listener
    tries : int
    label : str
    chance : Random
    pictures : Pictures or None
    """

    def __init__(  # noqa: PLR0913 - made in one place
        self,
        name: str,
        sender: Sender,
        outbox: Outbox,
        clock: Clock,
        delivery: Delivery,
        *,
        listener: Listener,
        tries: int,
        label: str,
        chance: Random,
        pictures: Pictures | None,
    ) -> None:
        self.name = name
        self._sender, self._outbox, self._clock = sender, outbox, clock
        self._delivery, self._listener = delivery, listener
        self._tries, self._label, self._chance = tries, label, chance
        self._pictures = pictures
        self._unseen: deque[Message] = deque(maxlen=MOST_PICTURES)
        """Delivered as text, and whose picture follows."""
        self._pace = Pace(sender.caps)
        self._signal, self._ending = Signal(), Signal()
        self._failures = 0
        self._is_in_trouble = False
        self._missing = ""

    def run(self) -> None:
        """Send until it is stopped."""
        while not self._ending.is_set():
            self._signal.clear()
            wait = self.step()
            if wait > 0.0:
                self._signal.wait(wait)

    def stop(self) -> None:
        """End after what is on its way."""
        self._ending.set()
        self._signal.set()

    def wake(self) -> None:
        """Look at once."""
        self._signal.set()

    def step(self) -> float:
        """Try at most one message; returns seconds until there may be something to do, 0 for at once."""
        self._delivery.take_in()
        wait = self._pace.wait(self._clock.monotonic())
        if wait > 0.0:
            return min(wait, IDLE)
        now = self._clock.now().timestamp()
        found = self._outbox.due(self.name, now, 1)
        if not found and self._unseen:
            self._follow(self._unseen.popleft())
            return 0.0
        if not found:
            following = self._outbox.next_at(self.name)
            return IDLE if following is None else min(max(following - now, 0.05), IDLE)
        self._pace.use(self._clock.monotonic())
        self._settle(found[0], self._tried(found[0].message))
        return 0.0

    def _tried(self, message: Message) -> Outcome:
        said = self._labelled(message)
        try:
            if self._pictures is not None and isinstance(self._sender, Illustrated):
                return self._sender.send_with(said, self._picture(message))
            return self._sender.send(said)
        except Exception as problem:  # noqa: BLE001 - somebody else's library must not end the channel
            # the text of an error may hold the address with its token, so only its kind is told
            return retry(f"it raised {type(problem).__name__}")

    def _settle(self, due: Due, outcome: Outcome) -> None:
        key, now = due.message.key, self._clock.now().timestamp()
        if outcome.verdict is Verdict.DELIVERED:
            self._outbox.sent(key, self.name, now)
            self._went_well()
            if self._missing:
                self._note(key, self._missing)
            elif self._pictures is not None and isinstance(self._sender, Following):
                self._unseen.append(due.message)
            return
        logger.warning("channel %s did not take a message: %s", self.name, outcome.reason)
        is_last = outcome.verdict is Verdict.REFUSED or due.tries + 1 >= self._tries
        if is_last:
            self._outbox.failed(key, self.name, outcome.reason)
            self._delivery.pass_on(due.message, self.name)
        else:
            wait = backoff(due.tries + 1, self._chance)
            if outcome.after is not None:
                self._pace.close(self._clock.monotonic(), outcome.after)
                wait = max(wait, outcome.after)
            self._outbox.postponed(key, self.name, outcome.reason, now + wait)
        self._went_wrong(outcome, is_last=is_last)

    def _labelled(self, message: Message) -> Message:
        return replace(message, title=f"[{self._label}] {message.title}") if self._label else message

    def _picture(self, message: Message) -> Picture | None:
        """The picture of a message; None where there is none, and what keeps it away is remembered."""
        self._missing = ""
        try:
            return None if self._pictures is None else self._pictures.picture(message)
        except Exception as problem:  # noqa: BLE001 - whatever a picture lacks, the text goes out
            self._missing = str(problem) if isinstance(problem, NoPicture) else type(problem).__name__
            return None

    def _follow(self, message: Message) -> None:
        """Send the picture of what was delivered; once, for the text has arrived."""
        picture = self._picture(message)
        if picture is not None and isinstance(self._sender, Following):
            self._pace.use(self._clock.monotonic())
            try:
                self._missing = self._sender.send_picture(self._labelled(message), picture).reason
            except Exception as problem:  # noqa: BLE001 - as of the text
                self._missing = f"it raised {type(problem).__name__}"
        if self._missing:
            self._note(message.key, self._missing)

    def _note(self, key: str, why: str) -> None:
        logger.warning("channel %s: a message went without its picture: %s", self.name, why)
        self._outbox.noted(key, self.name, f"sent without its picture: {why}")
        self._missing = ""

    def _went_well(self) -> None:
        self._failures = 0
        if self._is_in_trouble:
            self._is_in_trouble = False
            self._listener.recovered(self.name)

    def _went_wrong(self, outcome: Outcome, *, is_last: bool) -> None:
        self._failures += 1
        if not self._is_in_trouble and (is_last or self._failures >= IN_TROUBLE):
            self._is_in_trouble = True
            self._listener.in_trouble(self.name, outcome)
