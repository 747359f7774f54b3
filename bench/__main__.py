"""`python -m bench`: measure, print, and with ``--write FILE`` put the table into a page."""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")  # decisions use no threaded BLAS; neither does the other side

import platform
import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench.rows import decision_rows, memory_row, number_rows, process_rows, state_rows
from bench.timing import Row


def main() -> int:
    console = Console(width=None if sys.stdout.isatty() else 120)
    parts = [decision_rows, state_rows, number_rows, process_rows]
    rows = list(
        chain.from_iterable(part() for part in track(parts, "measuring", console=console, transient=True))
    )
    memory = memory_row()
    console.print(table_of(rows))
    console.print(memory)
    console.print(
        "Real returns of the sample, resampled by blocks; medians over rounds in turn, collector held off."
    )
    if "--write" in sys.argv:
        Path(sys.argv[sys.argv.index("--write") + 1]).write_text(page(rows, memory), encoding="utf-8")
    return 0


def table_of(rows: Iterable[Row]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("what", no_wrap=True)
    for name in ("ours us", "p99 us", "theirs us", "ratio", "budget"):
        table.add_column(name, justify="right")
    table.add_column("beside")
    for row in rows:
        budget = "" if row.budget is None else f"{row.budget:.2f} {row.verdict}"
        table.add_row(
            row.what,
            f"{row.ours:,.1f}",
            _or_dash(row.ours_p99),
            f"{row.theirs:,.1f}",
            f"{row.ratio:.2f}",
            budget,
            row.beside,
        )
    return table


def page(rows: Iterable[Row], memory: str) -> str:
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    lines = [
        "# Benchmarks",
        "",
        f"Made by `python -m bench --write docs/benchmarks.md` on {datetime.now(UTC):%Y-%m-%d} at commit",
        f"{commit.stdout.strip() or 'unknown'}, Python {platform.python_version()},",
        f"{os.cpu_count()} shared cores.",
        "Both sides of a ratio take turns in one run; microseconds, medians.",
        "Absolute figures drift with the machine.",
        "The prices are real returns of the sample, resampled by blocks of 20 days.",
        "",
        "| what | ours | p99 | theirs | ratio | budget | beside |",
        "|---|---:|---:|---:|---:|---|---|",
    ]
    for row in rows:
        budget = "" if row.budget is None else f"{row.budget:.2f}: {row.verdict}"
        beside = row.beside + (f"; {row.note}" if row.note else "")
        lines.append(
            f"| {row.what} | {row.ours:,.1f} | {_or_dash(row.ours_p99)} | {row.theirs:,.1f} "
            f"| {row.ratio:.2f} | {budget} | {beside} |"
        )
    return "\n".join([*lines, "", memory + ".", ""])


def _or_dash(value: float) -> str:
    return "-" if value != value else f"{value:,.1f}"


if __name__ == "__main__":
    sys.exit(main())
