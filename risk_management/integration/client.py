"""Ask a risk system in another process. Needs nothing but the standard library.

A request that gets no answer in time is refused: who does not know must not trade.
"""

from __future__ import annotations

import io
import json
import logging
import os
import re
import secrets
import ssl
import time
from collections.abc import Callable, Mapping
from functools import partial
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from itertools import count
from socket import socket
from threading import local
from types import TracebackType
from typing import Any, Final, NamedTuple, NoReturn, Self
from urllib.parse import SplitResult, quote, urlsplit

from risk_management.clock import SystemClock
from risk_management.errors import ConfigurationError, InvalidRequest, Unanswered, shown
from risk_management.integration.trade_response import TradeResponse
from risk_management.model.trade import Execution, PaperTrade

__all__ = ["RiskClient"]

logger = logging.getLogger(__name__)

PREFIX: Final = "/api/risk"
LARGEST: Final = 2**22
"""Bytes of an answer: the alerts come with the last thousand tellings."""
LOOPBACK: Final = re.compile(r"(localhost|127(\.\d{1,3}){3}|::1)\Z")
FAILED: Final = 500
"""Statuses from here on are no answers: it may have been judged all the same."""
PAUSE: Final = 0.01
LONGEST_PAUSE: Final = 0.5
LONGEST: Final = 3600.0
"""Seconds that a call may be told to take."""


class _Body(dict[str, Any]):
    """An answer's object; what it should hold and does not was said by somebody else."""

    def __missing__(self, name: str) -> NoReturn:
        raise Unanswered(
            "UNANSWERED", f"the answer holds no {name!r}: it is not the risk system's; do not trade"
        )


class _Reply(NamedTuple):
    status: int
    body: _Body


class _TimedReader(io.RawIOBase):
    """What comes over a connection until the time is over, however slowly it drips."""

    def __init__(self, raw: io.RawIOBase, sock: socket, left: Callable[[], float]) -> None:
        self._raw, self._sock, self._left = raw, sock, left

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int | None:
        self._sock.settimeout(self._left())
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _TimedResponse(HTTPResponse):
    """Its status and headers are read against the same time as its body."""

    def __init__(self, left: Callable[[], float], sock: socket, *args: Any, **words: Any) -> None:
        super().__init__(sock, *args, **words)
        self.fp = io.BufferedReader(_TimedReader(self.fp.detach(), sock, left))


DEADLINE: Final = 0.25
"""Seconds that a question may take."""


