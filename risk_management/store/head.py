"""The end of the journal, signed: the chain alone can't show a cut tail or a journal rewritten whole."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path
from typing import Any, Final

from risk_management.errors import StoreCorrupt
from risk_management.store.place import Place
from risk_management.store.reader import StoreReader, Tail
from risk_management.store.small_file import SmallFile, contents

__all__ = ["SignedHead", "hold_against", "signed_head"]


KEY: Final = 32
"""Bytes of a key."""
NO_FILE: Final = 0
"""Number of what is no file of an engine: a backup, a database."""


class SignedHead:
    """Number and hash of the last entry in ``<store>.head``, signed with the key in ``<store>.key``.

    The key is made once and readable by its owner alone. Keep a copy of both files elsewhere: who can
    write the store's folder can write them too. Of a file its number (inode) stands there too: a copy of a
    book is told from the book by it.

    Parameters
    ----------
    place : Place
    """

    def __init__(self, place: Place) -> None:
        self._number = place.beside.stat().st_ino if place.is_file else NO_FILE
        self._key = _key(place.with_end(".key"))
        self._file = SmallFile(place.with_end(".head"))

    def write(self, seq: int, hash_: bytes, *, is_copy: bool = False) -> None:
        """Sign where the journal ends now. The disk may learn of it later than of the journal itself."""
        signature = _signature(self._key, seq, hash_)
        number = NO_FILE if is_copy else self._number
        self._file.write(
            {"seq": seq, "hash": hash_.hex(), "signature": signature, "file": number}, sync=False
        )

    @property
    def is_of_a_copy(self) -> bool:
        """Whether the file is another one than that which was signed last."""
        return bool(self._file.read().get("file", self._number) != self._number)

    def read(self) -> Tail | None:
        """What was signed last, None where nothing was.

        Raises
        ------
        StoreCorrupt
            The signature is not that of the key.
        """
        known = self._file.read()
        return _believed(known, self._key) if known else None

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def signed_head(place: Place) -> Tail:
    """The signed end of a store that may be in use; nothing is made.

    Raises
    ------
    StoreCorrupt
        There is none, or it was not signed with the key beside the store.
    """
    try:
        key = place.with_end(".key").read_bytes()
        known = contents(place.with_end(".head").read_bytes())
    except OSError as problem:
        raise StoreCorrupt(f"the end of the journal can't be held against its signature: {problem}") from None
    if not known:
        raise StoreCorrupt("the end of the journal is not signed: the head file is empty")
    return _believed(known, key)


def _believed(known: dict[str, Any], key: bytes) -> Tail:
    try:
        seq, hash_ = int(known["seq"]), bytes.fromhex(known["hash"])
        signature = str(known["signature"])
    except (KeyError, ValueError, TypeError):
        raise StoreCorrupt("the signed head of the journal can't be read") from None
    if not hmac.compare_digest(signature.encode(), _signature(key, seq, hash_).encode()):
        raise StoreCorrupt("the signed head of the journal was not signed with the key beside the store")
    return Tail(seq, hash_)


def _signature(key: bytes, seq: int, hash_: bytes) -> str:
    return hmac.new(key, b"%d:" % seq + hash_, hashlib.sha256).hexdigest()


def hold_against(head: Tail, reader: StoreReader) -> None:
    """Hold a journal against its signed end.

    Raises
    ------
    StoreCorrupt
        The journal was cut, or rewritten.
    """
    found = reader.hash_of(head.seq)
    if found is None:
        last = reader.tail().seq
        raise StoreCorrupt(f"the journal ends at entry {last}, but entry {head.seq} was written: it was cut")
    if found != head.hash:
        raise StoreCorrupt(f"entry {head.seq} of the journal is not the one that was written")


def _key(path: Path) -> bytes:
    if not path.exists():
        fresh = path.with_name(path.name + ".new")  # whole or not at all, whatever happens meanwhile
        number = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(number, "wb") as file:
            file.write(secrets.token_bytes(KEY))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)
    key = path.read_bytes()
    if len(key) != KEY:
        raise StoreCorrupt(f"{path} is no key: put your copy of it back")
    return key
