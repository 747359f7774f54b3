"""Who may ask: denied by default, one place, before anything of a request is read."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlsplit

from risk_management.errors import StoreUnavailable
from risk_management.model.access import Access, Token
from risk_management.model.codes import Code
from risk_management.model.events import Noted
from risk_management.service.problems import Problem
from risk_management.service.route import ANYONE, Route, Views
from risk_management.service.sessions import COOKIE, LOOPBACK_NAMES, Sessions
from risk_management.service.throttle import Throttle

if TYPE_CHECKING:
    from flask import Request

    from risk_management.service.keyring import Keyring

__all__ = ["LOOPBACK_NAMES", "Admitted", "Guard"]

logger = logging.getLogger(__name__)

LOOPBACK_ADDRESS: Final = re.compile(r"(127(\.\d{1,3}){3}|::1|::ffff:127(\.\d{1,3}){3})\Z")
HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(:[0-9]{1,5})?\Z")
LONGEST: Final = 512
BEARER: Final = re.compile(r"Bearer ([\x21-\x7e]+)\Z")


class Admitted(NamedTuple):
    """A request that may go on.

    Parameters
    ----------
    route : Route
    who : Token
    csrf : str
    """

    route: Route
    who: Token
    csrf: str


class Guard:
    """Stands before our own addresses.

    Parameters
    ----------
    views : Views
    keyring : Keyring
    hosts : frozenset of str, optional
        Names that this server is called by. Without them it stands in somebody's app: it answers to its
        own machine alone, and there `open_paths` may be read without a token.
    open_paths : frozenset of str
    sessions : Sessions, optional
    throttle : Throttle, optional
    """

    def __init__(
        self,
        views: Views,
        keyring: Keyring,
        *,
        hosts: frozenset[str] | None = None,
        open_paths: frozenset[str] = frozenset(),
        sessions: Sessions | None = None,
        throttle: Throttle | None = None,
    ) -> None:
        self._views, self._keyring = views, keyring
        self._hosts, self._open = hosts, open_paths
        self.sessions = sessions
        self._throttle = throttle or Throttle()
        self._noted = Throttle()

    def admit(self, call: Request, path: str, methods: Mapping[str, Route]) -> Admitted:
        """Let a request on, or say why not.

        Parameters
        ----------
        call : Request
        path : str
            As the routes have it; empty for an address that is none.
        methods : Mapping of str to Route
            What the address serves.

        Raises
        ------
        Problem
        """
        self._check_host(call)
        self._check_origin(call)
        if any(route.access is None for route in methods.values()):
            who, csrf = ANYONE, ""
        elif path in self._open:
            who, csrf = self._recognised(call) or (ANYONE, "")
        else:
            who, csrf = self._known(call)
        if not methods:
            raise Problem(Code.NOT_FOUND, "", "there is no such address; see openapi.json")
        asked = methods.get("GET")
        heads = {"HEAD": asked} if asked is not None and asked.head else {}
        route = {**methods, **heads}.get(call.method)
        if route is None:
            allowed = ", ".join([*methods, *heads])
            said = f"this address is asked by {allowed}"
            raise Problem(Code.METHOD_NOT_ALLOWED, "", said, {"Allow": allowed})
        if route.access is not None and who.access.rank < route.access.rank:
            self._note(who, f"{route.method} {route.path} takes {route.access}")
            raise Problem(Code.NOT_ALLOWED, "", f"this takes a token of the scope {route.access} or higher")
        if csrf and route.changes and call.headers.get("X-CSRF-Token") != csrf:
            raise Problem(Code.BAD_CSRF, "", "send the csrf of GET session in the header X-CSRF-Token")
        if route.changes and who.bot is not None and who.bot not in self._views.manager.state.bots:
            self._views.manager.register_bot(who.bot, actor=who.actor)
        return Admitted(route, who, csrf)

    def _check_host(self, call: Request) -> None:
        found = HOST.match(call.headers.get("Host", ""))
        name = found[1].lower() if found else ""
        if self._hosts is not None:
            if name not in self._hosts:
                said = "this server is not called by that name; name it with --name"
                raise Problem(Code.BAD_HOST, "", said)
        # the name alone can be forged by a neighbour, the address alone by a page that rebinds its name
        elif not (name in LOOPBACK_NAMES and LOOPBACK_ADDRESS.match(call.remote_addr or "")):
            said = "these addresses answer to this machine only: call them as localhost or 127.0.0.1"
            raise Problem(Code.NOT_LOCAL, "", said)

    @staticmethod
    def _check_origin(call: Request) -> None:
        origin = call.headers.get("Origin")
        if origin is not None and (
            len(origin) > LONGEST or _netloc(origin) != call.headers.get("Host", "").lower()
        ):
            raise Problem(Code.BAD_ORIGIN, "", "a page of another origin may not ask")

    def _recognised(self, call: Request) -> tuple[Token, str] | None:
        """The token or session of a request, None where it has none that is known."""
        header = call.headers.get("Authorization", "")
        if len(header) > LONGEST:
            raise Problem(Code.HEADER_TOO_LARGE, "", "the header Authorization is too long")
        found = BEARER.match(header)
        if found is not None and (token := self._keyring.find(found[1])) is not None:
            return token, ""
        cookie = call.cookies.get(COOKIE)
        if not header and cookie and self.sessions is not None:
            session = self.sessions.find(cookie[:LONGEST])
            if session is not None:
                return session.who, session.csrf
        return None

    def _known(self, call: Request) -> tuple[Token, str]:
        """The token or session of a request."""
        recognised = self._recognised(call)
        if recognised is not None:
            return recognised
        header, address = call.headers.get("Authorization", ""), call.remote_addr or ""
        if self._throttle.is_closed(address):
            said = "too many wrong tokens from this address; wait a minute"
            raise Problem(Code.TOO_MANY_TRIES, "", said, {"Retry-After": "60"})
        if header and self._throttle.failed(address):
            self._note(
                Token("", "somebody", Access.READ, None, ANYONE.created_at, ""), f"wrong tokens: {address}"
            )
        said = (
            "this token is not known here, or was revoked; 'risk token list' shows those of the store"
            if BEARER.match(header) is not None
            else "send a token: Authorization: Bearer ...; 'risk token create' makes one"
        )
        raise Problem(Code.UNAUTHENTICATED, "", said, {"WWW-Authenticate": "Bearer"})

    def _note(self, who: Token, text: str) -> None:
        """Keep an act that was refused; that it can't be kept must not let it pass."""
        logger.warning("refused: %s: %s", who.actor, text)
        if self._noted.is_closed(who.actor):  # the first of a minute tell enough; the journal is not to swell
            return
        self._noted.failed(who.actor)
        manager = self._views.manager
        with suppress(StoreUnavailable):
            manager.book.apply(Noted(manager.clock.now(), who.actor, "REFUSED", text))


def _netloc(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""
