"""Tokens beside the journal, in transactions of their own: they can be made while a server runs."""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
from contextlib import ExitStack
from datetime import datetime, timedelta
from threading import Lock
from typing import Any, Final

from sqlalchemy import insert, inspect, select, update

from risk_management.clock import Clock, SystemClock
from risk_management.core.entry import checked_bot, checked_name
from risk_management.errors import InvalidRequest, StoreInUse, StoreUnavailable
from risk_management.model.access import Access, Token
from risk_management.store.database import QUICK, clear_errors, connect, migrate
from risk_management.store.lease import holder_of
from risk_management.store.lock import StoreLock
from risk_management.store.place import Place, place_of
from risk_management.store.rows import storable
from risk_management.store.schema import TOKENS
from risk_management.store.sql_journal import TROUBLE

__all__ = ["TokenStore", "secret_hash"]

logger = logging.getLogger(__name__)

PREFIX: Final = "risk_"
FRESH_SECONDS: Final = 1.0
"""For how long what was read of the tokens is believed: a revoked one ends within it."""
AGAIN_SECONDS: Final = 10.0
"""Until they are read again after that failed: every request waits while they are."""
USED_EVERY: Final = timedelta(minutes=1)
MOST: Final = 1000


def secret_hash(secret: str) -> bytes:
    """SHA-256 of a secret: it has 256 bits of its own, so that a slow hash would add nothing."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


class TokenStore:
    """Makes, lists, revokes and knows tokens.

    Parameters
    ----------
    store : str
        Path or address, as of the journal.
    clock : Clock, optional

    Raises
    ------
    StoreUnavailable, StoreCorrupt, StoreTooNew
    """

    def __init__(self, store: str, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._lock = Lock()
        self._place = place = place_of(store)
        held = _held(place)
        with ExitStack() as failed, clear_errors(place):
            self._engine = connect(store, patience=QUICK)
            failed.callback(self._engine.dispose)
            single = {} if place.is_file else {"isolation_level": "AUTOCOMMIT"}  # one way there and back
            self._reads = self._engine.execution_options(**single)
            try:
                if held is not None and (place.is_file or holder_of(place) is None):
                    migrate(self._engine, place)
                    if place.is_file:
                        place.beside.chmod(0o600)
            finally:
                if held is not None:
                    held.release()
            if held is None and not self._has_table():
                raise StoreUnavailable("the server is starting, or is of an older version; try again")
            self._known = self._rows()  # while the store can't be read these hold
            failed.pop_all()
        self._is_read = True
        self._read_at = -FRESH_SECONDS
        self._used: dict[str, datetime] = {}

    def create(self, name: str, access: Access, *, bot: str | None = None, actor: str) -> tuple[Token, str]:
        """A new token and its secret, which is shown this once.

        Raises
        ------
        InvalidRequest
            A name that means nothing; a bot with another scope than trade, or trade without a bot.
        """
        checked_name(name, "name")
        if (bot is not None) != (access is Access.TRADE):
            raise InvalidRequest("MISSING_FIELD", "bot", "a trade token names its bot, and no other does")
        if bot is not None:
            checked_bot(bot)
        if len(self.tokens()) >= MOST:
            raise InvalidRequest("OUT_OF_RANGE", "name", f"there are {MOST} tokens already; revoke some")
        secret = PREFIX + secrets.token_urlsafe(32)
        made = Token(secrets.token_hex(4), name, access, bot, self._clock.now(), storable(actor))
        row = {
            "id": made.token_id,
            "name": name,
            "scope": access.value,
            "bot": bot,
            "hash": secret_hash(secret),
            "created_at": made.created_at.isoformat(),
            "created_by": made.created_by,
        }
        self._write(insert(TOKENS).values(row))
        return made, secret

    def revoke(self, token_id: str) -> Token:
        """End a token; a second call changes nothing.

        Raises
        ------
        InvalidRequest
            ``UNKNOWN_FIELD``: there is none with this id.
        """
        known = {token.token_id: token for token in self.tokens()}
        if token_id not in known:
            said = f"no token has the id {token_id!r:.40}; see 'risk token list'"
            raise InvalidRequest("UNKNOWN_FIELD", "token_id", said)
        ended = self._clock.now().isoformat()
        self._write(
            update(TOKENS)
            .where(TOKENS.c.id == token_id, TOKENS.c.revoked_at.is_(None))
            .values(revoked_at=ended)
        )
        return known[token_id]

    def tokens(self) -> list[Token]:
        """All tokens, the newest last, the revoked ones too."""
        with self._lock, clear_errors(self._place):
            return [token for _, token in self._rows()]

    def find(self, secret: str) -> Token | None:
        """The token of a secret, None for an unknown or revoked one.

        While the store can't be read, what was read last holds: a stop must not need the disk.

        Raises
        ------
        StoreUnavailable
            It is not among those that were read last, and the store can't be read.
        """
        with self._lock:
            age = self._clock.monotonic() - self._read_at
            if age >= FRESH_SECONDS:
                self._refresh()
            found = self._matching(secret)
            if found is None and 0.0 < age < FRESH_SECONDS:
                self._refresh()  # it may have been made this second, by another process
                found = self._matching(secret)
            if found is None and not self._is_read:
                raise StoreUnavailable("the tokens can't be read now, and this is no known one; ask again")
            if found is not None:
                self._used[found.token_id] = self._clock.now()
            return found

    def holds(self, token_id: str) -> bool:
        """Whether the token of an id is known and not revoked; believed for a second, as in `find`."""
        with self._lock:
            if self._clock.monotonic() - self._read_at >= FRESH_SECONDS:
                self._refresh()
            return any(t.token_id == token_id and t.revoked_at is None for _, t in self._known)

    def close(self) -> None:
        """Close the connection."""
        self._engine.dispose()

    def _matching(self, secret: str) -> Token | None:
        digest, found = secret_hash(secret), None
        for known, token in self._known:  # all of them, so that the time says nothing
            if hmac.compare_digest(known, digest) and token.revoked_at is None:
                found = token
        return found

    def _refresh(self) -> None:
        self._is_read = False
        try:
            self._known = self._rows()
            self._is_read = True
            self._note_use()
            self._read_at = self._clock.monotonic()
        except TROUBLE as problem:
            logger.warning("the tokens can't be read, the known ones hold: %s", type(problem).__name__)
            self._read_at = self._clock.monotonic() + AGAIN_SECONDS - FRESH_SECONDS

    def _note_use(self) -> None:
        last = {token.token_id: token.last_used_at for _, token in self._known}
        news = {
            token_id: used
            for token_id, used in self._used.items()
            if (before := last.get(token_id)) is None or used - before >= USED_EVERY
        }
        self._used.clear()
        if not news:
            return
        with self._engine.begin() as connection:
            for token_id, used in news.items():
                one = update(TOKENS).where(TOKENS.c.id == token_id)
                connection.execute(one.values(last_used_at=used.isoformat()))

    def _rows(self) -> list[tuple[bytes, Token]]:
        with self._reads.connect() as connection:
            rows = connection.execute(select(TOKENS).order_by(TOKENS.c.created_at)).all()
        return [(bytes(row.hash), _token(row)) for row in rows]

    def _write(self, statement: Any) -> None:
        try:
            with self._lock, self._engine.begin() as connection:
                connection.execute(statement)
        except TROUBLE as problem:
            raise StoreUnavailable(f"the tokens can't be written: {type(problem).__name__}") from None
        self._read_at = -FRESH_SECONDS

    def _has_table(self) -> bool:
        with self._engine.connect() as connection:
            return inspect(connection).has_table(TOKENS.name)


def _held(place: Place) -> StoreLock | None:
    try:
        return StoreLock(place)
    except StoreInUse:  # the engine that holds it has brought the tables up to date
        return None


def _token(row: Any) -> Token:
    def moment(text: str | None) -> datetime | None:
        return None if text is None else datetime.fromisoformat(text)

    return Token(
        token_id=row.id,
        name=row.name,
        access=Access(row.scope),
        bot=row.bot,
        created_at=datetime.fromisoformat(row.created_at),
        created_by=row.created_by,
        revoked_at=moment(row.revoked_at),
        last_used_at=moment(row.last_used_at),
    )
