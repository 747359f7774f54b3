"""``risk kelly``: sizes by the growth of capital."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from risk_management.cli._options import Json, Value, options_of
from risk_management.cli._screen import footer, heading, money, screen, share, show_json, table
from risk_management.dashboard.plain import plain
from risk_management.dashboard.snapshot import headline
from risk_management.model.explain import amount

if TYPE_CHECKING:
    from collections.abc import Sequence

    from risk_management.calculators.kelly_optimizer import KellyPortfolioResult, KellyResult

__all__ = ["run"]


def run(
    context: typer.Context,
    symbols: Annotated[list[str], typer.Argument(metavar="SYMBOLS...", help="Such as SPY QQQ AAPL.")],
    fraction: Annotated[
        float | None, typer.Option("--fraction", help="Share of full Kelly, 0 to 1.", show_default=False)
    ] = None,
    value: Value = None,
    as_json: Json = False,
) -> None:
    """How much of the account history would justify, one asset alone and all together. Advice only.

    [dim]risk kelly SPY QQQ AAPL[/dim]
    """
    book = options_of(context).opened([], value, "an empty book")
    chosen = list(dict.fromkeys(map(book.symbol, symbols)))
    kelly, seen = book.manager.kelly_optimizer, book.look()
    alone = [kelly.calculate_kelly_single_asset(symbol, kelly_fraction=fraction) for symbol in chosen]
    together = kelly.optimize_portfolio_kelly(chosen, fraction)
    if as_json:
        show_json({**headline(seen), "assets": plain(alone), "portfolio": plain(together)})
        return
    console = screen()
    names = (", ".join(chosen), "bold")
    console.print(heading("Kelly of ", names, f", {together.observations} common days."))
    console.print("What history alone would justify is advice; a bot is held to its own record of trades.")
    tail = book.manager.config.kelly_config.lower_bound
    console.print(
        "Every size is an exposure, a multiple of equity: 0.50 or 50 % puts half of equity at the asset. "
        f"Of resampled histories {tail:.0%} give a full Kelly below the first figure of the band, and "
        f"{tail:.0%} one above the second.\n"
    )
    console.print(_alone(alone), _weights(together, alone, seen.equity))
    console.print(footer(seen, _notes(alone, together), together.leans_on))


def _alone(results: Sequence[KellyResult]) -> Table:
    made = table(
        "Each alone, a year", "symbol", "mean", "shrunken", "volatility", "full Kelly", "band", "advised"
    )
    for one in results:
        made.add_row(
            one.symbol,
            share(one.mean),
            share(one.shrunken_mean),
            share(one.sigma),
            amount(one.full_kelly_fraction, "number"),
            f"{amount(one.band[0], 'number')} {amount(one.band[1], 'number')}",
            share(one.recommended_kelly_fraction),
        )
    return made


def _weights(together: KellyPortfolioResult, alone: Sequence[KellyResult], equity: float) -> Table:
    heading = f"Together, {share(together.kelly_fraction, 0)} Kelly within all limits"
    made = table(heading, "symbol", "exposure", "money", "held alone by")
    made.columns[3].justify = "left"
    for one in alone:
        weight = together.optimal_weights[one.symbol]
        made.add_row(one.symbol, share(weight), money(weight * equity), one.bound_by)
    cash = 1.0 - sum(together.optimal_weights.values())
    made.add_section()
    made.add_row("cash", share(cash), money(cash * equity), "")
    return made


def _notes(alone: Sequence[KellyResult], together: KellyPortfolioResult) -> list[str]:
    """What held the weights back, and which results are none."""
    bound = ", ".join(together.bound_by)
    grown = f"growth {share(together.growth_rate)} a year on the shrunken means"
    held = any(together.optimal_weights.values())
    notes = [f"together held by {bound}; {grown}" if held else f"together all cash: {together.note}"]
    return notes + [f"{one.symbol}: {one.note}" for one in alone if one.status != "ok"]
