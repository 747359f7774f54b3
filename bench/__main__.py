"""`python -m bench`: measure and print; ``--write PAGE`` renews a page, ``--json FILE`` keeps the rows."""

from __future__ import annotations

import argparse
import json
import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")  # decisions use no threaded BLAS; neither does the other side

import platform
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench.durable import durable_rows
from bench.http import http_rows
from bench.rows import collector_rows, decision_rows, memory_row, number_rows, process_rows, state_rows
from bench.timing import Row


def main() -> int:
    wanted = _arguments()
    console = Console(width=None if sys.stdout.isatty() else 120)
    parts = [decision_rows, collector_rows, state_rows, durable_rows, http_rows, number_rows, process_rows]
    rows = list(
        chain.from_iterable(part() for part in track(parts, "measuring", console=console, transient=True))
    )
    memory = memory_row()
    console.print(table_of(rows))
    console.print(memory)
    console.print(
        "Real returns of the sample, resampled by blocks; medians over rounds in turn, collector held off."
    )
    if wanted.write is not None:
        wanted.write.write_text(page(rows, memory) + _kept(wanted.write), encoding="utf-8")
    if wanted.json is not None:
        facts = [{**asdict(row), "allowed": row.allowed, "verdict": row.verdict} for row in rows]
        wanted.json.write_text(json.dumps({"rows": _plain(facts), "memory": memory}, indent=1), "utf-8")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--write", type=Path, metavar="PAGE", help="a Markdown page to renew")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to keep the rows")
    return parser.parse_args()


def _kept(page: Path) -> str:
    """What people wrote below the table, from the first heading of the second level on."""
    text = page.read_text(encoding="utf-8") if page.exists() else ""
    start = text.find("\n## ")
    return "" if start < 0 else text[start:]


def _plain(facts: list[dict[str, object]]) -> list[dict[str, object]]:
    """JSON has no NaN."""
    return [{key: None if value != value else value for key, value in fact.items()} for fact in facts]


def table_of(rows: Iterable[Row]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("what", no_wrap=True)
    for name in ("ours us", "p99 us", "theirs us", "ratio", "budget"):
        table.add_column(name, justify="right")
    table.add_column("beside")
    for row in rows:
        budget = f"{row.allowed} {row.verdict}".strip()
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
        "The prices are real returns of the sample, resampled by blocks of 20 days, the same days for",
        "all names. Books have 1,250 days and 20 scenarios; an order that is measured is approved in full.",
        "",
        "| what | ours | p99 | theirs | ratio | budget | beside |",
        "|---|---:|---:|---:|---:|---|---|",
    ]
    for row in rows:
        budget = f"{row.allowed}: {row.verdict}" if row.verdict else ""
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
