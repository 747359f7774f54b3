"""``risk liquidate``: look at the plan of a liquidation, and carry it out."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from risk_management.cli._options import Json, WrongUsage
from risk_management.cli._screen import screen, show_json, table

if TYPE_CHECKING:
    from risk_management.integration.client import RiskClient

__all__ = ["run"]


def run(
    scope: Annotated[
        str,
        typer.Argument(
            help="everything, strategy:NAME, bot:NAME, symbol:NAME, cluster:SPY, gross:0.5, var:0.01."
        ),
    ] = "everything",
    plan_only: Annotated[
        bool, typer.Option("--plan", help="Show the plan and send nothing; so without --execute.")
    ] = False,
    execute: Annotated[
        bool, typer.Option("--execute", help="Carry the plan out, once its scope was typed again.")
    ] = False,
    end: Annotated[
        str,
        typer.Option(
            "--end",
            metavar="ID",
            help="End one that goes on: what works is cancelled first, what is held stays.",
        ),
    ] = "",
    reason: Annotated[str, typer.Option("--reason", help="Why; it is kept.")] = "",
    as_json: Json = False,
) -> None:
    """Close a part of the book of the running service at RISK_URL, with RISK_TOKEN.

    [dim]risk liquidate bot:RSI2 --plan[/dim]
    """
    if plan_only + execute + bool(end) > 1:
        raise WrongUsage("say one of --plan, --execute and --end")
    if (execute or end) and not reason:
        raise WrongUsage(f"{'--end' if end else '--execute'} needs --reason TEXT: it is kept")
    with _client() as client:
        if end:
            _end(client.end_liquidation(end, reason), as_json=as_json)
            return
        plan = client.plan_liquidation(scope)
        if as_json and not execute:
            show_json(dict(plan))
            return
        if not as_json:
            _show(plan)
        if execute:
            _carry_out(client, plan, scope, reason, as_json=as_json)


NO_BROKER = (
    "No broker is connected: nothing is sent. Carried out, the positions are booked as closed at our marks; "
    "close them at your broker yourself."
)


def _carry_out(client: RiskClient, plan: dict[str, Any], scope: str, reason: str, *, as_json: bool) -> None:
    typed = typer.prompt(f"Type {scope} to carry it out", default="", show_default=False, err=True)
    if typed != scope:
        typer.echo("Nothing was sent.", err=True)
        raise typer.Exit(1)
    begun = client.liquidate(scope, plan["plan_id"], reason)
    if as_json:
        show_json(dict(begun))
    else:
        typer.echo(f"Liquidation {begun['liquidation_id']} began. {begun['outcome']}".rstrip())


def _end(one: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        show_json(one)
    elif one["ended_at"] is None:
        typer.echo(
            f"Nothing more of {one['scope']} is sent; its orders are being cancelled, then it has ended."
        )
    else:
        typer.echo(f"Liquidation {one['liquidation_id']} of {one['scope']}: {one['outcome']}")


def _client() -> RiskClient:
    from risk_management.integration.client import RiskClient  # noqa: PLC0415 - help must be quick

    url, token = os.environ.get("RISK_URL"), os.environ.get("RISK_TOKEN")
    if not url or not token:
        raise WrongUsage("set RISK_URL and RISK_TOKEN: a liquidation is a running service's (risk serve)")
    return RiskClient(url, token)


def _show(plan: dict[str, Any]) -> None:
    console = screen()
    made = table(
        f"{plan['scope']}, plan {plan['plan_id']}", "step", "order", "limit", "cost", "at s", "gross", "VaR"
    )
    for step in plan["steps"]:
        for place, order in enumerate(step["orders"]):
            cost = order["spread_cost"] + (order["impact_cost"] or 0.0)
            made.add_row(
                str(step["number"]) if place == 0 else "",
                f"{order['side']} {order['quantity']:g} {order['symbol']}",
                f"{order['limit_price']:,.2f}",
                f"{cost:,.2f}",
                f"{step['starts']:,.0f}" if place == 0 else "",
                f"{step['after']['gross']:,.0f}" if place == 0 else "",
                f"{step['after']['var']:,.2f}" if place == 0 else "",
            )
    console.print(made if plan["steps"] else "Nothing can be traded now.")
    console.print(
        f"Expected cost {plan['cost']:,.2f} (spread {plan['spread_cost']:,.2f}, impact "
        f"{plan['impact_cost']:,.2f}), about {plan['seconds']:,.0f} s. Gross "
        f"{plan['before']['gross']:,.2f} -> {plan['after']['gross']:,.2f}, VaR "
        f"{plan['before']['var']:,.2f} -> {plan['after']['var']:,.2f}."
    )
    if not plan["has_broker"]:
        console.print(NO_BROKER, style="bold red")
    for text in (*(one["text"] for one in plan["left"]), *plan["notes"]):
        console.print(text, style="dim")
