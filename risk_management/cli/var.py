"""``risk var``: value at risk and expected shortfall by every method."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from risk_management.cli._options import BREACH, Example, File, Json, Value, options_of
from risk_management.cli._screen import (
    bar,
    first_rows,
    footer,
    heading,
    money,
    progress,
    screen,
    share,
    show_json,
    signed,
    table,
)
from risk_management.dashboard.var import var_view
from risk_management.model.explain import amount

if TYPE_CHECKING:
    from risk_management.calculators.var_calculator import VaRCalculator, VaRResult, VaRSummary
    from risk_management.dashboard.snapshot import Snapshot

__all__ = ["run"]

GATES = ("var", "expected_shortfall")
WIDE = 96
"""Columns that VaR and expected shortfall need beside each other."""


def run(
    context: typer.Context,
    file: File = None,
    horizon: Annotated[
        int | None, typer.Option("--horizon", help="Only this one, in trading days.", show_default=False)
    ] = None,
    value: Value = None,
    example: Example = False,
    as_json: Json = False,
) -> None:
    """Value at risk and expected shortfall: what an ordinary bad day costs, by every method.

    [dim]risk var positions.csv --horizon 10[/dim]

    Ends with 3 when VaR or expected shortfall stands above its limit.
    """
    book = options_of(context).book(file, example=example, value=value, command="var")
    seen = book.look()
    summary = _computed(book.manager.var_calculator, horizon)
    if as_json:
        show_json({**var_view(seen, summary), "notes": list(book.notes)})
    else:
        _show(seen, summary, book.name)
        screen().print(footer(seen, (*book.notes, *summary.notes)))
    if any(use.level == "breached" for use in seen.assessment.limits if use.name in GATES):
        raise typer.Exit(BREACH)


def _computed(calculator: VaRCalculator, horizon: int | None) -> VaRSummary:
    """The report, with a bar while it is made: a large book takes seconds."""
    horizons = None if horizon is None else (horizon,)
    with progress() as shown:
        bar_of_all = shown.add_task("Computing ...", total=None)
        return calculator.calculate_portfolio_var(
            horizons=horizons,
            progress=lambda done, total: shown.update(bar_of_all, completed=done, total=total),
        )


def _show(seen: Snapshot, summary: VaRSummary, name: str) -> None:
    console = screen()
    said = summary.explain().splitlines()[0]
    console.print(heading("VaR of ", (name, "bold"), f": {said}\n"))
    gates = table("Limits of the gate", "limit", "used", "allowed", "")
    gates.columns[3].justify = "left"
    for use in seen.assessment.limits:
        if use.name in GATES:
            gates.add_row(use.name, share(use.used, 2), share(use.limit, 2), bar(use.use, use.level))
    console.print(gates)
    kinds = [("VaR", "ES")] if console.width >= WIDE else [("VaR",), ("ES",)]
    console.print(*(_by_method(summary, each) for each in kinds), _parts(summary))


def _by_method(summary: VaRSummary, kinds: Sequence[str]) -> Table:
    """One line a method and horizon, one column a confidence and kind."""
    levels = sorted({result.confidence for result in summary.total_var.values()})
    heads = [f"{kind} {level:.4g}%" for level in (100.0 * one for one in levels) for kind in kinds]
    made = table(f"{' and '.join(kinds)} in money, by method", "method", "days", *heads)
    rows: dict[tuple[str, int], dict[float, VaRResult]] = {}
    for result in summary.total_var.values():
        rows.setdefault((result.method, result.horizon), {})[result.confidence] = result
    for (method, days), found in sorted(rows.items(), key=lambda item: item[0][1]):
        cells = [getattr(found[level], f"{kind.lower()}_value") for level in levels for kind in kinds]
        made.add_row(method, str(days), *map(money, cells))
    return made


def _parts(summary: VaRSummary) -> Table:
    made = table("What it is made of, default method", "symbol", "exposure", "VaR", "ES", "share", "without")
    parts = sorted(summary.by_symbol.values(), key=lambda p: -p.component_var)
    for part in first_rows(parts, made):
        made.add_row(
            part.name,
            signed(part.exposure),
            money(part.component_var),
            money(part.component_es),
            amount(part.share, "fraction"),
            money(summary.headline.var_value - part.incremental_var),
        )
    return made
