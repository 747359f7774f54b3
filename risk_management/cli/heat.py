"""``risk heat``: how much of the risk budget the open positions use."""

from __future__ import annotations

import typer

from risk_management.cli._options import BREACH, Example, File, Json, Value, options_of
from risk_management.cli._screen import (
    bar,
    first_rows,
    footer,
    heading,
    money,
    screen,
    share,
    show_json,
    signed,
    table,
)
from risk_management.dashboard.plain import plain
from risk_management.dashboard.snapshot import Snapshot, headline

__all__ = ["run"]

LEVELS = {"normal": "ok", "warning": "warning", "critical": "critical"}


def run(
    context: typer.Context,
    file: File = None,
    value: Value = None,
    example: Example = False,
    as_json: Json = False,
) -> None:
    """Open risk over its budget, and how concentrated the book is.

    [dim]risk heat positions.csv[/dim]
    """
    book = options_of(context).book(file, example=example, value=value, command="heat")
    seen = book.look()
    if as_json:
        show_json({**headline(seen), "heat": plain(seen.assessment.heat), "notes": list(book.notes)})
    else:
        _show(seen, book.name)
        screen().print(footer(seen, book.notes))
    if seen.assessment.heat.raw_heat > 100.0 + 1e-9:
        raise typer.Exit(BREACH)


def _show(seen: Snapshot, name: str) -> None:
    heat, console = seen.assessment.heat, screen()
    level = "breached" if heat.raw_heat > 100.0 + 1e-9 else LEVELS[heat.level]
    console.print(heading("Heat of ", (name, "bold"), f": {heat.raw_heat:.1f} of 100, {heat.level}."))
    console.print(bar(heat.raw_heat / 100.0, level))
    console.print(f"At risk {money(heat.open_risk)} of a budget of {money(heat.risk_budget)}.\n")
    rows = table("By symbol, each alone", "symbol", "open risk", "of the budget", "weight")
    risks = sorted(heat.risk_by_symbol.items(), key=lambda item: -item[1])
    for symbol, risk in first_rows(risks, rows):
        part = risk / heat.risk_budget if heat.risk_budget > 0.0 else None
        rows.add_row(symbol, money(risk), share(part), share(heat.by_symbol.get(symbol)))
    console.print(rows)
    for what in ("sector", "strategy", "bot", "account"):
        sums = getattr(heat, f"by_{what}")
        if len(sums) > (what != "sector"):
            groups = table(f"By {what}", what, "of equity", "money")
            for label, part in sorted(sums.items(), key=lambda item: -abs(item[1])):
                groups.add_row(label or "-", share(part), signed(part * seen.equity))
            console.print(groups)
    console.print(
        f"Largest {heat.largest_position or 'none'} {share(heat.max_single_position_pct)}; gross "
        f"{share(heat.gross_exposure)}, net {share(heat.net_exposure)}, leverage {heat.leverage:.2f}; "
        f"{heat.positions} names, as spread as {heat.effective_names:.1f} equal ones."
    )
