"""``risk broker``: the broker through which the risk system itself acts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from risk_management.cli._options import Json, options_of
from risk_management.cli._screen import money, screen, show_json, table

if TYPE_CHECKING:
    from risk_management.brokers.broker import Broker
    from risk_management.config.risk_config import RiskManagementConfig
    from risk_management.model.broker import MarketState

__all__ = ["app"]

app = typer.Typer(
    help="The broker through which the risk system itself acts.\n\n[dim]risk broker check[/dim]",
    no_args_is_help=True,
)


@app.callback()
def _group() -> None:
    """Keep `check` a command of its own while it is the only one."""


@app.command("check")
def check(
    context: typer.Context,
    symbols: Annotated[
        list[str] | None,
        typer.Argument(help="Markets to look at, beside those that are held.", show_default=False),
    ] = None,
    as_json: Json = False,
) -> None:
    """What the account holds, what works there, and what the broker can. It places no order.

    [dim]risk broker check AAPL[/dim]
    """
    config = options_of(context).config()
    broker = _broker(config)
    try:
        told = _told(broker, symbols or ())
    finally:
        broker.close()
    if as_json:
        show_json(told)
    else:
        _print(told)


def _broker(config: RiskManagementConfig) -> Broker:
    from risk_management.brokers import Surroundings, load_broker  # noqa: PLC0415 - help must be quick
    from risk_management.clock import SystemClock  # noqa: PLC0415
    from risk_management.core.foundation import known_instruments  # noqa: PLC0415
    from risk_management.market_data.source import load_source  # noqa: PLC0415

    source = load_source(config.market_data_config)

    def price(symbol: str) -> tuple[float, datetime] | None:
        return source.latest([symbol]).get(symbol)

    instruments = known_instruments(config)
    around = Surroundings(SystemClock(), price, instruments.get, config.base_currency, config.portfolio_value)
    return load_broker(config.broker_config, around)


def _told(broker: Broker, symbols: Sequence[str]) -> dict[str, Any]:
    from risk_management.model.money import from_ledger  # noqa: PLC0415 - help must be quick

    held, orders = broker.positions(), broker.open_orders()
    wanted = dict.fromkeys((*held, *(order.symbol for order in orders), *symbols))
    return {
        "broker": broker.name,
        "environment": broker.environment,
        "cash": from_ledger(broker.cash()),
        "positions": {symbol: from_ledger(units) for symbol, units in held.items()},
        "open_orders": [
            {
                "id": order.client_order_id,
                "symbol": order.symbol,
                "side": "buy" if order.side > 0 else "sell",
                "kind": order.kind.value,
                "units_left": from_ledger(order.left),
                "price": order.limit_price or order.stop_price,
                "protective": order.is_protective,
                "ours": order.is_ours,
            }
            for order in orders
        ],
        "markets": [_market(broker.market(symbol)) for symbol in wanted],
        "can": asdict(broker.abilities),
    }


def _market(state: MarketState) -> dict[str, Any]:
    return {
        "symbol": state.symbol,
        "status": state.status.value,
        "bid": state.bid,
        "ask": state.ask,
        "last": state.last,
        "spread": state.spread,
        "daily_volume": state.daily_volume,
        "as_of": state.as_of,
    }


PAPER_PRICES = (
    "A paper account fills at the prices of whoever runs it: here at those of the market data, in a running "
    "service at those that its feed told it, and nothing without one."
)


def _print(told: dict[str, Any]) -> None:
    console = screen()
    trades = "trades money" if told["environment"] == "live" else "trades no money"
    console.print(f"{told['broker']}, {told['environment']}: {trades}. Cash {money(told['cash'])}")
    if told["positions"]:
        held = table("Positions", "symbol", "units")
        for symbol, units in told["positions"].items():
            held.add_row(symbol, f"{units:,.8g}")
        console.print(held)
    else:
        console.print("Nothing is held.")
    if told["open_orders"]:
        works = table("Open orders", "id", "symbol", "side", "kind", "whose", "units left", "price", left=5)
        for order in told["open_orders"]:
            whose = "ours" if order["ours"] else "protects" if order["protective"] else "a bot's"
            cells = (order["id"], order["symbol"], order["side"], order["kind"], whose)
            works.add_row(*cells, f"{order['units_left']:,.8g}", f"{order['price'] or 0:,.8g}")
        console.print(works)
    else:
        console.print("No order works.")
    if told["markets"]:
        seen = table("Markets", "symbol", "status", "bid", "ask", "last", left=2)
        for one in told["markets"]:
            prices = (f"{one[name]:,.8g}" if one[name] else "-" for name in ("bid", "ask", "last"))
            seen.add_row(one["symbol"], one["status"], *prices)
        console.print(seen)
        if told["broker"] == "paper":
            console.print(PAPER_PRICES, style="dim")
    can = [name.replace("_", " ") for name, is_there in told["can"].items() if is_there]
    not_there = [name.replace("_", " ") for name, is_there in told["can"].items() if not is_there]
    console.print(f"It can: {', '.join(can)}.")
    if not_there:
        console.print(f"It can't: {', '.join(not_there)}.")
