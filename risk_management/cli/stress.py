"""``risk stress``: what the book would lose in past and made-up crises."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from risk_management.cli._options import BREACH, Example, File, Json, Value, WrongUsage, options_of
from risk_management.cli._screen import (
    COLOURS,
    footer,
    heading,
    money,
    screen,
    share,
    show_json,
    signed,
    table,
)
from risk_management.dashboard.snapshot import headline
from risk_management.dashboard.stress import scenario_row, stress_view

if TYPE_CHECKING:
    from collections.abc import Mapping

    from risk_management.calculators.stress_tester import StressResult, StressSuite

__all__ = ["run"]


def run(
    context: typer.Context,
    file: File = None,
    scenario: Annotated[
        str | None,
        typer.Option(
            "--scenario", "-s", help="One scenario in full, such as market_crash_2008.", show_default=False
        ),
    ] = None,
    value: Value = None,
    example: Example = False,
    as_json: Json = False,
) -> None:
    """What the book would lose in past crises and in made-up ones.

    [dim]risk stress positions.csv
    risk stress positions.csv --scenario covid_crash_2020[/dim]

    Ends with 3 when a scenario loses more than is allowed.
    """
    book = options_of(context).book(file, example=example, value=value, command="stress")
    seen, tester = book.look(), book.manager.stress_tester
    if scenario is not None:
        result = tester.run_scenario_test(_known(scenario, book.manager.foundation.scenarios))
        passed = result.passed
        if as_json:
            show_json({**headline(seen), "scenario": scenario_row(result), "notes": list(book.notes)})
        else:
            _show_one(result)
    else:
        suite = tester.run_full_stress_suite()
        passed = suite.passed
        if as_json:
            show_json({**stress_view(seen, suite), "notes": list(book.notes)})
        else:
            _show_all(suite, book.name)
    if not as_json:
        screen().print(footer(seen, book.notes))
    if not passed:
        raise typer.Exit(BREACH)


def _known(written: str, scenarios: Mapping[str, object]) -> str:
    """The id of a scenario, also where only a part of it, which no other has, is given."""
    found = [name for name in scenarios if written.lower() in name.lower()]
    if written in scenarios or not found:
        return written
    if len(found) == 1:
        return found[0]
    raise WrongUsage(f"{written!r} may be {', '.join(found)}; write one of them")


def _outcome(result: StressResult) -> Text:
    if result.critical:
        return Text("critical", style=COLOURS["breached"])
    if result.passed:
        return Text("passed", style=COLOURS["ok"])
    return Text("too much", style=COLOURS["breached"])


def _show_all(suite: StressSuite, name: str) -> None:
    console = screen()
    worst = suite.results.get(suite.worst_case_scenario)
    lead = f": {suite.scenarios_passed} of {len(suite.scenarios_tested)} passed"
    if worst is not None:
        loss = f"{money(worst.portfolio_pnl)}, {share(worst.portfolio_pnl_pct)} of equity"
        lead += f"; the worst is {worst.name}: {loss}"
    console.print(heading("Stress of ", (name, "bold"), f"{lead}."))
    console.print("A gate stops trades, a report is only shown: a whole crisis takes years.\n")
    rows = table("The largest loss first", "scenario", "use", "days", "P&L", "share", "", left=2)
    rows.columns[1].no_wrap = True
    rows.columns[5].justify = "left"
    for result in sorted(suite.results.values(), key=lambda r: r.portfolio_pnl):
        rows.add_row(
            result.scenario_id,
            f"{result.use.value} {share(-result.limit, 0)}",
            str(result.horizon_days),
            signed(result.portfolio_pnl),
            share(result.portfolio_pnl_pct),
            _outcome(result),
        )
    console.print(rows)
    console.print("One in full, with the basis of every figure: --scenario NAME", style="dim")


def _show_one(result: StressResult) -> None:
    console = screen()
    console.print(
        Text.assemble(
            (result.name, "bold"),
            f" ({result.use.value}, {result.horizon_days} days): ",
            signed(result.portfolio_pnl),
            f", {share(result.portfolio_pnl_pct)} of equity, allowed {share(-result.limit, 0)}: ",
            _outcome(result),
            ".\n",
        )
    )
    rows = table("By symbol", "symbol", "P&L", "by", "where the shock comes from")
    for column in (2, 3):
        rows.columns[column].justify = "left"
        rows.columns[column].no_wrap = False
    for symbol, pnl in sorted(result.by_symbol.items(), key=lambda item: item[1]):
        basis = result.basis[symbol]
        rows.add_row(symbol, signed(pnl), str(basis.kind), basis.note)
    console.print(rows)
    for note in result.notes:
        console.print(f"Note: {note}.")
    for source in result.sources:
        console.print(f"Source: {source.figure}: {source.citation}", style="dim")
