"""``risk stress``: what the book would lose in past and made-up crises."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from risk_management.cli._options import BREACH, Example, File, Json, Value, WrongUsage, options_of
from risk_management.cli._screen import (
    COLOURS,
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
from risk_management.dashboard.snapshot import headline
from risk_management.dashboard.stress import scenario_row, stress_view

if TYPE_CHECKING:
    from collections.abc import Mapping

    from risk_management.calculators.scenarios import Scenario
    from risk_management.calculators.stress_tester import (
        ReverseStressResult,
        StressResult,
        StressSuite,
        StressTester,
    )
    from risk_management.cli._book import OpenedBook

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
    given: Annotated[
        list[str] | None,
        typer.Option("--given", "-g", help="What is expected if one moves so: SPY=-0.10. May be repeated."),
    ] = None,
    reverse: Annotated[
        str | None,
        typer.Option(
            "--reverse",
            "-r",
            help="The likeliest move that breaks drawdown, liquidation, daily_loss, var, leverage or margin.",
            show_default=False,
        ),
    ] = None,
    value: Value = None,
    example: Example = False,
    as_json: Json = False,
) -> None:
    """What the book would lose in past crises and in made-up ones.

    [dim]risk stress positions.csv
    risk stress positions.csv --scenario covid_crash_2020
    risk stress positions.csv --given SPY=-0.10
    risk stress positions.csv --reverse drawdown[/dim]
    """
    book = options_of(context).book(file, example=example, value=value, command="stress")
    seen, tester = book.look(), book.manager.stress_tester
    if (scenario is not None) + bool(given) + (reverse is not None) > 1:
        raise WrongUsage("--scenario, --given and --reverse are three questions; ask one")
    if reverse is not None:
        broken = tester.run_reverse_stress(reverse)
        passed, said = broken.status != "broken", {"reverse": plain(broken)}
        show = partial(_show_reverse, broken)
    elif given or scenario is not None:
        result = (
            tester.run_conditional_stress(_moves(given, book)) if given else _asked(tester, scenario, book)
        )
        passed, said = result.passed, {"scenario": scenario_row(result)}
        show = partial(_show_one, result)
    else:
        suite = tester.run_full_stress_suite()
        passed, said = suite.passed, stress_view(seen, suite)
        show = partial(_show_all, suite, book.name)
    if as_json:
        show_json({**headline(seen), **said, "notes": list(book.notes)})
    else:
        show()
        screen().print(footer(seen, book.notes))
    if not passed:
        raise typer.Exit(BREACH)


def _known(written: str, scenarios: Mapping[str, Scenario]) -> str:
    """The id of a scenario, also where only a part of it or of its name, which no other has, is given."""
    part = written.lower()
    found = [i for i, one in scenarios.items() if part in i.lower() or part in one.name.lower()]
    if written in scenarios or not found:
        return written
    if len(found) == 1:
        return found[0]
    raise WrongUsage(f"{written!r} may be {', '.join(found)}; write one of them")


def _asked(tester: StressTester, scenario: str | None, book: OpenedBook) -> StressResult:
    return tester.run_scenario_test(_known(str(scenario), book.manager.foundation.scenarios))


def _moves(given: list[str], book: OpenedBook) -> dict[str, float]:
    """``SPY=-0.10`` as a symbol and a return."""
    moves: dict[str, float] = {}
    for written in given:
        name, _, number = written.partition("=")
        symbol = book.symbol(name.strip())
        if symbol in moves:
            raise WrongUsage(f"--given names {symbol} twice; give it one return")
        try:
            moves[symbol] = float(number)
        except ValueError:
            raise WrongUsage(f"{written!r} is no move; write it like SPY=-0.10") from None
    return moves


def _show_reverse(found: ReverseStressResult) -> None:
    console = screen()
    lead = found.explain().splitlines()[0]
    console.print(lead, style=COLOURS["breached"] if found.status == "broken" else "bold")
    for note in found.notes:
        console.print(f"Note: {note}.")
    if not found.contributions:
        return
    if found.worst_days is not None:
        past = f"{found.worst_days} of {found.observations:,} past days"
        console.print(f"At present volatility, {past} would have broken it.")
    console.print(f"With tails as fat as those of daily returns: a chance of {found.fat_probability:.2g}.\n")
    rows = table("The move, and what drives it", "symbol", "moves", "costs", "share")
    for symbol, part in first_rows(list(found.contributions.items()), rows):
        whole = part / found.loss if found.loss else math.nan
        rows.add_row(symbol, f"{found.moves[symbol]:+.1%}", money(part), share(whole))
    console.print(rows)


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
    rows = table("The largest loss first", "scenario", "use", "days", "P&L", "share", "result", left=2)
    rows.columns[0].no_wrap, rows.columns[1].no_wrap = False, True  # names are long: they alone are broken
    rows.columns[5].justify = "left"
    for result in sorted(suite.results.values(), key=lambda r: r.portfolio_pnl):
        rows.add_row(
            result.name,
            f"{result.use.value} {share(-result.limit, 0)}",
            str(result.horizon_days),
            signed(result.portfolio_pnl),
            share(result.portfolio_pnl_pct),
            _outcome(result),
        )
    console.print(rows)
    console.print("One in full, with the basis of every figure: --scenario 'ten days of 2008'", style="dim")


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
