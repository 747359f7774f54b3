"""The command ``risk``: its commands are one file each and load their weight when they run."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from risk_management import __version__
from risk_management.cli import (
    _import,
    alerts,
    assess,
    audit,
    backtest_var,
    backup,
    broker,
    budget,
    check,
    config,
    correlation,
    demo,
    doctor,
    heat,
    init,
    kelly,
    liquidate,
    replay,
    report,
    rules,
    selftest,
    serve,
    simulate,
    stress,
    token,
    var,
    watch,
)
from risk_management.cli._ends import say_ends
from risk_management.cli._options import Options
from risk_management.errors import RiskError

__all__ = ["app", "main"]

GLOBAL: Final = ("--config", "--prices", "--level")
"""Options of all commands; they may stand before or behind the command."""


class RiskGroup(TyperGroup):
    """The group of all commands: errors of the package are one clear text, never a traceback."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take the options of all commands from wherever they stand."""
        return super().parse_args(ctx, _global_first(args))

    def invoke(self, ctx: Any) -> Any:
        """Run the command; an error of the package is told and ends with exit code 1."""
        try:
            return super().invoke(ctx)
        except RiskError as problem:
            typer.echo(f"error: {problem}", err=True)
            raise typer.Exit(1) from None


def _global_first(args: Sequence[str]) -> list[str]:
    front: list[str] = []
    rest: list[str] = []
    waiting = list(args)
    while waiting:
        word = waiting.pop(0)
        if word == "--":
            rest += [word, *waiting]
            break
        name = word.partition("=")[0]
        if name not in GLOBAL:
            rest.append(word)
        elif name == word and waiting:
            front += [word, waiting.pop(0)]
        else:
            front.append(word)
    return front + rest


app = typer.Typer(
    name="risk",
    cls=RiskGroup,
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 fine, 1 error, 2 wrong usage, 3 a limit is breached. "
    "Start with [bold]risk demo[/bold] or [bold]risk assess --example[/bold].",
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"risk-management {__version__}")
        raise typer.Exit


@app.callback()
def _said(
    context: typer.Context,
    config_path: Annotated[
        Path | None,
        typer.Option(
            "--config",
            help="Settings, a TOML file; else the one that RISK_CONFIG names, else risk.toml of this folder.",
            show_default=False,
        ),
    ] = None,
    prices: Annotated[
        Path | None,
        typer.Option("--prices", help="Closes, a CSV or Parquet file or folder.", show_default=False),
    ] = None,
    level: Annotated[
        str | None,
        typer.Option("--level", help="conservative, moderate or aggressive.", show_default=False),
    ] = None,
    _version_asked: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """The risk system between trading bots and their broker: every order asks it first.

    Without --prices and settings it works on embedded sample data, and says so.
    """
    logging.getLogger("risk_management").addHandler(logging.NullHandler())
    context.obj = Options.said(config_path, prices, level)


START, BOOK, SYSTEM = "Start here", "Your book", "The system"

app.command("demo", rich_help_panel=START)(demo.run)
app.command("init", rich_help_panel=START)(init.run)
app.command("doctor", rich_help_panel=START)(doctor.run)
app.command("import", rich_help_panel=START)(_import.run)
app.command("assess", rich_help_panel=BOOK)(assess.run)
app.command("check", rich_help_panel=BOOK, context_settings={"ignore_unknown_options": True})(check.run)
app.command("heat", rich_help_panel=BOOK)(heat.run)
app.command("var", rich_help_panel=BOOK)(var.run)
app.command("backtest-var", rich_help_panel=BOOK)(backtest_var.run)
app.command("stress", rich_help_panel=BOOK)(stress.run)
app.command("correlation", rich_help_panel=BOOK)(correlation.run)
app.command("kelly", rich_help_panel=BOOK)(kelly.run)
app.command("budget", rich_help_panel=BOOK)(budget.run)
app.command("report", rich_help_panel=BOOK)(report.run)
app.command("replay", rich_help_panel=BOOK)(replay.run)
app.command("serve", rich_help_panel=SYSTEM)(serve.run)
app.command("watch", rich_help_panel=SYSTEM)(watch.run)
app.command("liquidate", rich_help_panel=SYSTEM)(liquidate.run)
app.add_typer(token.app, name="token", rich_help_panel=SYSTEM)
app.add_typer(alerts.app, name="alerts", rich_help_panel=SYSTEM)
app.add_typer(audit.app, name="audit", rich_help_panel=SYSTEM)
app.add_typer(broker.app, name="broker", rich_help_panel=SYSTEM)
app.command("backup", rich_help_panel=SYSTEM)(backup.backup)
app.command("restore", rich_help_panel=SYSTEM)(backup.restore)
app.add_typer(rules.app, name="rules", rich_help_panel=SYSTEM)
app.add_typer(config.app, name="config", rich_help_panel=SYSTEM)
app.command("selftest", rich_help_panel=SYSTEM)(selftest.run)
app.command("simulate", rich_help_panel=SYSTEM)(simulate.run)


say_ends(app)


def main() -> None:
    """The entry of the command ``risk``."""
    app()


if __name__ == "__main__":
    main()
