"""A trade from request to answer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple

__all__ = ["Action", "Execution", "Finding", "PaperTrade", "TradeDecision", "TradeRequest", "rounded"]

Action = Literal["buy", "sell"]


@dataclass(frozen=True, slots=True)
class TradeRequest:
    """A validated request.

    Parameters
    ----------
    request_id : str
    symbol : str
    side : int
        +1 to buy, -1 to sell.
    size : float
        Money in the base currency, above 0.
    strategy : str
    bot : str
        Name of the bot, or `OPERATOR`.
    account_id : str
    confidence : float
        0 to 1.
    limit_price : float or None
        In the instrument's currency.
    risk_amount : float or None
        Money lost if the stop of the new position is hit.
    requested_at : datetime
    reserves : bool
        Whether an approval reserves; plain questions do not.
    reduce_only : bool
        Whether it may close alone.
    """

    request_id: str
    symbol: str
    side: int
    size: float
    strategy: str
    bot: str
    account_id: str
    confidence: float
    limit_price: float | None
    risk_amount: float | None
    requested_at: datetime
    reserves: bool
    reduce_only: bool = False

    @property
    def action(self) -> Action:
        """``buy`` or ``sell``."""
        return "buy" if self.side > 0 else "sell"


_FLOORS: Final = frozenset({"CASH_LIMIT", "LOW_CONFIDENCE", "MIN_TRADE_SIZE"})
"""Codes whose limit must not be fallen short of."""
_APART: Final = frozenset({"DRAWDOWN_LIMIT", "DUPLICATE_INTENT", "SCALED_DOWN", "SELF_MATCH"})
"""Codes that measure one thing and limit another."""


class Finding(NamedTuple):
    """What one check measured.

    Parameters
    ----------
    check : str
        Name of the check.
    code : str
        Stable code of a refusal or cut by this check.
    cap : float
        Largest opening size that this check allows, money; infinite where it allows all.
    measured : float
        What was measured at the requested size; NaN where there is nothing to measure.
    limit : float
        What it was held against.
    unit : str
        ``money``, ``fraction``, ``score``, ``count``, ``seconds`` or ``price``.
    subject : str
        The symbol, sector, bot, scenario or cause that is meant.
    """

    check: str
    code: str
    cap: float = math.inf
    measured: float = math.nan
    limit: float = math.nan
    unit: str = "money"
    subject: str = ""

    @property
    def room(self) -> float:
        """What is left until the limit, in the finding's unit; NaN where the two don't compare."""
        if self.code in _FLOORS:
            return self.measured - self.limit
        return math.nan if self.code in _APART else self.limit - self.measured

    @property
    def message(self) -> str:
        """One sentence with the numbers compared; written only when somebody reads it."""
        from risk_management.model.explain import sentence  # noqa: PLC0415 - texts are read late

        return sentence(self)


@dataclass(frozen=True, slots=True)
class TradeDecision:
    """The answer to a request.

    Parameters
    ----------
    request_id : str
    approved : bool
    requested_size : float
        Money asked for.
    recommended_size : float
        Money approved; 0 when refused.
    closing_size, opening_size : float
        How `recommended_size` splits into reducing the owner's position and new exposure.
    symbol, action, strategy, bot_name : str
    findings : tuple of Finding
        What every check measured.
    rejection_reasons : tuple of str
        Codes of all checks that refused or cut, the binding one first.
    notes : tuple of Finding
        Seen and reported, without effect on the size.
    binding : Finding or None
        The check that set the size, None when all was approved.
    price : float or None
        Our own price at the decision.
    quantity : float or None
        Units approved, None without a price.
    decided_at, valid_until : datetime
    state_version : int
    config_digest : str
    leans_on : tuple of str
        What the numbers lean on: sample data, proxies, stand-ins.
    shadow : bool
        Shadow mode: approved although the checks said otherwise.
    shadow_size : float
        What would have been approved.
    durable : bool
        False where it was given while the store could not be written: a restart may not know it.
    """

    request_id: str
    approved: bool
    requested_size: float
    recommended_size: float
    closing_size: float
    opening_size: float
    symbol: str
    action: Action
    strategy: str
    bot_name: str
    findings: tuple[Finding, ...]
    rejection_reasons: tuple[str, ...]
    notes: tuple[Finding, ...]
    binding: Finding | None
    price: float | None
    quantity: float | None
    decided_at: datetime
    valid_until: datetime
    state_version: int
    config_digest: str
    leans_on: tuple[str, ...] = ()
    shadow: bool = False
    shadow_size: float = math.nan
    durable: bool = True

    @property
    def outcome(self) -> Literal["approved", "cut", "refused"]:
        """``approved`` in full, ``cut`` to a size, or ``refused``."""
        if not self.approved:
            return "refused"
        return "cut" if self.rejection_reasons and not self.shadow else "approved"

    @property
    def room(self) -> Mapping[str, float]:
        """What is left under each limit that was measured, by check, at the size of its finding."""
        return {f.check: f.room for f in self.findings if not math.isnan(f.room)}

    def passed(self, finding: Finding) -> bool:
        """Whether a finding was no reason to refuse or cut."""
        return finding.code not in self.rejection_reasons

    def says(self, finding: Finding) -> str:
        """A finding in one line: why it refused or cut, or what it measured where it passed."""
        from risk_management.model.explain import passing  # noqa: PLC0415 - texts are read late

        return passing(finding) if self.passed(finding) else finding.message

    def explain(self) -> str:
        """The decision in a few lines for a person."""
        from risk_management.model.explain import explanation  # noqa: PLC0415 - texts are read late

        return explanation(self)

    def __str__(self) -> str:
        return self.explain()

    def _repr_html_(self) -> str:
        from risk_management.model.explain import decision_card  # noqa: PLC0415 - texts are read late

        return decision_card(self)


def rounded(record: Any) -> str:
    """A record as people read it: the noise of binary fractions is not shown; the values keep it."""
    shown = (f"{one.name}={_shown(getattr(record, one.name))}" for one in fields(record) if one.repr)
    return f"{type(record).__name__}({', '.join(shown)})"


def _shown(value: object) -> str:
    if not isinstance(value, float) or not math.isfinite(value):
        return repr(value)
    return repr(round(value, 4)) if abs(value) >= 1.0 else f"{value:.6g}"


@dataclass(frozen=True, slots=True)
class Execution:
    """What a fill report did.

    Parameters
    ----------
    request_id, execution_id : str
    booked : float
        Money booked, 0 for a repeated report.
    quantity : float
        Units booked.
    remaining : float
        Money of the approval that is still open.
    duplicate : bool
        The report had been booked before.
    flags : tuple of str
        ``OVERFILL``, ``LATE_FILL``, ``UNAPPROVED_FILL``.
    durable : bool
        False where it was booked while the store could not be written.
    """

    request_id: str
    execution_id: str
    booked: float
    quantity: float
    remaining: float
    duplicate: bool = False
    flags: tuple[str, ...] = ()
    durable: bool = True

    def __repr__(self) -> str:
        return rounded(self)


@dataclass(frozen=True, slots=True)
class PaperTrade:
    """What became so far of an approval that was sent to the paper account. Its fills are booked already.

    Parameters
    ----------
    request_id : str
    status : str
        ``accepted``, ``partial``, ``filled`` or ``cancelled``.
    quantity : float
        Units ordered.
    executed_quantity : float
        Units filled.
    executed_price : float or None
        Average of what was filled.
    fee : float
        Money.
    reason : str
        Why it was cancelled.
    """

    request_id: str
    status: str
    quantity: float
    executed_quantity: float
    executed_price: float | None
    fee: float
    reason: str = ""

    def __repr__(self) -> str:
        return rounded(self)
