"""Ask a risk system in another process. Needs nothing but the standard library.

A request that gets no answer in time is refused: who does not know must not trade.
"""

from __future__ import annotations

import logging
import secrets
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from datetime import datetime
from types import TracebackType
from typing import Any, Final, Self

from risk_management.errors import Unanswered
from risk_management.integration.client_transport import DEADLINE, Said, Transport, Tried, quoted
from risk_management.integration.trade_response import TradeResponse
from risk_management.model.money import to_ledger
from risk_management.model.reconciliation import Break, Reconciliation
from risk_management.model.trade import Execution, PaperTrade

__all__ = ["RiskClient"]

logger = logging.getLogger(__name__)

MOST_DRAWN: Final = 1000
_DRAWN: Final[OrderedDict[str, str]] = OrderedDict()
"""Execution ids of reports of this process that ended an approval and came without one."""


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
        Seconds for all else: reports, cancels and stops, which must not be lost, facts of the account, views.
    tries : int
        Of a question that found a server, at most; each with the same id, so that nothing is done twice.
        While connections are refused, as in a restart, it goes on within the deadline. Reports, cancels and
        stops are tried until their time is over. Prices, equity, cash and a broker's positions are sent once:
        told twice, the first would count as confirmed, or be booked again.

    Raises
    ------
    ConfigurationError
        The address or the token can't be used.
    """

    def __init__(
        self, url: str, token: str, *, deadline: float = DEADLINE, patience: float = 5.0, tries: int = 3
    ) -> None:
        self._line = Transport(url, token, deadline=deadline, patience=patience, tries=tries)

    def __repr__(self) -> str:
        return f"RiskClient({self._line.where})"

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
            said = self._line.done("POST", "/trades", words, Tried.QUESTION)
            return _response(said, size, str(chosen))
        except Unanswered as problem:
            logger.error("a request of %.60r got no answer: %s", bot_name, problem)
            return TradeResponse.not_judged(size, problem.code, str(problem), str(chosen))

    def what_if(  # noqa: PLR0913 - the words of an order
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
    ) -> dict[str, Any]:
        """What `request_trade` would say now, with all that was measured; nothing is reserved.

        Nothing may be traded on it. What it says is that of ``POST what-if``: `approved`, `recommended_size`,
        `rejection_reasons`, `explanation`, `findings`.

        Raises
        ------
        Unanswered
            Within the deadline.
        InvalidRequest
            Malformed, or the token does not reach that far.
        """
        words = {
            "bot_name": bot_name,
            "symbol": symbol,
            "action": action,
            "size": size,
            "confidence": confidence,
            "strategy": strategy,
            "price": price,
            "risk_amount": risk_amount,
            "request_id": request_id,
            "account_id": account_id,
            "reduce_only": reduce_only,
        }
        return self._line.done("POST", "/what-if", words, Tried.QUESTION)

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
        words = {
            "executed_size": executed_size,
            "executed_price": executed_price,
            "success": success,
            "final": final,
            "executed_quantity": executed_quantity,
            "fee": fee,
            "environment": environment,
        }
        fact = f"{self._line.where} {request_id} {[_same(value) for value in words.values()]}"
        chosen = execution_id if execution_id is not None else _DRAWN.get(fact) or secrets.token_hex(9)
        words["execution_id"] = chosen
        try:
            said = self._line.done("POST", f"/trades/{quoted(request_id)}/executions", words)
        except Unanswered as problem:
            raise Unanswered(problem.code, f"{problem}; report it again as execution {chosen}") from None
        if execution_id is None and said["remaining"] == 0.0:  # the same again is a repetition
            _DRAWN[fact] = chosen
            if len(_DRAWN) > MOST_DRAWN:
                _DRAWN.popitem(last=False)
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
        said = self._line.done("POST", f"/trades/{quoted(request_id)}/paper", {})
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
        self._line.done("DELETE", f"/trades/{quoted(request_id)}")

    def why(self, request_id: str) -> dict[str, Any]:
        """A decision with all that was measured, and what became of it."""
        return self._line.done("GET", f"/trades/{quoted(request_id)}")

    # -- bots ---------------------------------------------------------------------------------------

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
        return self._line.done("PUT", f"/bots/{quoted(bot_name, 'bot_name')}", words)

    def disable_bot(self, bot_name: str, reason: str = "") -> tuple[str, ...]:
        """Stop a bot's entries; its exits pass. Returns its open approvals, which are cancelled."""
        path = f"/bots/{quoted(bot_name, 'bot_name')}/disable"
        return tuple(self._line.done("POST", path, {"reason": reason})["cancelled"])

    def enable_bot(self, bot_name: str) -> None:
        """Let a bot open positions again."""
        self._line.done("POST", f"/bots/{quoted(bot_name, 'bot_name')}/enable", {})

    # -- the account --------------------------------------------------------------------------------

    def update_prices(
        self,
        prices: Mapping[str, float],
        *,
        at: datetime | None = None,
        source: str = "",
        daily: bool = False,
    ) -> dict[str, Any]:
        """Push prices; takes an operator's token. They are sent once: a second time would confirm a jump.

        Parameters
        ----------
        prices : Mapping of str to float
            In each instrument's currency, above 0.
        at : datetime, optional
            Aware time of the prices, by default now; one in the future is refused, and a price older than
            the known one ignored.
        source : str
            By default the name of the token.
        daily : bool
            Daily closes, whose age is counted in days.

        Returns
        -------
        dict
            Symbols: `accepted`, `ignored` and `quarantined`, a jump that a second price must confirm.

        Raises
        ------
        Unanswered
            Whether they were taken is not known; the next prices say it anew.
        InvalidRequest
            Nothing was changed.
        """
        words = {"prices": dict(prices), "at": at, "source": source, "daily": daily}
        return self._line.done("POST", "/prices", words, Tried.ONCE)

    def report_equity(self, equity: float, *, confirmed: bool = False) -> bool:
        """What the account is worth by its broker, in money; see `AdvancedRiskManager.report_equity`.

        It is sent once: a second report would confirm the first. Takes an operator's token.

        Returns
        -------
        bool
            Whether it is believed; else nothing opens until a second report of about its size comes.

        Raises
        ------
        Unanswered
            Whether it was taken is not known: look at the `equity` and `holds` of `state` first.
        InvalidRequest
            Nothing was changed.
        """
        words = {"equity": equity, "confirmed": confirmed}
        return bool(self._line.done("POST", "/equity", words, Tried.ONCE)["status"] == "ACCEPTED")

    def record_cash(
        self, kind: str, amount: float, *, account_id: str | None = None, symbol: str = ""
    ) -> dict[str, Any]:
        """Book cash that came (positive) or went (negative); see `AdvancedRiskManager.record_cash`.

        It is sent once, as each call is booked. Takes an operator's token.

        Returns
        -------
        dict
            `cash` of that account and `equity` of the book, after it.

        Raises
        ------
        Unanswered
            Whether it was booked is not known: look at the `accounts` of `state` before it is told again.
        InvalidRequest
            Nothing was changed.
        """
        words = {"kind": kind, "amount": amount, "account_id": account_id, "symbol": symbol or None}
        return self._line.done("POST", "/cash-flows", words, Tried.ONCE)

    def reconcile(
        self,
        positions: Mapping[str, float],
        *,
        cash: float | None = None,
        open_orders: Iterable[str] | None = None,
        prices: Mapping[str, float] | None = None,
        account_id: str | None = None,
        settle: bool = False,
    ) -> Reconciliation:
        """Hold the account against what its broker says; see `AdvancedRiskManager.reconcile`.

        It is sent once: a second report that says the same would book what waits for it. Takes an operator's
        token.

        Raises
        ------
        Unanswered
            Whether it was taken is not known: the next comparison counts as the second one, if it was.
        InvalidRequest
            Nothing was changed.
        """
        words = {
            "positions": dict(positions),
            "cash": cash,
            "open_orders": None if open_orders is None else list(open_orders),
            "prices": None if prices is None else dict(prices),
            "account_id": account_id,
            "settle": settle,
        }
        said = self._line.done("POST", "/positions", words, Tried.ONCE)
        return Reconciliation(
            said["account_id"],
            _breaks(said["breaks"]),
            _breaks(said["adopted"]),
            tuple(said["awaited"]),
            tuple(said["settled"]),
            _breaks(said["tolerated"]),
            tuple(said["lacking"]),
        )

    def state(self) -> dict[str, Any]:
        """Positions, approvals, bots, holds, cash and equity, as ``GET state`` has them."""
        return self._line.done("GET", "/state")

    def limits(self) -> dict[str, Any]:
        """Use, warning, limit and room of every limit, and of each bot's, as ``GET limits`` has them."""
        said = self._line.said("GET", "/limits")
        said["limits"]  # who has none is not the risk system
        return said

    # -- stops --------------------------------------------------------------------------------------

    def emergency_stop_all(self, reason: str) -> bool:
        """Stop all trading; a person releases it. Returns whether it is on disk."""
        return self._line.done("POST", "/emergency-stop", {"reason": reason})["durable"] is True

    def heartbeat(self, name: str, kind: str = "bot") -> None:
        """A bot lives, also while it asks nothing; with an operator's token a feed or an engine."""
        self._line.done("POST", "/heartbeat", {"kind": kind, "name": name})

    def forget_heartbeat(self, name: str, reason: str, kind: str = "feed") -> bool:
        """Wait no longer for a feed or an engine that is gone; returns whether anybody did."""
        words = {"kind": kind, "name": name, "reason": reason}
        return self._line.done("POST", "/heartbeat/forget", words)["forgotten"] is True

    def plan_liquidation(self, scope: str = "everything") -> dict[str, Any]:
        """How a part of the book would be closed; nothing is sent."""
        return self._line.done("POST", "/liquidation/plan", {"scope": scope})

    def liquidate(self, scope: str, plan_id: str, reason: str) -> dict[str, Any]:
        """Close a part of the book by a plan that was seen; takes an operator's token."""
        words = {"scope": scope, "plan_id": plan_id, "reason": reason}
        return self._line.done("POST", "/liquidation", words)

    def end_liquidation(self, liquidation_id: str, reason: str) -> dict[str, Any]:
        """End a liquidation; takes an operator's token.

        What works is cancelled first: `ended_at` is None until then. What is held stays.
        """
        return self._line.done(
            "DELETE", f"/liquidation/{quoted(liquidation_id, 'liquidation_id')}", {"reason": reason}
        )

    def liquidations(self) -> list[dict[str, Any]]:
        """Those that go on, and the newest that have ended."""
        return list(self._line.done("GET", "/liquidation")["liquidations"])

    def release_emergency(self, actor: str, reason: str) -> tuple[str, ...]:
        """End every latched stop; returns what was released. The journal names the token as well."""
        words = {"reason": f"{actor}: {reason}"}
        return tuple(self._line.done("POST", "/emergency-release", words)["released"])

    # -- alerts -------------------------------------------------------------------------------------

    def alerts(self) -> list[dict[str, Any]]:
        """Those that are active, the gravest first."""
        return list(self._line.said("GET", "/alerts")["active"])

    def acknowledge_alert(self, alert_id: str, comment: str = "") -> dict[str, Any]:
        """Take an active alert on, in the name of the token: it repeats and escalates no more."""
        words = {"comment": comment}
        alert: dict[str, Any] = self._line.done(
            "POST", f"/alerts/{quoted(alert_id, 'alert_id')}/acknowledge", words
        )["alert"]
        return alert

    def resolve_alert(self, alert_id: str, comment: str = "") -> dict[str, Any]:
        """End an alert that was raised and is over, in the name of the token."""
        words = {"comment": comment}
        alert: dict[str, Any] = self._line.done(
            "POST", f"/alerts/{quoted(alert_id, 'alert_id')}/resolve", words
        )["alert"]
        return alert

    def silences(self) -> list[dict[str, Any]]:
        """Those that stand, the one that ends first first."""
        return list(self._line.done("GET", "/silences")["silences"])

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
        """Tell nobody of what matches all that is named, for a while; returns the silences that stand.

        It is sent once: asked again it would be a second one.
        """
        words = {
            "seconds": seconds,
            "reason": reason,
            "rule_id": rule_id,
            "alert_type": alert_type,
            "bot": bot,
            "symbol": symbol,
        }
        return list(self._line.done("POST", "/silences", words, Tried.ONCE)["silences"])

    def end_silence(self, silence_id: str) -> list[dict[str, Any]]:
        """End a silence before its time; returns those that still stand."""
        return list(self._line.done("DELETE", f"/silences/{quoted(silence_id, 'silence_id')}")["silences"])

    # -- monitoring is the server's -----------------------------------------------------------------

    def start_monitoring(self) -> None:
        """Nothing: the server watches."""

    def stop_monitoring(self) -> None:
        """Nothing: the server watches."""

    def close(self) -> None:
        """Close this thread's connection."""
        self._line.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _breaks(told: list[dict[str, Any]]) -> tuple[Break, ...]:
    """Differences as the library has them: ledger integers."""
    return tuple(
        Break(
            one["kind"],
            one["subject"],
            to_ledger(one["ours"]),
            to_ledger(one["broker"]),
            datetime.fromisoformat(one["since"]),
        )
        for one in told
    )


def _same(value: Any) -> object:
    """A number of any type as a float: 60 is 60.0, and numpy's too."""
    try:
        return value if value is None or isinstance(value, str) else float(value)
    except (TypeError, ValueError, OverflowError):
        return value  # refused where it is written


def _response(said: Said, size: float, request_id: str) -> TradeResponse:
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
