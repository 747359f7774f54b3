"""Drawdown protection: how far the book stands below its mark, and what may still be opened there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from risk_management.config.risk_config import DrawdownConfig, RiskManagementConfig
from risk_management.core.drawdown import TIER_TOLERANCE
from risk_management.core.entry import checked_number
from risk_management.core.front import Front
from risk_management.errors import InvalidRequest, shown
from risk_management.model.drawdown import DrawdownState, Recovery
from risk_management.model.events import CashKind, CashMoved, EquityReported
from risk_management.model.money import to_ledger
from risk_management.model.portfolio import OPERATOR, PortfolioState

__all__ = ["DrawdownProtection", "DrawdownRecord", "DrawdownStatus", "SpanLoss", "drawdown_status"]


@dataclass(frozen=True, slots=True)
class DrawdownRecord:
    """How far equity stands below its high-water mark.

    Parameters
    ----------
    drawdown_percentage : float
        Fraction below the mark, 0 to 1; deposits and withdrawals don't change it.
    drawdown_amount : float
        The same in money, 0 or above.
    peak_value, current_value : float
        The mark and the last equity that was believed, in money, for the units outstanding now.
    peak_at : datetime
        When the mark was set.
    days_under_water : int
        Trading days since then.
    """

    drawdown_percentage: float
    drawdown_amount: float
    peak_value: float
    current_value: float
    peak_at: datetime
    days_under_water: int


@dataclass(frozen=True, slots=True)
class SpanLoss:
    """The loss over a span of days beside its limit.

    Parameters
    ----------
    loss : float
        Fraction of equity at the start of the span; negative for a gain.
    limit : float
        Fraction.
    breached : bool
        The loss has reached the limit.
    """

    loss: float
    limit: float
    breached: bool


@dataclass(frozen=True, slots=True)
class DrawdownStatus:
    """Drawdown, its tier, and the losses over calendar spans.

    Parameters
    ----------
    current_drawdown : DrawdownRecord
    position_size_multiplier : float
        Share of its size that a new position may have, 0 to 1.
    tier : int
        0 above the first tier, counted on from there.
    tier_name : str
        ``normal``, ``tier 1`` and so on, ``stopped``, or ``recovery`` while a tranche runs.
    next_tier_at : float or None
        Drawdown at which the next tier begins; None in the last.
    new_positions_allowed : bool
        The multiplier is above 0, no span's loss is breached and no report is in quarantine.
    daily_loss, weekly_loss, rolling_loss : SpanLoss
    recovery : Recovery or None
        The tranche that may be traded after a stop.
    quarantined : bool
        A report was not believed and waits for a second one.
    quarantined_value : float or None
        That report, money.
    """

    current_drawdown: DrawdownRecord
    position_size_multiplier: float
    tier: int
    tier_name: str
    next_tier_at: float | None
    new_positions_allowed: bool
    daily_loss: SpanLoss
    weekly_loss: SpanLoss
    rolling_loss: SpanLoss
    recovery: Recovery | None
    quarantined: bool
    quarantined_value: float | None

    def explain(self) -> str:
        """The status in a few sentences."""
        now = self.current_drawdown
        said = [
            f"{now.drawdown_percentage:.1%} ({now.drawdown_amount:,.2f}) below the mark of "
            f"{now.peak_value:,.2f}, for {now.days_under_water} trading days: {self.tier_name}, "
            f"new positions at {self.position_size_multiplier:.0%} of their size."
        ]
        if self.next_tier_at is not None:
            said.append(f"The next tier begins at {self.next_tier_at:.1%}.")
        spans = {"day": self.daily_loss, "week": self.weekly_loss, "rolling span": self.rolling_loss}
        said += [
            f"The loss of the {name} is {span.loss:.1%}, its limit {span.limit:.1%}: nothing is opened."
            for name, span in spans.items()
            if span.breached
        ]
        if self.quarantined_value is not None:
            said.append(
                f"A report of {self.quarantined_value:,.2f} is more than any fill, cash or price explains: "
                f"{now.current_value:,.2f} stands and nothing is opened until a second report confirms it."
            )
        return " ".join(said)


def drawdown_status(state: PortfolioState, config: RiskManagementConfig) -> DrawdownStatus:
    """What the drawdown rules say of a state."""
    memory, settings = state.drawdown, config.drawdown_config
    daily = _span(memory.daily_loss, settings.daily_loss_limit)
    weekly = _span(memory.weekly_loss, settings.weekly_loss_limit)
    rolling = _span(memory.rolling_loss(settings.rolling_days), settings.rolling_loss_limit)
    multiplier = memory.effective_multiplier
    quarantined = memory.quarantined is not None
    breached = daily.breached or weekly.breached or rolling.breached
    tier = sum(share >= memory.multiplier for _, share in settings.tier_levels())
    return DrawdownStatus(
        current_drawdown=_record(memory),
        position_size_multiplier=multiplier,
        tier=tier,
        tier_name=_tier_name(memory, tier),
        next_tier_at=_next_tier(settings, tier),
        new_positions_allowed=multiplier > 0.0 and not breached and not quarantined,
        daily_loss=daily,
        weekly_loss=weekly,
        rolling_loss=rolling,
        recovery=memory.recovery,
        quarantined=quarantined,
        quarantined_value=memory.quarantined,
    )


def _record(memory: DrawdownState) -> DrawdownRecord:
    peak, value = memory.high_water_mark, memory.value * memory.units
    return DrawdownRecord(
        drawdown_percentage=memory.drawdown,
        drawdown_amount=max(0.0, peak - value),
        peak_value=peak,
        current_value=value,
        peak_at=memory.peak_at,
        days_under_water=memory.under_water_days,
    )


def _span(loss: float, limit: float) -> SpanLoss:
    return SpanLoss(loss, limit, loss >= limit - TIER_TOLERANCE)


def _tier_name(memory: DrawdownState, tier: int) -> str:
    if tier == 0:
        return "normal"
    if memory.multiplier > 0.0:
        return f"tier {tier}"
    return "stopped" if memory.recovery is None else "recovery"


def _next_tier(settings: DrawdownConfig, tier: int) -> float | None:
    levels = settings.tier_levels()
    return levels[tier][0] if tier < len(levels) else None


class DrawdownProtection(Front):
    """Follows equity from its high-water mark and says how large a new position may be.

    The mark starts at `config.portfolio_value` and moves with profit only. The multiplier falls in
    tiers and comes back `hysteresis` later than it fell.
    """

    def update_portfolio_value(
        self, value: float, *, at: datetime | None = None, confirmed: bool = False
    ) -> DrawdownStatus:
        """Take in what the book is worth now.

        Parameters
        ----------
        value : float
            Equity in money, above 0.
        at : datetime, optional
            Aware moment of the report; the clock's now by default.
        confirmed : bool
            Believe it although it jumps by more than `quarantine_jump`. Without it such a report is
            kept aside until a second one of about its size comes.

        Raises
        ------
        InvalidRequest
            For anything but a positive finite number, or a naive time; nothing is changed.
        SharedBookError
            On a front that the manager made.
        """
        book = self._own_book("update_prices")
        with book.lock:
            report = EquityReported(self._moment(at), OPERATOR, checked_number(value, "value"))
            state = book.apply(report)
            if confirmed and state.drawdown.quarantined is not None:
                # a confirmation is the second report that the rules wait for
                state = book.apply(report)
            return drawdown_status(state, self.config)

    def record_flow(self, amount: float, *, at: datetime | None = None) -> DrawdownStatus:
        """Take in a deposit (positive) or a withdrawal: it changes units, never the drawdown.

        Raises
        ------
        InvalidRequest
            For a number that means nothing, or a withdrawal of all there is; nothing is changed.
        SharedBookError
            On a front that the manager made.
        """
        book = self._own_book("record_cash")
        with book.lock:
            money, now = checked_number(amount, "amount", signed=True), self._moment(at)
            worth = drawdown_status(book.state, self.config).current_drawdown.current_value
            if money <= -worth:
                raise InvalidRequest(
                    "OUT_OF_RANGE",
                    "amount",
                    f"a withdrawal must leave some of the {worth:,.2f} there is",
                )
            kind = CashKind.DEPOSIT if money > 0.0 else CashKind.WITHDRAWAL
            account = next(iter(book.state.accounts))
            state = book.apply(CashMoved(now, OPERATOR, account, kind, to_ledger(money)))
            return drawdown_status(state, self.config)

    def status(self) -> DrawdownStatus:
        """The drawdown as it stands; nothing is changed."""
        return drawdown_status(self.state, self.config)

    def _moment(self, at: object) -> datetime:
        if at is None:
            return self._now()
        if not isinstance(at, datetime) or at.tzinfo is None:
            raise InvalidRequest("NAIVE_TIME", "at", f"a time needs a zone, such as UTC; got {shown(at)}")
        return at.astimezone(UTC)