class RiskClient:
    """The calls of `TradingSystemIntegration`, answered by `risk serve`. Safe to use from many threads.

    Parameters
    ----------
    url : str
        Of the server, such as ``http://127.0.0.1:8321``.
    token : str
        From ``risk token create``.
    deadline : float
        Seconds that a question may take, all tries together.
    patience : float
        Seconds for reports, cancels and stops, which must not be lost.
    tries : int
        Of a question, at most; each with the same id, so that nothing is done twice. Reports, cancels and
        stops are tried until their time is over.

    Raises
    ------
    ConfigurationError
        The address or the token can't be used.
    """

    def __init__(
        self, url: str, token: str, *, deadline: float = DEADLINE, patience: float = 5.0, tries: int = 3
    ) -> None:
        parts, known = _address(url), str(token or "")
        if parts is None:
            raise ConfigurationError("RISK_URL is an address such as http://127.0.0.1:8321")
        if not known.isascii() or not known.isprintable() or not known.strip():
            raise ConfigurationError("RISK_TOKEN is a token as 'risk token create' prints it")
        if parts.scheme == "http" and not LOOPBACK.match(str(parts.hostname)):
            logger.warning("the token travels unencrypted to %s; put TLS in front", parts.hostname)
        self._parts, self._token = parts, token
        self._deadline, self._patience = _seconds("deadline", deadline), _seconds("patience", patience)
        self._tries = max(1, tries)
        self._clock = SystemClock()
        self._mine = local()

    def __repr__(self) -> str:
        return f"RiskClient({self._parts.scheme}://{self._parts.netloc})"

    # -- orders -------------------------------------------------------------------------------------

    def request_trade(  # noqa: PLR0913 - the words of an order
        self,
        bot_name: str | None,
        symbol: str,
        action: str,
        size: float,
        confidence: float = 1.0,
        *,
        strategy: str = "",
        price: float | None = None,
        risk_amount: float | None = None,
        request_id: str | None = None,
        account_id: str | None = None,
        reduce_only: bool = False,
    ) -> TradeResponse:
        """Ask before trading; see `TradingSystemIntegration.request_trade`.

        Without an answer in time the response is refused with ``UNANSWERED``. It may have been approved all
        the same: asked again with its `request_id`, the first answer comes back.

        Raises
        ------
        InvalidRequest
            Malformed, or the token does not reach that far; nothing was judged.
        """
        chosen = request_id if request_id is not None else secrets.token_hex(9)
        words = {
            "bot_name": bot_name,
            "symbol": symbol,
            "action": action,
            "size": size,
            "confidence": confidence,
            "strategy": strategy,
            "price": price,
            "risk_amount": risk_amount,
            "request_id": chosen,
            "account_id": account_id,
            "reduce_only": reduce_only,
        }
        try:
            said = self._done("POST", "/trades", words, patient=False)
            return _response(said, size, str(chosen))
        except Unanswered as problem:
            logger.error("a request of %.60r got no answer: %s", bot_name, problem)
            return TradeResponse.not_judged(size, problem.code, str(problem), str(chosen))

    def execute_trade(  # noqa: PLR0913 - the facts of a fill
        self,
        request_id: str,
        executed_size: float,
        executed_price: float,
        success: bool = True,
        *,
        execution_id: str | None = None,
        final: bool | None = None,
        executed_quantity: float | None = None,
        fee: float = 0.0,
        environment: str | None = None,
    ) -> Execution:
        """Report a fill, or that there was none; see `TradingSystemIntegration.execute_trade`.

        Raises
        ------
        Unanswered
            Report it again with the same `execution_id`, which the error names.
        InvalidRequest
            Malformed, or at odds with what is known.
        """
        chosen = execution_id if execution_id is not None else secrets.token_hex(9)
        words = {
            "executed_size": executed_size,
            "executed_price": executed_price,
            "success": success,
            "execution_id": chosen,
            "final": final,
            "executed_quantity": executed_quantity,
            "fee": fee,
            "environment": environment,
        }
        try:
            said = self._done("POST", f"/trades/{_quoted(request_id)}/executions", words)
        except Unanswered as problem:
            raise Unanswered(problem.code, f"{problem}; report it again as execution {chosen}") from None
        return Execution(
            request_id=said["request_id"],
            execution_id=said["execution_id"],
            booked=said["booked"],
            quantity=said["quantity"],
            remaining=said["remaining"],
            duplicate=said["duplicate"],
            flags=tuple(said["flags"]),
            durable=said["durable"],
        )

    def trade_on_paper(self, request_id: str) -> PaperTrade:
        """Have the paper account of the server trade an approval; its fills are booked, report nothing.

        A second call changes nothing and says how the order stands.

        Raises
        ------
        InvalidRequest
            ``NO_PAPER_ACCOUNT``, ``NO_APPROVAL``; or why nothing opens now or the account took no order, and
            the approval then stands.
        Unanswered
            Call again: it is sent once.
        """
        said = self._done("POST", f"/trades/{_quoted(request_id)}/paper", {})
        return PaperTrade(
            said["request_id"],
            said["status"],
            said["quantity"],
            said["executed_quantity"],
            said["executed_price"],
            said["fee"],
            said["reason"],
        )

    def cancel_trade(self, request_id: str, reason: str = "") -> None:  # noqa: ARG002 - the token tells who
        """Free what is left of an approval; a second call changes nothing."""
        self._done("DELETE", f"/trades/{_quoted(request_id)}", None)

    def why(self, request_id: str) -> dict[str, Any]:
        """A decision with all that was measured, and what became of it."""
        return self._done("GET", f"/trades/{_quoted(request_id)}", None)

    # -- bots, prices and stops ---------------------------------------------------------------------

    def register_bot(
        self,
        bot_name: str,
        strategy_type: str = "",
        max_position_size: float | None = None,
        kelly_fraction: float | None = None,
    ) -> dict[str, Any]:
        """Register a bot with its own limits, or change them; takes an operator's token."""
        words = {
            "strategy_type": strategy_type,
            "max_position_size": max_position_size,
            "kelly_fraction": kelly_fraction,
        }
        return self._done("PUT", f"/bots/{_quoted(bot_name)}", words)

    def disable_bot(self, bot_name: str, reason: str = "") -> tuple[str, ...]:
        """Stop a bot's entries; its exits pass. Returns its open approvals, which are cancelled."""
        path = f"/bots/{_quoted(bot_name)}/disable"
        return tuple(self._done("POST", path, {"reason": reason})["cancelled"])

    def enable_bot(self, bot_name: str) -> None:
        """Let a bot open positions again."""
        self._done("POST", f"/bots/{_quoted(bot_name)}/enable", {})

    def update_prices(self, prices: Mapping[str, float], *, source: str = "") -> dict[str, Any]:
        """Push prices; takes an operator's token."""
        return self._done("POST", "/prices", {"prices": dict(prices), "source": source})

    def emergency_stop_all(self, reason: str) -> bool:
        """Stop all trading; a person releases it. Returns whether it is on disk."""
        return self._done("POST", "/emergency-stop", {"reason": reason})["durable"] is True

    def heartbeat(self, name: str, kind: str = "bot") -> None:
        """A bot lives, also while it asks nothing; with an operator's token a feed or an engine."""
        self._done("POST", "/heartbeat", {"kind": kind, "name": name})

    def forget_heartbeat(self, name: str, reason: str, kind: str = "feed") -> bool:
        """Wait no longer for a feed or an engine that is gone; returns whether anybody did."""
        words = {"kind": kind, "name": name, "reason": reason}
        return self._done("POST", "/heartbeat/forget", words)["forgotten"] is True

    def plan_liquidation(self, scope: str = "everything") -> dict[str, Any]:
        """How a part of the book would be closed; nothing is sent."""
        return self._done("POST", "/liquidation/plan", {"scope": scope})

    def liquidate(self, scope: str, plan_id: str, reason: str) -> dict[str, Any]:
        """Close a part of the book by a plan that was seen; takes an operator's token."""
        words = {"scope": scope, "plan_id": plan_id, "reason": reason}
        return self._done("POST", "/liquidation", words)

    def end_liquidation(self, liquidation_id: str, reason: str) -> dict[str, Any]:
        """End a liquidation; takes an operator's token.

        What works is cancelled first: `ended_at` is None until then. What is held stays.
        """
        return self._done("DELETE", f"/liquidation/{_quoted(liquidation_id)}", {"reason": reason})

    def liquidations(self) -> list[dict[str, Any]]:
        """Those that go on, and the newest that have ended."""
        return list(self._done("GET", "/liquidation", None)["liquidations"])

    def release_emergency(self, actor: str, reason: str) -> tuple[str, ...]:
        """End every latched stop; returns what was released. The journal names the token as well."""
        words = {"reason": f"{actor}: {reason}"}
        return tuple(self._done("POST", "/emergency-release", words)["released"])

    # -- alerts -------------------------------------------------------------------------------------

    def alerts(self) -> list[dict[str, Any]]:
        """Those that are active, the gravest first."""
        return list(self._said("GET", "/alerts", None)["active"])

    def acknowledge_alert(self, alert_id: str, comment: str = "") -> dict[str, Any]:
        """Take an active alert on, in the name of the token: it repeats and escalates no more."""
        words = {"comment": comment}
        alert: dict[str, Any] = self._done("POST", f"/alerts/{_quoted(alert_id)}/acknowledge", words)["alert"]
        return alert

    def resolve_alert(self, alert_id: str, comment: str = "") -> dict[str, Any]:
        """End an alert that was raised and is over, in the name of the token."""
        words = {"comment": comment}
        alert: dict[str, Any] = self._done("POST", f"/alerts/{_quoted(alert_id)}/resolve", words)["alert"]
        return alert

    def silences(self) -> list[dict[str, Any]]:
        """Those that stand, the one that ends first first."""
        return list(self._done("GET", "/silences", None)["silences"])

    def silence(
        self,
        seconds: float,
        reason: str,
        *,
        rule_id: str = "",
        alert_type: str = "",
        bot: str = "",
        symbol: str = "",
    ) -> list[dict[str, Any]]:
        """Tell nobody of what matches all that is named, for a while; returns the silences that stand."""
        words = {
            "seconds": seconds,
            "reason": reason,
            "rule_id": rule_id,
            "alert_type": alert_type,
            "bot": bot,
            "symbol": symbol,
        }
        return list(self._done("POST", "/silences", words)["silences"])

    def end_silence(self, silence_id: str) -> list[dict[str, Any]]:
        """End a silence before its time; returns those that still stand."""
        return list(self._done("DELETE", f"/silences/{_quoted(silence_id)}", None)["silences"])

    # -- monitoring is the server's -----------------------------------------------------------------

    def start_monitoring(self) -> None:
        """Nothing: the server watches."""

    def stop_monitoring(self) -> None:
        """Nothing: the server watches."""

    def close(self) -> None:
        """Close this thread's connection."""
        self._drop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # -- inside -------------------------------------------------------------------------------------

    def _done(
        self, method: str, path: str, words: Mapping[str, Any] | None, *, patient: bool = True
    ) -> _Body:
        """The answer to what is done or decided, or what kept it away."""
        body = self._said(method, path, words, patient=patient)
        if not isinstance(body["durable"], bool):  # all that this server does or decides says it
            body.__missing__("durable")
        return body

    def _said(
        self, method: str, path: str, words: Mapping[str, Any] | None, *, patient: bool = True
    ) -> _Body:
        """An answer as it came; a view says nothing of the disk."""
        given = None if words is None else {k: v for k, v in words.items() if v is not None}
        try:
            body = None if given is None else json.dumps(given, default=_number).encode()
        except (TypeError, ValueError) as problem:
            raise InvalidRequest("WRONG_TYPE", "", f"it can't be written as JSON: {problem}") from None
        reply = self._answered(method, path, body, patient=patient)
        if reply.status < 300:
            return reply.body
        error = reply.body["error"]
        code, text = str(error["code"]), str(error.get("message", reply.status))
        if reply.status >= FAILED:
            raise Unanswered(code, text)
        raise InvalidRequest(code, str(error.get("field", "")), text)

    def _answered(self, method: str, path: str, body: bytes | None, *, patient: bool) -> _Reply:
        seconds = self._patience if patient else self._deadline
        ends = self._clock.monotonic() + seconds
        problem: Exception | None = None
        reply: _Reply | None = None
        for number in count() if patient else range(self._tries):
            if self._clock.monotonic() >= ends:
                break
            try:
                reply = self._tried(method, path, body, ends)
                if reply.status < FAILED:
                    return reply
            except (OSError, HTTPException, ValueError) as said:
                problem = said
                self._drop()
            pause = min(PAUSE * 2.0 ** min(number, 10), LONGEST_PAUSE)
            time.sleep(max(0.0, min(pause, ends - self._clock.monotonic())))
        if reply is not None:
            return reply
        kind = "no time was left" if problem is None else type(problem).__name__
        raise Unanswered("UNANSWERED", f"{self!r} did not answer in {seconds:g} s ({kind}); do not trade")

    def _tried(self, method: str, path: str, body: bytes | None, ends: float) -> _Reply:
        connection = self._connection(ends)
        headers = {"Authorization": f"Bearer {self._token}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        connection.request(method, self._parts.path.rstrip("/") + PREFIX + path, body, headers)
        answer = connection.getresponse()
        text = answer.read(LARGEST + 1)
        if len(text) > LARGEST:
            raise ValueError("the answer is too long")
        answer.close()  # read to its end: the connection is free for the next request
        if answer.will_close:
            self._drop()
        return _Reply(answer.status, _read(text, answer.status))

    def _connection(self, ends: float) -> HTTPConnection:
        """The connection of this thread, with what is left of the time."""

        def time_left() -> float:
            left = ends - self._clock.monotonic()
            if left <= 0.0:
                raise TimeoutError("the time is over")
            return left

        left = time_left()
        known: tuple[int, HTTPConnection] | None = getattr(self._mine, "known", None)
        if known is not None and known[0] == os.getpid():  # a forked child must not share its parent's
            connection = known[1]
            connection.timeout = left
            connection.response_class = partial(_TimedResponse, time_left)  # type: ignore[assignment]
            if connection.sock is not None:
                connection.sock.settimeout(left)
            return connection
        host, port = str(self._parts.hostname), self._parts.port
        if self._parts.scheme == "https":
            made: HTTPConnection = HTTPSConnection(
                host, port, timeout=left, context=ssl.create_default_context()
            )
        else:
            made = HTTPConnection(host, port, timeout=left)
        made.response_class = partial(_TimedResponse, time_left)  # type: ignore[assignment]
        self._mine.known = (os.getpid(), made)
        return made

    def _drop(self) -> None:
        known = getattr(self._mine, "known", None)
        self._mine.known = None
        if known is not None:
            known[1].close()


def _address(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        is_port = parts.port is None or parts.port > 0
    except (ValueError, AttributeError):
        return None
    # urlsplit drops line ends and blanks at the edges without a word
    is_clean = url.isascii() and url.isprintable() and " " not in url
    is_plain = is_clean and not (parts.username or parts.query or parts.fragment)
    is_whole = parts.scheme in ("http", "https") and bool(parts.hostname)
    return parts if is_whole and is_plain and is_port else None


def _seconds(name: str, value: object) -> float:
    if isinstance(value, int | float) and 0.0 < value <= LONGEST:
        return value
    raise ConfigurationError(f"{name} is in seconds, at most {LONGEST:g}; got {shown(value)}")


def _read(text: bytes, status: int) -> _Body:
    """An answer of the risk system; ValueError for one of anybody else, such as a proxy."""
    try:
        found = json.loads(text)
    except RecursionError:
        raise ValueError("the answer is too deep") from None
    if not isinstance(found, dict):
        raise ValueError("the answer is no JSON object")
    error = found.get("error")
    if status >= 300 and not (isinstance(error, dict) and isinstance(error.get("code"), str)):
        raise ValueError("the answer is not the risk system's")
    return _Body(found)


def _response(said: _Body, size: float, request_id: str) -> TradeResponse:
    """What was answered, where it answers this question."""
    reasons = said["rejection_reasons"]
    answer = TradeResponse(
        request_id=said["request_id"],
        approved=said["approved"] is True,
        recommended_size=said["recommended_size"],
        requested_size=said["requested_size"],
        rejection_reasons=tuple(map(str, reasons)) if isinstance(reasons, list) else (),
        explanation=said["explanation"],
        durable=said["durable"],
    )
    granted: Any = answer.recommended_size
    is_size = isinstance(granted, int | float) and 0.0 <= granted <= float(size) * (1.0 + 1e-9)
    if answer.request_id != request_id or not is_size or not isinstance(reasons, list):
        text = (
            f"the answer is none to this question: {answer.request_id!r:.80}, {granted!r:.40}; do not trade"
        )
        raise Unanswered("UNANSWERED", text)
    return answer


def _number(value: object) -> object:
    """A number of another library, such as numpy's, as Python's own."""
    if hasattr(value, "item") and not hasattr(value, "__len__"):
        return value.item()
    raise TypeError(f"{shown(value)} is no number or text")


def _quoted(name: object) -> str:
    if isinstance(name, str) and name:
        return quote(name, safe="", errors="replace")
    raise InvalidRequest("INVALID_NAME", "request_id", f"it is a text; got {shown(name)}")
