"""``risk budget``: the risk budget by strategy, in force in a store or as a split would make it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from risk_management.cli._options import BREACH, Example, File, Json, Options, Value, WrongUsage, options_of
from risk_management.cli._screen import bar, first_rows, heading, money, screen, share, show_json, table

if TYPE_CHECKING:
    from risk_management.calculators.risk_budget import RiskBudget, StrategyBudget
    from risk_management.config.risk_config import RiskManagementConfig
    from risk_management.model.portfolio import PortfolioState

__all__ = ["run"]

NONE_IN_FORCE = "no risk budget is in force there; see what a split would be with --allocate equal"


def run(  # noqa: PLR0913, PLR0917 - the words of the command
    context: typer.Context,
    file: File = None,
    value: Value = None,
    example: Example = False,
    store: Annotated[
        str | None,
        typer.Option("--store", help="Store of an engine instead of a FILE; only read.", show_default=False),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(
            "--allocate",
            help="Preview a split: equal, inverse_volatility, risk_parity, sharpe, fixed.",
            show_default=False,
        ),
    ] = None,
    measure: Annotated[
        str | None, typer.Option("--measure", help="var, es or drawdown.", show_default=False)
    ] = None,
    total: Annotated[
        float | None,
        typer.Option("--total", help="The whole budget, 0.02 for 2 % of equity.", show_default=False),
    ] = None,
    as_json: Json = False,
) -> None:
    """What each strategy uses of the risk budget; with --allocate what a split would give it.

    [dim]risk budget positions.csv --allocate risk_parity[/dim]

    [dim]risk budget --store risk.db[/dim]

    Nothing is changed.
    """
    from risk_management.calculators._budget_split import allocation  # noqa: PLC0415 - help must be quick
    from risk_management.calculators.risk_budget import risk_budget  # noqa: PLC0415

    options = options_of(context)
    if store is not None:
        if file is not None or example:
            raise WrongUsage("give a FILE, --example or --store, one of them")
        state, config = _stored(options, store)
        name = store
    else:
        book = options.book(file, example=example, value=value, command="budget")
        state, config, name = book.manager.state, book.manager.config, book.name
        if method is None and config.budget_config.method == "off":
            method = "equal"  # a file has no budget in force
    if method is None and state.budget is not None:
        seen = risk_budget(state, config, state.budget)
    else:
        if method is None and config.budget_config.method == "off":
            raise WrongUsage(NONE_IN_FORCE)
        made = allocation(state, config, budget=total, method=method, measure=measure)
        seen = risk_budget(state, config, made, in_force=False)
    if as_json:
        from risk_management.dashboard.budgets import budget_view  # noqa: PLC0415

        show_json(budget_view(seen))
    else:
        _show(seen, name)
    if any(row.used > row.limit + 1e-6 for row in seen.strategies):
        raise typer.Exit(BREACH)


def _stored(options: Options, store: str) -> tuple[PortfolioState, RiskManagementConfig]:
    """The newest state of a store, beside the engine that may write it."""
    from risk_management.cli._store import store_of  # noqa: PLC0415 - help must be quick
    from risk_management.store.reader import StoreReader  # noqa: PLC0415
    from risk_management.store.recovery import recovered  # noqa: PLC0415

    with StoreReader.of_store(store_of(options, store)) as reader:
        standing = recovered(reader)
    if standing is None:
        raise WrongUsage(f"{store} holds no book yet")
    return standing.state, standing.config


def _show(seen: RiskBudget, name: str) -> None:
    console = screen()
    kind = "in force since" if seen.in_force else "as a split would make it on"
    console.print(heading("Risk budget of ", (name, "bold"), f", {kind} {seen.allocated_on}."))
    console.print(
        f"{money(seen.total)} ({share(seen.total_pct, 2)} of equity) of {seen.measure}, by "
        f"{seen.method.replace('_', ' ')}. Used {money(seen.used)} by the strategies alone, "
        f"{money(seen.book)} by the book together.\n"
    )
    rows = table("By strategy", "strategy", "own", "used", "may use", "room", "use")
    for row in first_rows(seen.strategies, rows):
        rows.add_row(
            row.strategy or "-",
            money(row.budget),
            money(row.used),
            money(row.limit),
            money(row.room),
            bar(row.use, _level(row)),
        )
    console.print(rows)
    for row in seen.strategies:
        loans = {"borrows": row.borrowed, "lends": row.lent}
        said = [f"{word} {money(value)}" for word, value in loans.items() if value > 0.005]
        for text in (*said, *row.reasons):
            console.print(f"{row.strategy or '-'}: {text}.")
    for reason in seen.reasons:
        console.print(f"{reason}.")
    if seen.leans_on:
        console.print("Leans on: " + "; ".join(text.rstrip(".") for text in seen.leans_on) + ".", style="dim")


def _level(row: StrategyBudget) -> str:
    if row.use > 1.0 + 1e-9:
        return "breached"
    return "critical" if row.use >= 0.95 else "warning" if row.use >= 0.80 else "ok"
