"""A write of which nobody knows whether it happened: noted beside the store until that is known."""

from __future__ import annotations

from typing import NamedTuple, Self

from risk_management.store.reader import Tail

__all__ = ["Unanswered"]


class Unanswered(NamedTuple):
    """A write that failed: whoever waited for it was told that it did not happen."""

    after: Tail
    """The last entry before it, which was answered."""
    end: Tail
    """Its own last entry."""
    turn: int
    """Turn of the lease in which it was tried; 0 for a file."""
    left_by: str
    """Who had left the store, where this write said so first."""

    def as_text(self) -> str:
        """As it is noted."""
        tails = (f"{tail.seq} {tail.hash.hex()}" for tail in (self.after, self.end))
        return f"{' '.join(tails)} {self.turn} {self.left_by}"

    @classmethod
    def from_text(cls, text: str) -> Self | None:
        """What `as_text` wrote; None for anything else."""
        try:
            after, after_hash, end, end_hash, turn, left_by = str(text).split(" ", 5)
            return cls(
                Tail(int(after), bytes.fromhex(after_hash)),
                Tail(int(end), bytes.fromhex(end_hash)),
                int(turn),
                left_by,
            )
        except ValueError:
            return None
