"""`risk demo`: run, show progress, report."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from risk_management.demo.market import PERIODS, QUICK_PERIODS, Market, Period
from risk_management.demo.records import DemoResult
from risk_management.demo.report import opening, period_report, plain_result, summary
from risk_management.demo.run import CAPITAL, days_of, run_demo

__all__ = ["demo_command"]


def demo_command(*, quick: bool = False, as_json: bool = False, console: Console | None = None) -> int:
    """Run the demo and report it; returns the exit code.

    Parameters
    ----------
    quick : bool
        Parts of the periods, in a third of the time.
    as_json : bool
        A JSON object instead of tables.
    console : Console, optional
        Standard output without one.
    """
    screen = console or Console(highlight=False)
    periods = QUICK_PERIODS if quick else PERIODS
    if as_json:
        from risk_management.dashboard.plain import as_json as written  # noqa: PLC0415 - only for JSON

        result = _run(periods, Console(stderr=True))
        screen.out(written(plain_result(result), indent=2), highlight=False)
        return 0
    screen.print(opening(CAPITAL))
    result = _run(periods, screen)
    for period in result.periods:
        screen.print(period_report(period, screen.width))
        screen.print()
    screen.print(summary(result))
    return 0


def _run(periods: tuple[Period, ...], screen: Console) -> DemoResult:
    market = Market.sample()
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("days"),
        TimeElapsedColumn(),
        console=screen,
        transient=True,
    )
    with bar:
        task = bar.add_task("preparing", total=days_of(periods, market))

        def progress(period: Period, _done: int, _of: int) -> None:
            bar.update(task, advance=1, description=period.name)

        return run_demo(periods, market=market, progress=progress)
