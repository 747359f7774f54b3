"""``risk var``: value at risk and expected shortfall by the methods of the report, or by any other."""

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

ROOT, ROOT_RULE = "√", "square_root_of_time"
GATES = ("var", "expected_shortfall")
WIDE = 105
"""Columns that VaR and expected shortfall need beside each other."""


def run(
    context: typer.Context,
    file: File = None,
    method: Annotated[
        list[str] | None,
        typer.Option("--method", "-m", help="By this one; may be repeated, 'all' is every method."),
    ] = None,
    horizon: Annotated[
        int | None, typer.Option("--horizon", help="Only this one, in trading days.", show_default=False)
    ] = None,
    value: Value = None,
    example: Example = False,
    as_json: Json = False,
) -> None:
    """Value at risk and expected shortfall: what an ordinary bad day costs, by several methods.

    [dim]risk var positions.csv --horizon 10 --method all[/dim]
    """
    book = options_of(context).book(file, example=example, value=value, command="var")
    seen = book.look()
    summary = _computed(book.manager.var_calculator, method, horizon)
    if as_json:
        show_json({**var_view(seen, summary), "notes": list(book.notes)})
    else:
        _show(seen, summary, book.name)
        screen().print(footer(seen, (*book.notes, *summary.notes, *_said(summary))))
    if any(use.level == "breached" for use in seen.assessment.limits if use.name in GATES):
        raise typer.Exit(BREACH)


def _computed(calculator: VaRCalculator, methods: list[str] | None, horizon: int | None) -> VaRSummary:
    """The report, with a bar while it is made: a large book takes seconds."""
    horizons = None if horizon is None else (horizon,)
    with progress() as shown:
        bar_of_all = shown.add_task("Computing ...", total=None)
        return calculator.calculate_portfolio_var(
            methods or None,
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
    groups = _groups(summary)
    if groups.row_count:
        console.print(groups)


def _by_method(summary: VaRSummary, kinds: Sequence[str]) -> Table:
    """One line a method and horizon, one column a confidence and kind."""
    levels = sorted({result.confidence for result in summary.total_var.values()})
    heads = [f"{kind} {level:.4g}%" for level in (100.0 * one for one in levels) for kind in kinds]
    made = table(f"{' and '.join(kinds)} in money, by method", "method", "days", *heads)
    rows: dict[tuple[str, int], dict[float, VaRResult]] = {}
    for result in summary.total_var.values():
        rows.setdefault((result.method, result.horizon), {})[result.confidence] = result
    for (method, days), found in sorted(rows.items(), key=lambda item: item[0][1]):
        cells = [_cell(found[level], f"{kind.lower()}_value") for level in levels for kind in kinds]
        made.add_row(method, str(days), *cells)
    return made


def _cell(result: VaRResult, kind: str) -> str:
    """Money, with the mark of a figure that the root of time has brought to its horizon."""
    rooted = result.horizon_rule == ROOT_RULE and result.status == "ok"
    return money(getattr(result, kind)) + (ROOT if rooted else " ")


def _said(summary: VaRSummary) -> list[str]:
    """What the figures rest on: rows, coverage, the rule of the horizon, errors of simulations, refusals."""
    results, head = list(summary.total_var.values()), summary.headline
    said = [
        f"{head.window:,} daily returns; {share(head.coverage, 0)} of what is held has its own or a proxy's"
    ]
    if any(result.horizon_rule == ROOT_RULE for result in results):
        said.append(
            f"{ROOT}: one day times the root of the days, for want of spans; other figures of several days "
            "rest on spans that overlap"
        )
    exact = [r for r in results if r.standard_error is not None and r.status == "ok"]
    if exact:
        first = exact[0]
        alike = [r for r in exact if (r.confidence, r.horizon) == (first.confidence, first.horizon)]
        errors = ", ".join(f"{r.method} {money(r.standard_error)}" for r in alike)
        said.append(
            f"standard error of the VaR at {100.0 * first.confidence:.4g}%, days {first.horizon}: {errors}"
        )
    refused = dict.fromkeys((r.method, r.note) for r in results if r.status != "ok")
    return said + [f"{method}: {why}" for method, why in refused]


def _groups(summary: VaRSummary) -> Table:
    """The same by strategy, bot and sector, where there is more than one of them."""
    made = table("By whom and where it is held", "", "name", "exposure", "VaR", "ES", "share", left=2)
    kinds = {"strategy": summary.by_strategy, "bot": summary.by_bot, "sector": summary.by_sector}
    rows = [(kind, part) for kind, parts in kinds.items() if len(parts) > 1 for part in parts.values()]
    rows.sort(key=lambda row: (list(kinds).index(row[0]), -row[1].component_var))
    for kind, part in first_rows(rows, made):
        made.add_row(
            kind,
            part.name,
            signed(part.exposure),
            money(part.component_var),
            money(part.component_es),
            amount(part.share, "fraction"),
        )
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
