"""``risk backtest-var``: what each VaR method would have said, held against what came."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from risk_management.cli._options import BREACH, Example, File, Json, Value, options_of
from risk_management.cli._screen import footer, heading, progress, screen, show_json, table
from risk_management.dashboard.backtest import backtest_view

if TYPE_CHECKING:
    from risk_management.calculators.var_backtest import BookBacktest
    from risk_management.measures.backtest import BacktestResult

__all__ = ["run"]

HIGH = 0.99
WIDE = 100
"""Columns that the tests and the mean loss need beside each other."""
ZONES = {"green": "green", "yellow": "yellow", "red": "bold red"}


def run(
    context: typer.Context,
    file: File = None,
    method: Annotated[
        list[str] | None, typer.Option("--method", "-m", help="Only this one; may be repeated.")
    ] = None,
    years: Annotated[
        float | None,
        typer.Option("--years", min=1.0, help="Only the last years of history.", show_default=False),
    ] = None,
    value: Value = None,
    example: Example = False,
    as_json: Json = False,
) -> None:
    """Would the VaR of this book have held? Every method, day by day, against what came.

    [dim]risk backtest-var --example --years 10[/dim]
    """
    book = options_of(context).book(file, example=example, value=value, command="backtest-var")
    with progress() as shown:
        bar = shown.add_task("Walking forward ...", total=None)
        found = book.manager.var_calculator.backtest(
            method or None,
            years=years,
            progress=lambda done, total: shown.update(bar, completed=done, total=total),
        )
    seen = book.look()
    if as_json:
        show_json(backtest_view(seen, found))
    else:
        _show(found, book.name)
        screen().print(footer(seen, (*book.notes, *_said(found, wide=screen().width >= WIDE))))
    if any(record.light.zone == "red" for record in found.records.get(found.default, ())):
        raise typer.Exit(BREACH)


def _show(found: BookBacktest, name: str) -> None:
    console = screen()
    days = f"{len(found.dates):,} days, {found.dates[0]} to {found.dates[-1]}"
    console.print(heading("VaR of ", (name, "bold"), f" held against {days}.\n"))
    for confidence in found.confidences:
        console.print(_by_method(found, confidence, wide=console.width >= WIDE))
    for line in _years(found):
        console.print(line)
    console.print()


def _by_method(found: BookBacktest, confidence: float, *, wide: bool) -> Table:
    heads = ["over", "number", "cluster", "both", "ES", "worst", "zone", *(["loss"] if wide else [])]
    made = table(f"One day at {100.0 * confidence:g}%", "method", *heads)
    if not wide:
        made.padding = (0, 1, 0, 0)
    for method, records in found.records.items():
        one = next(record for record in records if record.confidence == confidence)
        cells: list[Text | str] = [
            f"{one.exceptions}/{one.expected:.0f}",
            _verdict(one.kupiec),
            _verdict(one.independence),
            _verdict(one.coverage),
            _verdict(one.z2),
            f"{one.worst_year}",
            Text(one.light.zone, ZONES[one.light.zone]),
        ]
        if wide:
            cells.append("-" if isnan(one.joint_loss) else f"{one.joint_loss:.3f}")
        made.add_row(Text(method, "bold" if method == found.default else ""), *cells)
    return made


def _verdict(result: BacktestResult | None) -> Text:
    if result is None:
        return Text("-", "dim")
    said = "<.001" if result.p_value < 0.001 else f"{result.p_value:.3f}".removeprefix("0")
    return Text(f"{said}✗", "red") if result.reject else Text(f"{said} ")


def _years(found: BookBacktest) -> list[Text]:
    """Exceptions in each calendar year of the default method and of plain history."""
    from risk_management.demo.charts import BLOCKS  # noqa: PLC0415 - help must be quick

    confidence = HIGH if HIGH in found.confidences else found.confidences[-1]
    shown = [m for m in (found.default, "filtered_historical", "historical_250") if m in found.records]
    years = found.dates.astype("datetime64[Y]").astype(int) + 1970
    first, last = int(years[0]), int(years[-1])
    counts = {
        method: [
            int(found.exceptions(method, confidence)[years == year].sum()) for year in range(first, last + 1)
        ]
        for method in shown
    }
    most = max((max(row) for row in counts.values()), default=0)
    if not most:
        return []
    lines = [Text(f"Exceptions a year at {100.0 * confidence:g}% (a full block is {most})", "bold")]
    for method, row in counts.items():
        bars = "".join(BLOCKS[round((len(BLOCKS) - 1) * count / most)] for count in row)
        worst = first + row.index(max(row))
        lines.append(Text(f"{method:20s} {bars}  at most {max(row)}, in {worst}"))
    lines.append(Text(f"{'':20s} {first}{str(last).rjust(max(0, last - first + 1 - 4))}", "dim"))
    return lines


def _said(found: BookBacktest, *, wide: bool) -> list[str]:
    left_out = ", ".join(f"{symbol} (it has {why})" for symbol, why in found.lacking.items())
    return [
        "over: days whose loss passed the VaR, and how many were promised; worst: most of them in 250 days; "
        "zone: Basel's, of the last 250",
        "number, cluster, both: p-values of Kupiec's, Christoffersen's and the conditional-coverage test; "
        "ES: of Acerbi and Szekely's second; ✗ fails, below 0.05",
        *(["loss: mean joint loss of VaR and ES; less is better"] if wide else []),
        "weights are those of today; fitted parameters and simulations are renewed every 20 days",
        *([f"without a history of their own, and left out: {left_out}"] if left_out else []),
        *(f"{method}: {why}" for method, why in found.refusals.items()),
        *(f"{method}: no VaR on {said}; never green" for method, said in _silent(found).items()),
    ]


def _silent(found: BookBacktest) -> dict[str, str]:
    """On how many days a method gave no figure, where it is too many for a clean record."""
    from risk_management.calculators.method_record import REFUSED  # noqa: PLC0415 - help must be quick

    days = len(found.dates)
    refused = {m: max(record.refused for record in records) for m, records in found.records.items()}
    return {m: f"{count:,} of {days:,} days" for m, count in refused.items() if count > REFUSED * days}
