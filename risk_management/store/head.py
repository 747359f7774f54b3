"""The end of the journal, signed: the chain alone can't show a cut tail or a journal rewritten whole."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path
from typing import Any, Final, NamedTuple

from risk_management.errors import StoreCorrupt
from risk_management.store.place import Place
from risk_management.store.reader import StoreReader, Tail
from risk_management.store.small_file import SmallFile, contents

__all__ = ["SignedHead", "Unanswered", "hold_against", "signed_head"]


KEY: Final = 32
"""Bytes of a key."""


class Unanswered(NamedTuple):
    """The last entry of a write that failed: whoever waited for it was told that it did not happen."""

    seq: int
    hash: bytes
    turn: int
    """Turn of the lease in which it was tried; 0 for a file."""


class SignedHead:
    """Number and hash of the last entry in ``<store>.head``, signed with the key in ``<store>.key``.

    The key is made once and readable by its owner alone. Keep a copy of both files elsewhere: who can
    write the store's folder can write them too.

    Parameters
    ----------
    place : Place
    """

    def __init__(self, place: Place) -> None:
        self._key = _key(place.with_end(".key"))
        self._file = SmallFile(place.with_end(".head"))

    def write(self, seq: int, hash_: bytes) -> None:
        """Sign where the journal ends now. The disk may learn of it later than of the journal itself."""
        self._write(seq, hash_, None, sync=False)

    def note(self, end: Tail, unanswered: Unanswered | None) -> None:
        """Sign the end, and a write behind it of which nobody knows whether it happened; None ends that."""
        self._write(*end, unanswered, sync=True)

    def _write(self, seq: int, hash_: bytes, unanswered: Unanswered | None, *, sync: bool) -> None:
        values: dict[str, Any] = {"seq": seq, "hash": hash_.hex()}
        if unanswered is not None:
            values["unanswered"] = [unanswered.seq, unanswered.hash.hex(), unanswered.turn]
        values["signature"] = _signature(self._key, seq, hash_, unanswered)
        self._file.write(values, sync=sync)

    def read(self) -> Tail | None:
        """What was signed last, None where nothing was.

        Raises
        ------
        StoreCorrupt
            The signature is not that of the key.
        """
        known = self._file.read()
        return _believed(known, self._key)[0] if known else None

    def unanswered(self) -> Unanswered | None:
        """The write of unknown fate that was noted last; StoreCorrupt as by `read`."""
        known = self._file.read()
        return _believed(known, self._key)[1] if known else None

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
    return _believed(known, key)[0]


def _believed(known: dict[str, Any], key: bytes) -> tuple[Tail, Unanswered | None]:
    try:
        seq, hash_ = int(known["seq"]), bytes.fromhex(known["hash"])
        unanswered = _unanswered(*known["unanswered"]) if "unanswered" in known else None
        signature = str(known["signature"])
    except (KeyError, ValueError, TypeError):
        raise StoreCorrupt("the signed head of the journal can't be read") from None
    if not hmac.compare_digest(signature.encode(), _signature(key, seq, hash_, unanswered).encode()):
        raise StoreCorrupt("the signed head of the journal was not signed with the key beside the store")
    return Tail(seq, hash_), unanswered


def _unanswered(seq: int, hash_: str, turn: int) -> Unanswered:
    return Unanswered(int(seq), bytes.fromhex(hash_), int(turn))


def _signature(key: bytes, seq: int, hash_: bytes, unanswered: Unanswered | None) -> str:
    said = b"%d:" % seq + hash_
    if unanswered is not None:
        said += b"%d:%d:" % (unanswered.seq, unanswered.turn) + unanswered.hash
    return hmac.new(key, said, hashlib.sha256).hexdigest()


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
