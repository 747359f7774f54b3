"""How results look: tables, bars, the line that says what the numbers lean on, and JSON."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final, TypeVar

import typer
from rich import box
from rich.console import Console, RenderableType
from rich.progress import Progress
from rich.styled import Styled
from rich.table import Table
from rich.text import Text

from risk_management.dashboard.plain import Plain, as_json
from risk_management.dashboard.snapshot import headline

if TYPE_CHECKING:
    from risk_management.dashboard.snapshot import Snapshot

__all__ = [
    "COLOURS",
    "bar",
    "first_rows",
    "footer",
    "heading",
    "money",
    "progress",
    "screen",
    "share",
    "show_json",
    "signed",
    "table",
]

COLOURS: Final = {
    "ok": "green",
    "warning": "yellow",
    "critical": "red",
    "full": "cyan",
    "breached": "bold red",
    "green": "green",
    "amber": "yellow",
    "red": "bold red",
}
"""Colour of a level; the level is always written out too."""
BAR: Final = 12
MOST_ROWS: Final = 40
T = TypeVar("T")


def screen(*, stderr: bool = False) -> Console:
    """A console of the terminal's width; colours are off where `NO_COLOR` says so.

    What is printed is text and never markup: names come from files.
    """
    return Console(stderr=stderr, highlight=False, markup=False, emoji=False)


def heading(*parts: str | tuple[str, str]) -> Text:
    """The first line of a result; a part may carry its style."""
    return Text.assemble(*parts)


def show_json(content: Plain) -> None:
    """The content as JSON on standard output."""
    typer.echo(as_json(content, indent=2))


def table(heading: str, *columns: str, left: int = 1) -> Table:
    """A table whose first `left` columns are texts and whose others are numbers."""
    made = Table(title=heading, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for place, column in enumerate(columns):
        justify = "left" if place < left else "right"
        whole = justify == "right" or place == 0
        made.add_column(column, justify=justify, overflow="fold", no_wrap=whole)  # type: ignore[arg-type]
    return made


def money(value: float | None) -> str:
    """Money with two decimals; a dash where it is unknown."""
    return "-" if _is_unknown(value) else _unsigned_zero(f"{value:,.2f}")


def share(value: float | None, digits: int = 1) -> str:
    """A fraction as per cent; a dash where it is unknown."""
    return "-" if _is_unknown(value) else _unsigned_zero(f"{value:.{digits}%}")


def progress() -> Progress:
    """A bar on standard error while long work goes on; gone when it is done."""
    console = screen(stderr=True)
    return Progress(console=console, transient=True, disable=not console.is_terminal)


def first_rows(rows: Sequence[T], made: Table) -> Sequence[T]:
    """As many rows as a person reads; the caption says how many more there are."""
    if len(rows) > MOST_ROWS:
        made.caption = f"... and {len(rows) - MOST_ROWS} more; --json has them all"
        made.caption_justify = "left"
    return rows[:MOST_ROWS]


def _folded(texts: Iterable[str]) -> list[str]:
    """Sentences that differ in their first word alone, the symbol, become one."""
    groups: dict[str, list[str]] = {}
    for text in texts:
        symbol, _, rest = text.partition(" ")
        groups.setdefault(rest, []).append(symbol)
    said = []
    for rest, symbols in groups.items():
        also = ", ".join(symbols[1:6]) + (f" and {len(symbols) - 6} more" if len(symbols) > 6 else "")
        said.append(f"{symbols[0]} {rest.rstrip('.')}" + (f"; the same goes for {also}" if also else ""))
    return said


def _is_unknown(value: float | None) -> bool:
    return value is None or math.isnan(value)


def _unsigned_zero(text: str) -> str:
    return text if any(digit in text for digit in "123456789") else text.removeprefix("-")


def signed(value: float | None) -> Text:
    """Money, red for a loss."""
    return Text(money(value), style="red" if value is not None and value < 0.0 else "")


def bar(use: float, level: str) -> Text:
    """How much of a limit is used: a bar and the per cent."""
    filled = min(BAR, int(BAR * max(0.0, use) + 1e-9))  # a full bar means a full limit
    drawn = Text("█" * filled, style=COLOURS[level])
    drawn.append("░" * (BAR - filled), style="dim")
    drawn.append(f" {use:>5.0%}" if use <= 99.99 else "  over", style=COLOURS[level] if level != "ok" else "")
    return drawn


def footer(
    seen: Snapshot, notes: Iterable[str] = (), leans_on: Iterable[str] | None = None
) -> RenderableType:
    """What the numbers stand on; printed under every result."""
    data = headline(seen)["data"]
    lines = Table.grid(padding=(0, 1))
    lines.add_row(
        "Prices:", f"{data['source']}, until {data['prices_until'][:10]}; limits: {seen.config.risk_level}."
    )
    for name, texts in (
        ("Note:", notes),
        ("Leans on:", leans_on if leans_on is not None else data["leans_on"]),
    ):
        for place, text in enumerate(_folded(texts)):
            lines.add_row("" if place else name, Text(text.rstrip(".") + "."))
    return Styled(lines, "dim")
