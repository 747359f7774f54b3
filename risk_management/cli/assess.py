"""``risk assess``: the whole book against every limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer
from rich.table import Table
from rich.text import Text

from risk_management.cli._options import BREACH, Example, File, Json, Value, options_of
from risk_management.cli._screen import (
    COLOURS,
    bar,
    first_rows,
    footer,
    money,
    screen,
    share,
    show_json,
    signed,
    table,
)
from risk_management.dashboard.metrics import metrics_view
from risk_management.model.explain import amount

if TYPE_CHECKING:
    from risk_management.core.assessment import LimitUse
    from risk_management.dashboard.plain import Plain
    from risk_management.dashboard.snapshot import Snapshot

__all__ = ["limits_table", "run", "verdict"]


def run(
    context: typer.Context,
    file: File = None,
    value: Value = None,
    example: Example = False,
    as_json: Json = False,
) -> None:
    """The whole book at once: score, every limit with its headroom, every position.

    [dim]risk assess positions.csv --portfolio-value 25000[/dim]
    """
    from risk_management.dashboard.heatmap import heatmap_view  # noqa: PLC0415 - help must be quick

    book = options_of(context).book(file, example=example, value=value, command="assess")
    seen = book.look()
    positions = heatmap_view(seen)["positions"]
    if as_json:
        show_json({**metrics_view(seen), "positions": positions, "notes": list(book.notes)})
    else:
        console = screen()
        console.print(verdict(seen, book.name), "")
        console.print(_positions(positions), limits_table(seen), _figures(seen))
        console.print(footer(seen, book.notes))
    if any(use.level == "breached" for use in seen.assessment.limits):
        raise typer.Exit(BREACH)


def verdict(seen: Snapshot, name: str) -> Text:
    """Two lines: how it stands, and whether anything new may be opened."""
    found = seen.assessment
    over = [use.name for use in found.limits if use.level == "breached"]
    said = Text.assemble(
        ("Risk of ", ""),
        (name, "bold"),
        (": score ", ""),
        (f"{found.overall_risk_score:.0f}/100 {found.level}", COLOURS[found.level]),
        " (100: a limit is reached)",
        f", driven by {found.score_driver}.\n",
        f"Equity {money(found.equity)} {seen.state.base_currency}, mode {found.mode.value}. ",
    )
    if over:
        said.append(f"Breached: {', '.join(dict.fromkeys(over))}.", style=COLOURS["breached"])
        if found.new_trades_allowed:
            said.append(" What adds to that is refused; other trades pass, and what closes.")
    elif found.new_trades_allowed:
        said.append("New trades are allowed.", style=COLOURS["ok"])
    for reason in found.blocked_by:
        said.append(f"\nNew trades are stopped: {reason}.", style=COLOURS["breached"])
    return said


def _positions(rows: list[Plain]) -> Table:
    made = table("Positions", "symbol", "value", "weight", "open risk", "sector", "strategy")
    for column in (4, 5):
        made.columns[column].justify = "left"
        made.columns[column].no_wrap = False
    for row in first_rows(rows, made):
        made.add_row(
            row["symbol"],
            signed(row["value"]),
            share(row["weight"]),
            money(row["risk"]),
            row["sector"],
            row["strategy"] or "-",
        )
    return made


NAMED = ("strategy", "bot")


def limits_table(seen: Snapshot) -> Table:
    """Every limit with what is used of it, the nearest to a breach first."""
    made = table("Limits, the nearest to a breach first", "limit", "of", "used", "allowed", "", left=2)
    made.columns[4].justify = "left"
    for use in seen.assessment.limits:
        made.add_row(
            use.name,
            _subject(use, seen),
            *_compared(use),
            bar(use.use, use.level),
        )
    return made


def _subject(use: LimitUse, seen: Snapshot) -> str:
    said = seen.scenarios.get(use.subject, use.subject) or ("none named" if use.name in NAMED else "-")
    if use.breach is None:
        return said
    most = f"its maximum is {amount(use.breach, use.unit)}"
    return f"{said} ({'full; ' if use.level == 'full' else ''}{most})"


def _compared(use: LimitUse) -> tuple[str, str]:
    return amount(use.used, use.unit), amount(use.limit, use.unit)


def _figures(seen: Snapshot) -> Table:
    """Figures that are no limit but that everybody asks for."""
    metrics, heat = seen.assessment.metrics, seen.assessment.heat
    scenario = seen.scenarios.get(seen.assessment.stress_scenario, "none")
    worst = f"{share(metrics['stress_loss'])}: {scenario}"
    shown = {
        "one-day VaR at 95 %": f"{money(metrics['var_95'] * seen.equity)} ({share(metrics['var_95'], 2)})",
        "one-day expected shortfall at 97.5 %": f"{money(metrics['es_975'] * seen.equity)} "
        f"({share(metrics['es_975'], 2)})",
        "worst gate scenario": worst,
        "open risk of its budget": f"{money(heat.open_risk)} of {money(heat.risk_budget)}",
        "names, effective names": f"{heat.positions}, {heat.effective_names:.1f}",
        "gross, net": f"{share(heat.gross_exposure)}, {share(heat.net_exposure)}",
        "average, largest correlation": f"{amount(metrics['average_correlation'], 'number')}, "
        f"{amount(metrics['max_correlation'], 'number')}",
    }
    made = table("Figures", "", "", left=2)
    made.show_header = False
    for name, said in shown.items():
        made.add_row(name, said)
    return made
