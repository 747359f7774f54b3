"""`python -m bench.peers`: our side and what people would use instead, in turns, in this run."""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import sys
import warnings
from collections.abc import Callable

from rich.console import Console
from rich.table import Table

from bench.books import Desk, foundation, returns
from bench.peer_work import PEERS
from bench.rows import asking
from bench.timing import side_by_side
from risk_management.measures.tail import var_es

UNEQUAL = {
    "NautilusTrader RiskEngine": "it checks one order's notional and balance; ours judges the whole book: "
    "30 checks, VaR, ES, stress, findings, 500 positions",
    "quantstats": "its VaR is the normal one",
}


def main() -> int:
    warnings.simplefilter("ignore")
    console = Console(width=None if sys.stdout.isatty() else 120)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name, side in (("beside", "left"), ("ours us", "right"), ("theirs us", "right"), ("ratio", "right")):
        table.add_column(name, justify=side)
    table.add_column("what is compared, and what is unequal")
    for name, make in PEERS.items():
        try:
            theirs = make()
        except Exception as problem:  # noqa: BLE001 - a peer's own failure is a row, not the end
            table.add_row(name, "-", "-", "-", f"not measured: {type(problem).__name__}: {problem}"[:90])
            continue
        ours, what = _ours(name)
        mine, _, other = side_by_side(ours, theirs, calls=300)
        said = what + (f"; {UNEQUAL[name]}" if name in UNEQUAL else "")
        table.add_row(name, f"{mine:,.1f}", f"{other:,.1f}", f"{mine / other:.2f}", said)
    console.print(table)
    return 0


def _ours(peer: str) -> tuple[Callable[[], object], str]:
    if peer.startswith("Nautilus"):
        return asking(Desk(foundation(500))), "one decision, approved"
    series = returns(1)[:, 0]
    return lambda: var_es(series, (0.95,)), "VaR and ES of 1,250 returns"


if __name__ == "__main__":
    sys.exit(main())
