"""What a VaR report says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from risk_management.model.explain import amount
from risk_management.model.html import card

__all__ = ["RiskComponent", "VaRResult", "VaRSummary"]


@dataclass(frozen=True, slots=True)
class VaRResult:
    """VaR and ES of the book by one method, from one P&L vector or one fitted law.

    Parameters
    ----------
    var_value, es_value : float
        Losses in money, positive; a negative one is a gain even in the tail. NaN where unavailable.
    var_pct, es_pct : float
        The same as fractions of equity; NaN where equity is unknown or not above 0.
    method : str
    confidence : float
    horizon : int
        Trading days.
    window : int
        Daily returns looked at.
    observations : int
        Rows that the figure rests on; fewer than `window` where returns overlap.
    coverage : float
        Share of the gross exposure whose returns are the names' own or a declared proxy's, 0 to 1.
    horizon_rule : str
        ``one_day``, ``overlapping`` or ``square_root_of_time``.
    standard_error : float or None
        Of `var_value`, money; simulations only.
    status : str
        ``ok``, or ``unavailable`` with the reason in `note`.
    note : str
    leans_on : tuple of str
    """

    var_value: float
    es_value: float
    var_pct: float
    es_pct: float
    method: str
    confidence: float
    horizon: int
    window: int
    observations: int
    coverage: float
    horizon_rule: str
    standard_error: float | None
    status: str
    note: str
    leans_on: tuple[str, ...]

    @property
    def key(self) -> str:
        """Its name in a summary, such as ``historical_0.95_1d``."""
        return f"{self.method}_{self.confidence:g}_{self.horizon}d"

    def _repr_html_(self) -> str:
        return _card(f"VaR by {self.method.replace('_', ' ')}", [self], [], self.leans_on)


@dataclass(frozen=True, slots=True)
class RiskComponent:
    """The share of one symbol, strategy, bot or sector in the headline; the shares of all add up to it.

    Parameters
    ----------
    name : str
    exposure : float
        Net, money.
    component_var, component_es : float
        Money; negative for a hedge.
    share : float
        Of the VaR; NaN where that is 0.
    marginal_var : float
        VaR that one more unit of money adds; NaN for a strategy that is flat.
    incremental_var : float
        VaR that is there because of it: of the book less that of the book without it. They do not add up.
    """

    name: str
    exposure: float
    component_var: float
    component_es: float
    share: float
    marginal_var: float
    incremental_var: float


@dataclass(frozen=True, slots=True)
class VaRSummary:
    """All figures of one report, on one state.

    Parameters
    ----------
    total_var : Mapping of str to VaRResult
        By ``method_confidence_horizon``, such as ``historical_0.95_1d``.
    headline : VaRResult
        Default method, 95 %, one day: what is held.
    worst : VaRResult
        The same with every approved and unfilled order at its worst; the headline itself without any.
    limit : float
        Fraction of equity.
    utilization : float
        `worst` over the limit: what the gate looks at.
    by_symbol, by_strategy, by_bot, by_sector : Mapping of str to RiskComponent
        Shares of the headline; empty where it is unavailable.
    portfolio_value : float
        Equity in money; NaN while a position has no price.
    pending : int
        Approvals that are not filled.
    as_of : datetime
        Of the last return.
    state_version : int
    notes, leans_on : tuple of str
    """

    total_var: Mapping[str, VaRResult]
    headline: VaRResult
    worst: VaRResult
    limit: float
    utilization: float
    by_symbol: Mapping[str, RiskComponent]
    by_strategy: Mapping[str, RiskComponent]
    by_bot: Mapping[str, RiskComponent]
    by_sector: Mapping[str, RiskComponent]
    portfolio_value: float
    pending: int
    as_of: datetime
    state_version: int
    notes: tuple[str, ...]
    leans_on: tuple[str, ...]

    def explain(self) -> str:
        """The report in a few lines for a person."""
        head = self.headline
        if head.status != "ok":
            lines = [f"The VaR by {head.method} is unavailable: {head.note}."]
        else:
            lines = [
                f"On 95 of 100 days the book loses less than {head.var_value:,.2f} "
                f"({head.var_pct:.2%} of equity); on the worse ones {head.es_value:,.2f} on average.",
                f"By {head.method} over {head.window} days; "
                f"limit {self.limit:.2%}, used {self.utilization:.0%}.",
            ]
        if self.worst is not self.headline:
            lines.append(
                f"With {self.pending} approved orders at their worst: {self.worst.var_value:,.2f} "
                f"({self.worst.var_pct:.2%})."
            )
        for part in sorted(self.by_symbol.values(), key=lambda p: -p.component_var)[:3]:
            lines.append(f"  {part.name} {part.component_var:z,.2f} ({part.share:z.0%} of it).")
        lines += [f"  {note}." for note in self.notes]
        if self.leans_on:
            lines.append("Leans on: " + "; ".join(said.rstrip(".") for said in self.leans_on) + ".")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        first, *_ = self.explain().splitlines()
        mark = "bad" if self.utilization > 1.0 else ""
        notes = [f"The limit is {self.limit:.2%} of equity, used {self.utilization:.0%}.", *self.notes]
        return _card(first, list(self.total_var.values()), notes, self.leans_on, mark)


def _card(
    title: str, results: list[VaRResult], notes: list[str], leans_on: tuple[str, ...], mark: str = ""
) -> str:
    rows = [
        (
            result.method.replace("_", " "),
            f"{result.confidence:.1%}",
            f"{result.horizon} d",
            amount(result.var_value, "money"),
            amount(result.var_pct, "fraction"),
            amount(result.es_value, "money"),
            amount(result.es_pct, "fraction"),
        )
        for result in results
    ]
    heads = ("method", "confidence", "horizon", "VaR", "of equity", "ES", "of equity")
    said = [*notes, *(f"Leans on: {text}" for text in leans_on)]
    return card(title, heads, rows, mark=mark, notes=said)
