"""``risk rules``: alert rules in files: checked, tested, listed, and each one with what to do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from risk_management.cli._options import Json, WrongUsage, options_of
from risk_management.cli._screen import screen, show_json

if TYPE_CHECKING:
    from risk_management.alerts.records import AlertRule

__all__ = ["app"]

app = typer.Typer(
    help="Alert rules: check and test a file of them, and see those of the settings.\n\n"
    "[dim]risk rules check my-rules.toml[/dim]",
    no_args_is_help=True,
)
File = Annotated[Path, typer.Argument(help="A TOML file of rules.", show_default=False)]
WRONG = 2
FAILED = 1


@app.command("check")
def check(file: File, as_json: Json = False) -> None:
    """Every mistake of a file with its line, column and remedy; exit code 2 where there is one.

    [dim]risk rules check my-rules.toml[/dim]
    """
    from risk_management.alerts.rule_file import parse_rules, read_text  # noqa: PLC0415 - help must be quick

    found = parse_rules(read_text(file), others=("cases",))
    if as_json:
        mistakes = [mistake._asdict() for mistake in found.mistakes]
        show_json({"rules": [rule.rule_id for rule in found.rules], "mistakes": mistakes})
    else:
        for mistake in found.mistakes:
            typer.echo(f"{file}:{mistake.line}:{mistake.column}: {mistake.text}")
        if not found.mistakes:
            number = len(found.rules)
            typer.echo(f"{file}: {number} {'rule' if number == 1 else 'rules'}, no mistake")
    if found.mistakes:
        raise typer.Exit(WRONG)


@app.command("test")
def run_all(file: File, as_json: Json = False) -> None:
    """Run the cases of a file against its rules; exit code 1 where one fails, 2 where the file is wrong.

    [dim]risk rules test my-rules.toml[/dim]
    """
    from risk_management.alerts.rule_cases import run_cases  # noqa: PLC0415 - help must be quick
    from risk_management.alerts.rule_file import parse_rules, read_text  # noqa: PLC0415 - help must be quick
    from risk_management.errors import ConfigurationError  # noqa: PLC0415 - help must be quick

    found = parse_rules(read_text(file), others=("cases",))
    if found.mistakes:
        first = found.mistakes[0]
        more = f" and {len(found.mistakes) - 1} more" if len(found.mistakes) > 1 else ""
        raise WrongUsage(f"{file}:{first.line}:{first.column}: {first.text}{more}; see 'risk rules check'")
    try:
        results = run_cases(found.rules, found.content.get("cases"))
    except ConfigurationError as problem:
        raise WrongUsage(f"{file}: {problem}") from None
    failed = [result for result in results if result.problem]
    if as_json:
        show_json({"cases": [result._asdict() for result in results], "failed": len(failed)})
    else:
        for result in results:
            typer.echo(f"{'FAIL' if result.problem else 'pass'}  {result.name}")
            if result.problem:
                typer.echo(f"      {result.problem}")
        typer.echo(f"{len(results) - len(failed)} passed, {len(failed)} failed")
    if failed:
        raise typer.Exit(FAILED)


@app.command("list")
def show_all(context: typer.Context, as_json: Json = False) -> None:
    """The rules of the settings: the default ones and those of `alert_config.rules_file`.

    [dim]risk rules list[/dim]
    """
    rules = _rules(context)
    if as_json:
        show_json({"rules": [_facts(rule) for rule in rules]})
        return
    width = max(len(rule.rule_id) for rule in rules)
    for rule in rules:
        screen().print(f"{rule.rule_id:{width}}  {rule.severity:9}  {rule.condition}", markup=False)


@app.command("show")
def show_one(
    context: typer.Context,
    rule_id: Annotated[str, typer.Argument(help="Id of the rule.", show_default=False)],
    as_json: Json = False,
) -> None:
    """One rule with what it means, what the system does and what a person can do.

    [dim]risk rules show drawdown_critical[/dim]
    """
    found = next((rule for rule in _rules(context) if rule.rule_id == rule_id), None)
    if found is None:
        raise WrongUsage(f"no rule of the settings is called {rule_id!r}; see 'risk rules list'")
    if as_json:
        show_json(_facts(found))
        return
    for word, value in _facts(found).items():
        if value not in ("", [], None):
            screen().print(f"{word:11} {value}", markup=False)


def _rules(context: typer.Context) -> tuple[AlertRule, ...]:
    from risk_management.alerts.risk_alerts import settled_rules  # noqa: PLC0415 - help must be quick

    return settled_rules(options_of(context).config())


def _facts(rule: AlertRule) -> dict[str, Any]:
    from risk_management.dashboard.plain import plain  # noqa: PLC0415 - help must be quick

    facts: dict[str, Any] = plain(rule.facts())
    return facts
