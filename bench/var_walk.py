"""`python -m bench.var_walk`: walk eight VaR methods forward over the sample, many books at once.

Parameters are chosen on data to the end of 2010 (``--tune`` shows how); 2011-2022 is reported apart.
"""

from __future__ import annotations

import argparse
import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import itertools
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from risk_management.calculators.method_record import MethodRecord, held_against
from risk_management.calculators.walk_forward import FIRST, Forecasts, walk_forward
from risk_management.config.risk_config import VaRConfig
from risk_management.market_data.sample import sample_history

STUDIED = (
    "volatility_scaled",
    "filtered_historical",
    "historical",
    "historical_250",
    "parametric",
    "age_weighted",
    "student_t",
    "extreme_value",
)
"""Without the simulations, which would take hours over so many books and say what their laws say."""
CONFIDENCES = (0.95, 0.975, 0.99)
SPLIT = np.datetime64("2011-01-01")
INDICES = ("SPY", "QQQ")
SEED = 2010
CHUNK = 8
GOALS = {"kupiec": 0.90, "coverage": 0.85, "calm": 0.95}
MOST_IN_A_YEAR = 9


@dataclass(frozen=True)
class Study:
    """Returns (T, N), their days, and books (N, K) with their names."""

    returns: np.ndarray
    dates: np.ndarray
    books: np.ndarray
    names: tuple[str, ...]

    @property
    def split(self) -> int:
        return int(np.searchsorted(self.dates, SPLIT))


def study() -> Study:
    """Every stock, the indices, equal weight, 50 seeded long books and 50 long-short ones."""
    history = sample_history()
    stocks = [s for s in history.symbols if len(s) <= 5 and _is_whole(history, s) and s not in INDICES]
    symbols = [*stocks, *INDICES]
    closes = np.column_stack([history.closes[:, history.symbols.index(s)] for s in symbols])
    known = np.isfinite(closes).all(axis=1)
    closes, dates = closes[known], history.dates[known]
    count, rng = len(symbols), np.random.default_rng(SEED)
    books, names = list(np.eye(count)), list(symbols)
    books.append(np.array([1.0 / len(stocks)] * len(stocks) + [0.0] * len(INDICES)))
    names.append("equal weight")
    for kind in ("long", "long-short"):
        for number in range(50):
            size = int(rng.integers(3, 13))
            book = np.zeros(count)
            chosen = rng.choice(len(stocks), size, replace=False)
            book[chosen] = rng.dirichlet(np.ones(size))
            if kind == "long-short":
                book[chosen] *= rng.choice([-1.0, 1.0], size)
            books.append(book)
            names.append(f"{kind} {number}")
    return Study(closes[1:] / closes[:-1] - 1.0, dates[1:], np.array(books).T, tuple(names))


def _is_whole(history: object, symbol: str) -> bool:
    """Whether a series spans the study, from 1999 to 2022."""
    column = history.closes[:, history.symbols.index(symbol)]
    days = history.dates[np.isfinite(column)]
    return len(days) > 0 and days[0] < np.datetime64("1999-02-01") and days[-1] > np.datetime64("2022-12-01")


@dataclass(frozen=True)
class Summary:
    """What a method reached over all books in one period at one confidence."""

    kupiec: float
    coverage: float
    calm: float
    worst: float
    rate: float
    quantile_loss: float
    joint_loss: float

    @classmethod
    def of(cls, records: Sequence[MethodRecord]) -> Summary:
        count = len(records)
        passed = [r for r in records if r.kupiec is not None and not r.kupiec.reject]
        covered = [r for r in records if r.coverage is not None and not r.coverage.reject]
        return cls(
            kupiec=len(passed) / count,
            coverage=len(covered) / count,
            calm=sum(r.worst_year <= MOST_IN_A_YEAR for r in records) / count,
            worst=float(np.mean([r.worst_year for r in records])),
            rate=float(np.mean([r.exceptions / r.days for r in records])),
            quantile_loss=1e4 * float(np.mean([r.quantile_loss for r in records])),
            joint_loss=float(np.nanmean([r.joint_loss for r in records])),  # where every day has a finite ES
        )


def part(forecasts: Forecasts, pnl: np.ndarray, book: int, low: int, high: int) -> tuple[MethodRecord, ...]:
    """The records of one book in the rows from `low` to `high`."""
    inside = slice(low - forecasts.first, high - forecasts.first)
    piece = Forecasts(
        forecasts.method, forecasts.confidences, low, forecasts.var[:, inside], forecasts.es[:, inside]
    )
    return held_against(piece, pnl[:high, book], book)


def walked(task: tuple[str, int, VaRConfig, bool]) -> list[list[tuple[MethodRecord, ...]]]:
    """One method on one chunk of books: records by book, before the split and after it."""
    method, start, settings, early_only = task
    data = study()
    books = data.books[:, start : start + CHUNK]
    end = data.split if early_only else len(data.returns)
    returns = data.returns[:end]
    forecasts = walk_forward(returns, books, method, CONFIDENCES, settings=settings)
    pnl = returns @ books
    spans = [(FIRST, data.split)] + ([] if early_only else [(data.split, end)])
    return [[part(forecasts, pnl, book, *span) for span in spans] for book in range(books.shape[1])]


