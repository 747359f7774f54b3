"""``risk check``: what the gate would say to an order."""

from __future__ import annotations

import math
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from risk_management.cli._options import BREACH, Example, Json, Options, Value, options_of
from risk_management.cli._screen import footer, screen, show_json, table
from risk_management.dashboard.plain import Plain, plain
from risk_management.dashboard.snapshot import headline
from risk_management.model.explain import amount

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from risk_management.cli._book import OpenedBook
    from risk_management.model.trade import TradeDecision

__all__ = ["run"]

WIDE = 96
"""Columns that the room beside each limit needs."""
STYLES = {"approved": "green", "cut": "yellow", "refused": "bold red"}


def _money(written: str) -> float:
    """A size as people write it, or what is wrong with it."""
    text = str(written).strip()
    try:
        return float(text)
    except ValueError:
        plain_number = text.replace(",", "")
        hint = (
            f"write {plain_number}"
            if plain_number.replace(".", "", 1).isdigit()
            else "write money, such as 800"
        )
        raise typer.BadParameter(f"{text!r} is no number; {hint}") from None


class Side(StrEnum):
    """What an order does."""

    BUY = "buy"
    SELL = "sell"


def run(  # noqa: PLR0913, PLR0917 - the words of an order
    context: typer.Context,
    symbol: Annotated[str, typer.Argument(help="What to trade, such as AAPL.")],
    side: Annotated[Side, typer.Argument(help="buy or sell.", case_sensitive=False)],
    size: Annotated[float, typer.Argument(help="Money, such as 800.", parser=_money)],
    positions: Annotated[
        Path | None,
        typer.Option("--positions", "-p", help="CSV of what is held already.", show_default=False),
    ] = None,
    example: Example = False,
    value: Value = None,
    strategy: Annotated[str, typer.Option(help="Strategy that the order belongs to.")] = "",
    bot: Annotated[str | None, typer.Option(help="Bot that asks; an operator by default.")] = None,
    confidence: Annotated[float, typer.Option(help="0 to 1; below 0.70 it cuts the size.")] = 1.0,
    price: Annotated[float | None, typer.Option(help="Limit price.", show_default=False)] = None,
    risk: Annotated[float | None, typer.Option(help="Money lost at the stop.", show_default=False)] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Show the checks that measured nothing too.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Ask what would be approved, and why. Nothing is traded or reserved.

    [dim]risk check AAPL buy 800 --positions positions.csv --strategy momentum[/dim]
    """
    book = _book(options_of(context), positions, example=example, value=value)
    decision = book.manager.evaluate_trade(
        book.symbol(symbol),
        side.value,
        size,
        strategy,
        bot_name=bot,
        confidence=confidence,
        price=price,
        risk_amount=risk,
    )
    notes = (*book.notes, *_meant(decision.symbol, book.manager.foundation.instruments))
    if as_json:
        show_json({**headline(book.look()), "decision": _row(decision), "notes": list(notes)})
    else:
        _show(decision, book, notes, everything=everything)
    if decision.outcome != "approved":
        raise typer.Exit(BREACH)


def _book(options: Options, positions: Path | None, *, example: bool, value: float | None) -> OpenedBook:
    if positions is None and not example:
        return options.opened([], value, "an empty book")
    return options.book(positions, example=example, value=value, command="check AAPL buy 800 --positions")


def _row(decision: TradeDecision) -> Plain:
    said: Plain = plain(decision)
    said["outcome"] = decision.outcome
    said["explanation"] = decision.explain()
    said["findings"] = [
        {
            **plain(finding),
            "room": plain(finding.room),
            "passed": decision.passed(finding),
            "message": decision.says(finding),
        }
        for finding in decision.findings
    ]
    return said


def _show(decision: TradeDecision, book: OpenedBook, notes: Sequence[str], *, everything: bool) -> None:
    console = screen()
    lines = [line for line in decision.explain().splitlines() if "Leans on:" not in line]
    console.print(lines[0], style=STYLES[decision.outcome])
    console.print("\n".join((*lines[1:], f"Held against {book.name}.\n")))
    seen = book.look()
    console.print(_findings(decision, seen.scenarios, everything=everything))
    leans_on = dict.fromkeys((*seen.assessment.leans_on, *decision.leans_on))
    console.print(footer(seen, notes, leans_on))


def _meant(symbol: str, known: Collection[str]) -> list[str]:
    """A known symbol that an unknown one may be a slip of."""
    near = [] if symbol in known else get_close_matches(symbol.upper(), known, n=1, cutoff=0.6)
    return [f"{symbol} is not known; did you mean {near[0]}?"] if near else []


def _findings(decision: TradeDecision, names: Mapping[str, str], *, everything: bool) -> Table:
    shown = [
        f for f in decision.findings if everything or not math.isnan(f.measured) or not decision.passed(f)
    ]
    left_out = len(decision.findings) - len(shown)
    heading = f"{len(decision.findings)} checks" + (
        f", {left_out} had nothing to measure" if left_out else ""
    )
    wide = screen().width >= WIDE
    heads = ["measured", "limit", *(["room"] if wide else []), "passes"]
    made = table(heading, "check", *heads, "of")
    made.columns[-1].justify = "left"
    made.columns[-1].no_wrap = False
    for finding in sorted(shown, key=lambda f: (decision.passed(f), f.cap)):
        style = STYLES[decision.outcome] if not decision.passed(finding) else ""
        made.add_row(
            finding.check,
            amount(finding.measured, finding.unit),
            amount(finding.limit, finding.unit),
            *([amount(finding.room, finding.unit)] if wide else []),
            amount(finding.cap, "money"),
            names.get(finding.subject, finding.subject),
            style=style,
        )
    return made
