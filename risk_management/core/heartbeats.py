"""The dead man's switch: who is not heard of in time may only close, and later nothing at all."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from threading import Lock
from typing import Final

from risk_management.clock import Clock
from risk_management.config.risk_config import HeartbeatConfig
from risk_management.core.book import Book
from risk_management.core.order_desk import OrderDesk
from risk_management.errors import InvalidRequest, shown
from risk_management.model.events import HoldReleased, HoldSet
from risk_management.model.portfolio import SYSTEM, Hold, PortfolioState, Reservation, Scope, TradingMode

__all__ = ["KINDS", "Heartbeats"]

KINDS: Final = ("bot", "feed", "engine")
EVERY: Final = "*"
MOST: Final = 100
"""Feeds and engines that are watched at once: each that falls silent is a hold and an alert."""


class Heartbeats:
    """Remembers who was heard of when, and holds the scope of whoever is missing.

    Parameters
    ----------
    book : Book
    desk : OrderDesk
    clock : Clock
    """

    def __init__(self, book: Book, desk: OrderDesk, clock: Clock) -> None:
        self._book, self._desk, self._clock = book, desk, clock
        self._since = clock.now()
        self._heard: dict[tuple[str, str], datetime] = {}
        self._own: set[tuple[str, str]] = set()
        self._priced = False
        self._lock = Lock()

    def beat(self, kind: str, name: str) -> None:
        """Somebody lives. A feed and an engine are watched from their first beat on, a bot by the settings.

        Raises
        ------
        InvalidRequest
            ``INVALID_KIND``, or ``OUT_OF_RANGE``: that many are watched already.
        """
        if kind not in KINDS:
            said = f"a heartbeat is of a bot, a feed or an engine; got {shown(kind)}"
            raise InvalidRequest("INVALID_KIND", "kind", said)
        with self._lock:
            if not {(kind, name)} & (self._own | self._heard.keys()) and kind != "bot":
                self._check_room()
            self._heard[kind, name] = self._clock.now()

    def reserve(self, kind: str, name: str) -> None:
        """A name of the product's own, such as the monitoring: there is always a place for it."""
        with self._lock:
            self._own.add((kind, name))

    def _check_room(self) -> None:
        if sum(1 for key in self._heard if key[0] != "bot" and key not in self._own) >= MOST:
            said = f"more than {MOST} feeds and engines are not watched; forget one that has gone"
            raise InvalidRequest("OUT_OF_RANGE", "name", said)

    def prices_came(self, source: str) -> None:
        """Prices are a feed's heartbeat, once it is watched."""
        self._priced = True
        if ("feed", source) in self._heard:
            self.beat("feed", source)

    def forget(self, kind: str, name: str) -> bool:
        """It ended in good order: nobody waits for it; returns whether somebody did."""
        with self._lock:
            return self._heard.pop((kind, name), None) is not None

    def retire(self, kind: str, name: str, actor: str, reason: str) -> bool:
        """A person says that it is gone: it is forgotten, and a hold that waited for it ends.

        A halt stays until it is released, and then does not come back.

        Returns
        -------
        bool
            Whether it was watched or held anything.

        Raises
        ------
        InvalidRequest
            ``INVALID_KIND``: a bot is watched by the settings.
        """
        if kind not in ("feed", "engine"):
            said = f"a feed or an engine is forgotten, a bot by heartbeat_config.bots; got {shown(kind)}"
            raise InvalidRequest("INVALID_KIND", "kind", said)
        with self._book.lock:
            was_watched = self.forget(kind, name)
            cause = f"heartbeat:{kind}:{name}"
            hold = self._book.state.holds.get((Scope.PORTFOLIO, "", cause))
            if hold is not None and not hold.latched:
                now = self._clock.now()
                self._book.apply(HoldReleased(now, actor, Scope.PORTFOLIO, "", cause, reason))
        return was_watched or hold is not None

    def check(self) -> tuple[str, ...]:
        """Hold whoever is missing, let go whoever is back; returns a sentence for each that is missing."""
        said = []
        with self._book.lock:
            now = self._clock.now()
            self._let_go_of_names_that_are_gone(now)
            for kind, name, seconds, allowed in self._watched(now):
                text = self._judge(kind, name, seconds, allowed, now)
                if text:
                    said.append(text)
        return tuple(said)

    def _let_go_of_names_that_are_gone(self, now: datetime) -> None:
        """End what an earlier run held for a feed or an engine that this one hears of by another name.

        As long as it may be silent the old name is waited for; a halt stays for a person.
        """
        waited = (now - self._since).total_seconds()
        for hold in tuple(self._book.state.holds.values()):
            cause, kind, name = (*hold.cause.split(":", 2), "", "")[:3]
            if cause != "heartbeat" or kind not in ("feed", "engine") or hold.latched:
                continue
            with self._lock:
                is_known = (kind, name) in self._heard
                others = sorted(other for k, other in self._heard if k == kind)
            is_back = bool(others) or (kind == "feed" and self._priced)
            if is_known or not is_back or waited <= self._allowed(kind):
                continue
            said = f"{kind} {name} was not heard of since the start, but {', '.join(others[:3]) or 'prices'}"
            self._book.apply(HoldReleased(now, SYSTEM, hold.scope, hold.name, hold.cause, said))

    def _allowed(self, kind: str) -> float:
        settings = self._book.config.heartbeat_config
        return settings.feeds if kind == "feed" else settings.engine

    def _watched(self, now: datetime) -> Iterator[tuple[str, str, float, float]]:
        """Kind, name, seconds of silence, and seconds that are allowed."""
        settings, state = self._book.config.heartbeat_config, self._book.state
        with self._lock:
            heard = dict(self._heard)
        for (kind, name), last in heard.items():
            allowed = self._allowed(kind)
            if kind != "bot" and allowed > 0.0:
                yield kind, name, (now - last).total_seconds(), allowed
        for name in state.bots if settings.bots else ():
            allowed = settings.bots.get(name, settings.bots.get(EVERY, 0.0))
            if allowed > 0.0:
                yield "bot", name, self._silence(state, name, heard, now), allowed

    def _silence(
        self, state: PortfolioState, name: str, heard: dict[tuple[str, str], datetime], now: datetime
    ) -> float:
        """Seconds since a bot was heard of: its requests count. A start counts for all."""
        asked = state.bots[name].record.last_seen
        moments = [self._since, state.bots[name].registered_at, heard.get(("bot", name), self._since)]
        return (now - max([*moments, asked] if asked is not None else moments)).total_seconds()

    def _judge(self, kind: str, name: str, seconds: float, allowed: float, now: datetime) -> str:
        settings: HeartbeatConfig = self._book.config.heartbeat_config
        scope, held = (Scope.BOT, name) if kind == "bot" else (Scope.PORTFOLIO, "")
        cause = f"heartbeat:{kind}:{name}"
        known = self._book.state.holds.get((scope, held, cause))
        if seconds <= allowed:
            if known is not None and not known.latched:
                text = "it is heard of again"
                self._book.apply(HoldReleased(now, SYSTEM, scope, held, cause, text))
            return ""
        is_gone = seconds > allowed * settings.halt_after
        mode = TradingMode.HALTED if is_gone else TradingMode.REDUCING
        if known is not None and known.mode.severity >= mode.severity:
            return ""
        ends = "a person puts it back" if is_gone else "it ends by itself"
        text = f"{kind} {name} was not heard of for {seconds:.0f} s (allowed {allowed:g}); {ends}"
        hold = Hold(scope, held, cause, mode, SYSTEM, text, now, latched=is_gone)
        self._book.apply(HoldSet(at=now, actor=SYSTEM, hold=hold))

        def is_his(reservation: Reservation) -> bool:
            return scope is Scope.PORTFOLIO or reservation.key.bot == name

        self._desk.cancel_openings(text, is_his)
        return text
