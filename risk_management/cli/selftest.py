"""``risk selftest``: prove a configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from risk_management.cli._options import Json, options_of
from risk_management.cli._screen import screen, show_json, table
from risk_management.dashboard.plain import plain

if TYPE_CHECKING:
    from risk_management.tests.integration_test import IntegrationResults

__all__ = ["run"]


def run(
    context: typer.Context,
    everything: Annotated[bool, typer.Option("--all", help="Show what passed too.")] = False,
    as_json: Json = False,
) -> None:
    """Drive every limit and alert rule of your configuration to its breach, on a copy; name what can't fire.

    [dim]risk selftest --config risk.toml[/dim]
    """
    from risk_management.tests.integration_test import (  # noqa: PLC0415 - help must be quick
        run_full_integration_test,
    )

    config = options_of(context).config()
    with screen(stderr=True).status("Driving every limit to its breach ..."):
        results = run_full_integration_test(config)
    if as_json:
        show_json(
            {
                "passed": results.passed,
                "total": results.total,
                "failures": plain(results.failures),
                "outcomes": plain(results.outcomes),
                "config_digest": config.digest(),
            }
        )
    else:
        _show(results, everything=everything)
    if results.failures:
        raise typer.Exit(1)


def _show(results: IntegrationResults, *, everything: bool) -> None:
    console = screen()
    shown = results.outcomes if everything else results.failures
    if shown:
        rows = table("Probes" if everything else "What failed", "probe", "", "what was seen", left=3)
        for outcome in shown:
            mark = Text("held", style="green") if outcome.passed else Text("failed", style="bold red")
            rows.add_row(outcome.name, mark, outcome.detail)
        console.print(rows)
    style = "bold red" if results.failures else "green"
    console.print(Text(f"{results.passed} of {results.total} probes held.", style=style))
    if not results.failures:
        said = (
            "Every limit passes an order exactly at it and stops one just above; every emergency acts; "
            "every alert rule fires and ends."
        )
        console.print(said)
