"""One pass from a request to its answer: split closing from opening, run all checks, find the size."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.budget import holds_budget
from risk_management.core.fills import ACCOUNT_WIDE
from risk_management.core.proposal import Proposal, propose
from risk_management.core.var_record import es_limit, var_limit
from risk_management.model.money import SCALE, TOLERANCE, to_ledger
from risk_management.model.portfolio import (
    PortfolioState,
    PositionKey,
    Reservation,
    TradingMode,
)
from risk_management.model.trade import Finding, TradeDecision, TradeRequest

__all__ = ["Judgement", "judge"]

logger = logging.getLogger(__name__)

Check = Callable[[Proposal], Finding]
DEFAULT_LOT = 1e-6
SHRINKS = 60


@dataclass(frozen=True, slots=True)
class Judgement:
    """A decision, the reservation that an approval takes, and the checks that failed.

    Parameters
    ----------
    decision : TradeDecision
    reservation : Reservation or None
        None for a refusal and for a plain question.
    failed_checks : tuple of str
        Names of checks that raised; each refused the opening part.
    """

    decision: TradeDecision
    reservation: Reservation | None
    failed_checks: tuple[str, ...]


def judge(
    state: PortfolioState,
    request: TradeRequest,
    config: RiskManagementConfig,
    checks: Iterable[tuple[str, Check]],
    now: datetime,
    digest: str,
) -> Judgement:
    """Judge a request against a state. Nothing is changed.

    Parameters
    ----------
    state : PortfolioState
    request : TradeRequest
    config : RiskManagementConfig
    checks : iterable of (str, callable)
        All checks; each is handed the proposal and returns a `Finding`.
    now : datetime
        Aware UTC.
    digest : str
        Digest of the configuration, kept in the decision.
    """
    proposal = propose(state, config, request, now)
    may_close = _may_close(state, request)
    closing = proposal.closing if may_close else 0.0
    findings, failed = _run(checks, proposal)
    opening, binding = _largest(proposal, findings) if proposal.opening > 0.0 else (0.0, None)
    reasons = _reasons(findings, binding, proposal.opening)
    if request.reduce_only and binding is not None:  # what else an opening would break is beside the point
        binding = next(f for f in findings if f.check == "mode")
        reasons = (binding.code,)
    if not may_close and proposal.closing > 0.0:
        binding = binding or next(f for f in findings if f.check == "mode")
        reasons = tuple(dict.fromkeys((binding.code, *reasons)))
    if opening <= TOLERANCE and not may_close:
        opening = 0.0  # what rounding left of a close that is refused opens nothing
        if not reasons:
            binding = next(f for f in findings if f.check == "mode")
            reasons = (binding.code,)
    if may_close:
        opening, binding, reasons, findings = _above_minimum(proposal, opening, binding, reasons, findings)
    size = closing + opening
    # a person's stop holds in shadow mode too
    shadow = config.shadow_mode and not state.is_stopped and size + TOLERANCE < request.size
    shadow_size = size
    if shadow:
        closing, opening = proposal.closing, proposal.opening
        size = request.size
    approved = size > 0.0
    valid_until = now + timedelta(seconds=config.order_config.reservation_life)
    quantity = size / proposal.unit_price if proposal.unit_price else None
    decision = TradeDecision(
        request_id=request.request_id,
        approved=approved,
        requested_size=request.size,
        recommended_size=size,
        closing_size=closing,
        opening_size=opening,
        symbol=request.symbol,
        action=request.action,
        strategy=request.strategy,
        bot_name=request.bot,
        findings=findings,
        rejection_reasons=reasons,
        notes=tuple(f for f in findings if f.check == "self_match" and f.measured > 0.0),
        binding=binding,
        price=proposal.quote.price if proposal.quote else None,
        quantity=quantity,
        decided_at=now,
        valid_until=valid_until,
        state_version=state.version,
        config_digest=digest,
        leans_on=state.model.matrix.leans_on((request.symbol,)),
        shadow=shadow,
        shadow_size=shadow_size if shadow else math.nan,
    )
    reservation = _reservation(proposal, decision, may_close) if approved and request.reserves else None
    return Judgement(decision, reservation, failed)


def _may_close(state: PortfolioState, request: TradeRequest) -> bool:
    """Closing passes but for a bot in HALTED; there the system and an operator close."""
    if not state.holds or request.bot in ACCOUNT_WIDE:
        return True
    bot = state.bots.get(request.bot)
    return not any(
        hold.mode is TradingMode.HALTED and hold.stands_over(request, bot) for hold in state.holds.values()
    )


def _run(
    checks: Iterable[tuple[str, Check]], proposal: Proposal
) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    """Run every check; one that raises refuses the opening part."""
    findings, failed = [], []
    for name, check in checks:
        try:
            finding = check(proposal)
            cap = finding.cap
            if not cap >= 0.0:  # NaN and negative caps are a check's mistake: fail closed
                raise ValueError(f"a cap must be 0 or more, got {cap!r}")
        except Exception:
            logger.exception("check %s failed; nothing new is opened", name)
            finding = Finding(name, "CHECK_ERROR", 0.0, subject=name)
            failed.append(name)
        findings.append(finding)
    return tuple(findings), tuple(failed)


def _largest(proposal: Proposal, findings: tuple[Finding, ...]) -> tuple[float, Finding | None]:
    """The largest opening that passes every check together, and the check that bound it."""
    binding = min(findings, key=lambda finding: finding.cap)
    asked = proposal.opening
    if binding.cap + TOLERANCE >= asked:
        return _in_lots(proposal, asked, cut=False), None
    size = _in_lots(proposal, binding.cap, cut=True)
    # VaR, ES and stress are measured once more at the size that the others left
    for _ in range(SHRINKS):
        if size <= 0.0 or _holds_at(proposal, size):
            break
        size = _in_lots(proposal, 0.5 * size, cut=True)
    return size, binding


def _holds_at(proposal: Proposal, size: float) -> bool:
    """Whether VaR and ES hold at a size below the ones they were measured at."""
    config = proposal.config
    (var, _), (_, es) = proposal.tail_after(size)
    (var_now, _), (_, es_now) = proposal.tail_now()
    state = proposal.state
    most_var = -math.inf if state.var_halted else var_limit(state, config) * proposal.equity
    most_es = es_limit(state, config) * proposal.equity
    if var > max(most_var, var_now) + 2 * TOLERANCE or es > max(most_es, es_now) + 2 * TOLERANCE:
        return False
    return state.budget is None or holds_budget(proposal, size, 2 * TOLERANCE)


def _in_lots(proposal: Proposal, size: float, *, cut: bool) -> float:
    """The size rounded toward zero to the instrument's lot; fractions of 1e-6 only when it is cut."""
    price, lot = proposal.unit_price, proposal.instrument.lot
    if price is None or (lot <= DEFAULT_LOT and not cut):
        return size
    # the tolerance forgives the division, never a part of a lot that somebody would miss
    return math.floor((size + TOLERANCE) / (price * lot)) * lot * price


