"""What an address is: who may ask, what it takes, what it answers. Routing, guard and document read this."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from risk_management.model.access import Access, Token
from risk_management.model.codes import Code
from risk_management.service.problems import Problem

if TYPE_CHECKING:
    from pydantic import BaseModel

    from risk_management.core.risk_manager import AdvancedRiskManager
    from risk_management.dashboard.plain import Plain
    from risk_management.service.live import Live
    from risk_management.service.sessions import Sessions

__all__ = ["ANYONE", "Answer", "Call", "Route", "Views"]

ANYONE: Final = Token("", "anyone", Access.READ, None, datetime(1970, 1, 1, tzinfo=UTC), "")
"""Who asks where no token is needed."""


class Views(Protocol):
    """The book behind the service, and its views."""

    @property
    def manager(self) -> AdvancedRiskManager:
        """Whose book it is."""
        ...

    @property
    def ignored_commands(self) -> Mapping[str, int]:
        """Messages to the bot in a chat that were left aside, by reason."""
        ...

    def view(self, name: str, version: int | None = None) -> Plain:
        """A view by its name."""
        ...

    def pair(self, first: str, second: str) -> Plain:
        """How two names moved together over time."""
        ...

    def pulse(self) -> Plain:
        """How the book stands now, for every open page."""
        ...


class Answer(NamedTuple):
    """What is sent back.

    Parameters
    ----------
    body : dict, str, bytes or iterator of bytes
        JSON, or what stands for itself in `mimetype`; an iterator is a stream that goes on.
    status : int
    headers : Mapping of str to str
    mimetype : str
    """

    body: Plain | str | bytes | Iterator[bytes]
    status: int = 200
    headers: Mapping[str, str] = {}
    mimetype: str = "application/json"


@dataclass(frozen=True, slots=True)
class Call:
    """One request that may be answered.

    Parameters
    ----------
    views : Views
    who : Token
    path : Mapping of str to str
        What the address names, such as ``request_id``.
    body : BaseModel
        As `Route.asks` says; for GET the query.
    csrf : str
        What a browser sends back with every change.
    sessions : Sessions or None
    live : Live or None
    address : str
        Path that was asked for, with where the app is mounted.
    host : str
        Name that the server was called by.
    accepts : str
        Encodings that the caller reads.
    cookie : str
        Of its session.
    """

    views: Views
    who: Token
    path: Mapping[str, str]
    body: Any
    csrf: str = ""
    sessions: Sessions | None = None
    live: Live | None = None
    address: str = ""
    host: str = ""
    accepts: str = ""
    cookie: str = ""

    @property
    def manager(self) -> AdvancedRiskManager:
        """Whose book is asked."""
        return self.views.manager

    @property
    def durable(self) -> bool:
        """Whether what was written so far is on disk, where there is one."""
        return not (self.manager.book.outage or self.manager.book.has_ended)

    def own(self, bot: str | None) -> str | None:
        """The bot that the caller may speak for; of a trade token its own alone.

        Raises
        ------
        Problem
            ``NOT_YOUR_BOT``
        """
        mine = self.who.bot
        if mine is None:
            return bot
        if bot not in (None, mine):
            raise Problem(Code.NOT_YOUR_BOT, "bot_name", f"this token trades for {mine!r} alone")
        return mine


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one address.

    Parameters
    ----------
    method, path : str
        Such as ``/trades/{request_id}``, without the prefix.
    access : Access or None
        The least access that it takes; None: anyone may ask.
    summary : str
        One line for the document.
    handle : callable
    asks : type of BaseModel, optional
        The body, or for GET the query.
    answers : type of BaseModel, optional
        Its answer, for the document; an open object by default.
    status : tuple of int
        What it answers when all is well.
    refuses : tuple of int
        Further statuses of its own problems.
    urgent : bool
        Served even when everything else is busy.
    head : bool
        Whether HEAD is answered as GET is; not where a look would use something up.
    """

    method: str
    path: str
    access: Access | None
    summary: str
    handle: Callable[[Call], Answer]
    asks: type[BaseModel] | None = None
    answers: type[BaseModel] | None = None
    status: tuple[int, ...] = (200,)
    refuses: tuple[int, ...] = ()
    urgent: bool = False
    head: bool = True
    mimetype: str = field(default="application/json")

    @property
    def changes(self) -> bool:
        """Whether it is more than a question."""
        return self.method != "GET"