def run(methods: Sequence[str], workers: int) -> dict[str, list[list[Summary]]]:
    """By method: periods x confidences."""
    books = study().books.shape[1]
    tasks = [(m, s, VaRConfig(), False) for m in methods for s in range(0, books, CHUNK)]
    found: dict[str, list[list[tuple[MethodRecord, ...]]]] = {}
    with ProcessPoolExecutor(workers) as pool, Progress(console=Console(stderr=True), transient=True) as bar:
        shown = bar.add_task("walking forward", total=len(tasks))
        for task, answer in zip(tasks, pool.map(walked, tasks), strict=True):
            found.setdefault(task[0], []).extend(answer)
            bar.advance(shown)
    return {
        method: [
            [Summary.of([book[period][row] for book in books]) for row in range(len(CONFIDENCES))]
            for period in range(2)
        ]
        for method, books in found.items()
    }


def tune(workers: int) -> Iterator[tuple[VaRConfig, Summary]]:
    """Every parameter of ``volatility_scaled`` on the days to the end of 2010, and none later."""
    grid = itertools.product(
        (0.84, 0.86, 0.88, 0.90, 0.92, 0.94), (0.0, 1.0, 2.0, 3.0), (0.0, 0.05, 0.1, 0.2)
    )
    settings = [VaRConfig(scaling_decay=d, downside_weight=w, long_run_weight=c) for d, w, c in grid]
    books = study().books.shape[1]
    tasks = [("volatility_scaled", s, one, True) for one in settings for s in range(0, books, CHUNK)]
    pieces = len(range(0, books, CHUNK))
    with ProcessPoolExecutor(workers) as pool:
        answers = pool.map(walked, tasks)
        for one in settings:
            records = [book[0][-1] for _ in range(pieces) for book in next(answers)]
            yield one, Summary.of(records)


def markdown(results: dict[str, list[list[Summary]]]) -> str:
    """The tables of the page."""
    lines = []
    for row, confidence in enumerate(CONFIDENCES):
        for period, said in enumerate(("2001-2010, where the parameters were chosen", "2011-2022, apart")):
            lines += [
                f"### {100 * confidence:g} %, {said}",
                "",
                "| method | passes Kupiec | passes conditional coverage | at most 9 in 250 days | "
                "mean worst year | exceptions | quantile loss, bp | joint loss |",
                "|---|---|---|---|---|---|---|---|",
            ]
            for method, periods in results.items():
                s = periods[period][row]
                lines.append(
                    f"| `{method}` | {s.kupiec:.0%} | {s.coverage:.0%} | {s.calm:.0%} | {s.worst:.1f} | "
                    f"{s.rate:.2%} | {s.quantile_loss:.3f} | {s.joint_loss:.4f} |"
                )
            lines.append("")
    return "\n".join(lines)


def show(results: dict[str, list[list[Summary]]]) -> Table:
    table = Table(title="99 %, 2011-2022", box=None, header_style="bold", title_justify="left")
    for name in ("method", "Kupiec", "coverage", "<= 9 a year", "exceptions", "quantile loss", "joint loss"):
        table.add_column(name, justify="left" if name == "method" else "right")
    for method, periods in results.items():
        s = periods[1][-1]
        table.add_row(
            method,
            f"{s.kupiec:.0%}",
            f"{s.coverage:.0%}",
            f"{s.calm:.0%}",
            f"{s.rate:.2%}",
            f"{s.quantile_loss:.3f}",
            f"{s.joint_loss:.4f}",
        )
    return table


def verdict(results: dict[str, list[list[Summary]]]) -> list[str]:
    """Whether the default reaches its goals on the later part."""
    ours, rival = results["volatility_scaled"][1][-1], results["filtered_historical"][1][-1]
    said = []
    for name, goal in GOALS.items():
        reached = getattr(ours, name)
        said.append(f"{name}: {reached:.0%}, goal {goal:.0%}: {'met' if reached >= goal else 'MISSED'}")
    met = ours.joint_loss < rival.joint_loss
    said.append(
        f"joint loss {ours.joint_loss:.4f} below filtered_historical's {rival.joint_loss:.4f}: "
        f"{'met' if met else 'MISSED'}"
    )
    return said


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.var_walk", description=__doc__)
    parser.add_argument("--method", action="append", choices=STUDIED, help="only this one; may be repeated")
    parser.add_argument("--tune", action="store_true", help="the grid that the parameters were chosen from")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="a page whose tables are renewed")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    wanted = parser.parse_args()
    console = Console()
    if wanted.tune:
        for one, s in tune(wanted.workers):
            console.print(
                f"decay {one.scaling_decay:.2f} downside {one.downside_weight:g} "
                f"long run {one.long_run_weight:g}: Kupiec {s.kupiec:.1%} coverage {s.coverage:.1%} "
                f"calm {s.calm:.1%} joint loss {s.joint_loss:.4f}"
            )
        return 0
    started = time.monotonic()
    results = run(wanted.method or STUDIED, wanted.workers)
    console.print(show(results))
    if {"volatility_scaled", "filtered_historical"} <= set(results):
        for line in verdict(results):
            console.print(line)
    console.print("Books of the same 20 stocks are not independent: the shares are no sample of 123.")
    console.print(f"{time.monotonic() - started:.0f} s")
    if wanted.write is not None:
        text = wanted.write.read_text(encoding="utf-8")
        head, _, _ = text.partition("\n### ")
        wanted.write.write_text(head + "\n" + markdown(results), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