def _reasons(findings: tuple[Finding, ...], binding: Finding | None, opening: float) -> tuple[str, ...]:
    if binding is None:
        return ()
    cuts = sorted((f for f in findings if f.cap + TOLERANCE < opening), key=lambda f: f.cap)
    return tuple(dict.fromkeys(f.code for f in cuts))


def _above_minimum(
    proposal: Proposal,
    opening: float,
    binding: Finding | None,
    reasons: tuple[str, ...],
    findings: tuple[Finding, ...],
) -> tuple[float, Finding | None, tuple[str, ...], tuple[Finding, ...]]:
    """Drop an opening part below the smallest trade, and say so unless it was refused anyway."""
    least = max(proposal.config.order_config.min_trade_size, proposal.instrument.min_notional)
    if proposal.opening <= 0.0 or opening + TOLERANCE >= least:
        return opening, binding, reasons, findings
    if proposal.closing > 0.0 and proposal.opening < least:
        return 0.0, None, (), findings  # dust beyond a close: whatever else is said of it, it opens nothing
    small = Finding("min_trade_size", "MIN_TRADE_SIZE", 0.0, opening, least)
    if binding is None or opening > 0.0:
        reasons = (*reasons, small.code)
    return 0.0, binding or small, reasons, (*findings, small)


def _reservation(proposal: Proposal, decision: TradeDecision, may_close: bool) -> Reservation:
    request = proposal.request
    price = proposal.unit_price
    opening = to_ledger(decision.opening_size)
    return Reservation(
        request_id=request.request_id,
        key=PositionKey(request.account_id, request.symbol, request.strategy, request.bot),
        side=request.side,
        opening=opening,
        closing=to_ledger(decision.closing_size),
        closing_quantity=proposal.closing_quantity if may_close else 0,
        approved=to_ledger(decision.recommended_size),
        filled=0,
        price=price,
        created_at=decision.decided_at,
        valid_until=decision.valid_until,
        quantity=round(decision.recommended_size / price * SCALE) if price else None,
        risk=int(opening * proposal.risk_rate),
        stop_risk=_stop_risk(request, opening),
    )


def _stop_risk(request: TradeRequest, opening: int) -> int:
    """The stop's loss in proportion to what is opened, never more than all of it."""
    if request.risk_amount is None:
        return 0
    return min(opening, round(opening * request.risk_amount / request.size))
