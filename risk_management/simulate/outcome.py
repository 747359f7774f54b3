"""What a run did and how it ended."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from risk_management.errors import RiskError

__all__ = ["BrokenInvariant", "Outcome", "Tally"]


class BrokenInvariant(RiskError):
    """The simulated system did what it must never do.

    Parameters
    ----------
    name : str
        The invariant.
    numbers : str
        What was seen, with its numbers.
    """

    def __init__(self, name: str, numbers: str) -> None:
        super().__init__(f"{name}: {numbers}")
        self.name, self.numbers = name, numbers


@dataclass
class Tally:
    """Counts of everything that happened, and a digest over all that was answered, in order."""

    did: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    """Refusals and cuts, by code."""
    faults: Counter[str] = field(default_factory=Counter)
    """Faults injected, by ``group.kind``."""
    _digest: hashlib._Hash = field(default_factory=hashlib.sha256)

    def note(self, text: str) -> None:
        """Take one answer into the digest."""
        self._digest.update(text.encode())

    @property
    def digest(self) -> str:
        """First 16 hexadecimal digits over everything that was noted."""
        return self._digest.copy().hexdigest()[:16]


@dataclass(frozen=True)
class Outcome:
    """A finished run.

    Parameters
    ----------
    seed, bots : int
    hours : float
    groups : tuple of str
        Groups of faults that were at work.
    tally : Tally
    state : str
        SHA-256 of the state at the end.
    broken : BrokenInvariant or None
    at : float
        Simulated seconds at the end.
    moment : datetime
        The simulated moment of the end.
    """

    seed: int
    hours: float
    bots: int
    groups: tuple[str, ...]
    tally: Tally
    state: str
    broken: BrokenInvariant | None
    at: float
    moment: datetime

    @property
    def digest(self) -> str:
        """Names the run: equal for two runs of one seed."""
        return hashlib.sha256(f"{self.tally.digest} {self.state}".encode()).hexdigest()[:16]

    @property
    def again(self) -> str:
        """The command that runs it again."""
        faults = ",".join(self.groups) or "none"
        return f"risk simulate --seed {self.seed} --hours {self.hours:g} --bots {self.bots} --faults {faults}"
