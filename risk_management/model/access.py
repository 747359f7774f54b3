"""Who may ask what."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

__all__ = ["Access", "Token"]


class Access(StrEnum):
    """How far a token reaches; each includes what stands before it."""

    READ = "read"
    TRADE = "trade"
    """Ask and report for one bot."""
    OPERATE = "operate"
    """Prices, bots, modes, stops; tighten limits."""
    ADMIN = "admin"
    """Loosen limits."""

    @property
    def rank(self) -> int:
        """0 for READ to 3 for ADMIN."""
        return list(type(self)).index(self)


@dataclass(frozen=True, slots=True)
class Token:
    """A token as it is kept; its secret is not.

    Parameters
    ----------
    token_id : str
    name : str
        For people.
    access : Access
    bot : str or None
        The one bot that it trades for; with TRADE alone.
    created_at : datetime
    created_by : str
    revoked_at, last_used_at : datetime or None
    """

    token_id: str
    name: str
    access: Access
    bot: str | None
    created_at: datetime
    created_by: str
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None

    @property
    def actor(self) -> str:
        """How the journal names it."""
        return f"{self.name} (token {self.token_id})" if self.token_id else self.name
