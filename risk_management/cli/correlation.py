"""``risk correlation``: what moves together."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from risk_management.cli._options import Example, Json, Options, Value, WrongUsage, options_of
from risk_management.cli._screen import footer, heading, screen, share, show_json, table
from risk_management.dashboard.correlation import correlation_view
from risk_management.model.explain import amount

if TYPE_CHECKING:
    from risk_management.cli._book import OpenedBook
    from risk_management.core.correlation_monitor import CorrelationMetrics

__all__ = ["run"]

WIDEST_CURVE = 40
WIDEST = 12
"""Names whose matrix fits on a screen."""


def run(
    context: typer.Context,
    what: Annotated[
        list[str] | None, typer.Argument(help="A CSV of your positions, or symbols.", show_default=False)
    ] = None,
    value: Value = None,
    example: Example = False,
    as_json: Json = False,
) -> None:
    """Correlations and clusters of a book, or of symbols held in equal parts.

    [dim]risk correlation positions.csv
    risk correlation SPY QQQ AAPL XOM[/dim]
    """
    book = _book(options_of(context), what or [], example=example, value=value)
    seen = book.look()
    if as_json:
        show_json({**correlation_view(seen), "notes": list(book.notes)})
        return
    found, console = seen.assessment.correlation, screen()
    console.print(heading("Correlations of ", (book.name, "bold"), "."))
    console.print(*_summary(found), "", sep="\n")
    if 1 < len(found.symbols) <= WIDEST:
        console.print(_matrix(found))
    clusters = table("Clusters: what moves together", "names", "net", "gross", "largest correlation")
    clusters.columns[0].no_wrap = False
    for cluster in found.clusters:
        names = " ".join(
            s if sign > 0 else f"-{s}" for s, sign in zip(cluster.symbols, cluster.signs, strict=True)
        )
        clusters.add_row(
            names, share(cluster.net), share(cluster.gross), amount(cluster.max_correlation, "number")
        )
    console.print(clusters)
    for line in _over_time(book):
        console.print(line)
    console.print(footer(seen, (*book.notes, *found.notes)))


def _book(options: Options, what: list[str], *, example: bool, value: float | None) -> OpenedBook:
    from risk_management.market_data.positions_file import PositionRow  # noqa: PLC0415 - help must be quick

    if not what or (len(what) == 1 and _is_file(what[0])):
        file = Path(what[0]) if what else None
        return options.book(file, example=example, value=value, command="correlation")
    if example:
        raise WrongUsage("give symbols or --example, not both")
    worth = 10_000.0 if value is None else value
    symbols = dict.fromkeys(what)
    rows = [PositionRow(symbol, worth / len(symbols)) for symbol in symbols]
    return options.opened(rows, worth, f"{len(rows)} symbols in equal parts")


def _is_file(text: str) -> bool:
    return Path(text).suffix.lower() in {".csv", ".txt", ".tsv"} or Path(text).is_file()


def _summary(found: CorrelationMetrics) -> list[str]:
    def said(value: float) -> str:
        return amount(value, "number")

    pair = f" ({' and '.join(found.max_pair)})" if found.max_pair else ""
    lines = [
        f"By {found.method} over {found.observations} days, a short with its sign turned: "
        f"average {said(found.average_correlation)}, largest {said(found.max_pairwise_correlation)}{pair}.",
        f"Over those days, at present volatilities: absorption ratio {said(found.absorption_ratio)}, "
        f"diversification ratio {said(found.diversification_ratio)}, effective bets "
        f"{said(found.effective_bets)}. Volatility {said(found.volatility_ratio)} of its usual.",
    ]
    if found.spike is not None:
        lines.append(f"Spike: {found.spike.explain()}.")
    return lines


def _over_time(book: OpenedBook) -> list[Text]:
    """Crises, the present regime, and effective bets over time; nothing for a book too small."""
    from risk_management.demo.charts import curve  # noqa: PLC0415 - help must be quick
    from risk_management.errors import InvalidRequest  # noqa: PLC0415

    try:
        study = book.manager.correlation_monitor.study()
    except InvalidRequest:
        return []
    bets = study.effective_bets.tolist()
    line = curve(bets, WIDEST_CURVE, 0.0, max(bets)) if all(map(math.isfinite, bets)) else ""
    ends = f"{study.dates[0]} to {study.dates[-1]}"
    lines = [Text("Beside their own past, with today's exposures", "bold"), Text(study.explain())]
    return [*lines, *([Text(f"{line}  effective bets, {ends}", "dim")] if line else []), Text("")]


def _matrix(found: CorrelationMetrics) -> Table:
    rows = table("Correlations of the symbols themselves", "", *found.symbols)
    for symbol, row in zip(found.symbols, found.matrix.tolist(), strict=True):
        rows.add_row(symbol, *(Text(amount(v, "number"), style=_shade(v)) for v in row))
    return rows


def _shade(value: float) -> str:
    if value >= 0.995:
        return "dim"
    return "bold red" if value >= 0.85 else "yellow" if value >= 0.70 else "cyan" if value < 0.0 else ""
