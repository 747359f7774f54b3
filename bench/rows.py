"""The rows of the table."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from bench.books import Desk, foundation, returns
from bench.scratch import Scratch
from bench.timing import Row, side_by_side
from risk_management.core.fill_report import FillReport
from risk_management.core.order_desk import OrderTicket
from risk_management.measures.dependence import cluster, correlation
from risk_management.measures.tail import var_es
from risk_management.model.events import QuotesReceived
from risk_management.model.portfolio import Quote

__all__ = ["decision_rows", "memory_row", "number_rows", "process_rows", "state_rows"]


def decision_rows() -> Iterator[Row]:
    """A full decision beside the same measures from scratch; then its growth with the book."""
    desks = {names: Desk(foundation(names)) for names in (20, 100, 500)}
    for names, desk in desks.items():
        scratch = Scratch(desk)
        ours, p99, theirs = side_by_side(_asks(desk), lambda s=scratch: s.what_if(3, 500.0), calls=400)
        scenarios = len(desk.book.state.model.scenario_ids)
        yield Row(
            f"decision, {names} positions x 1,250 days x {scenarios} scenarios",
            ours,
            p99,
            theirs,
            "numpy from scratch",
            note="31 checks, validation, findings and decision object on our side; measures alone on theirs",
        )
    ours, p99, theirs = side_by_side(*(_asks(desks[names]) for names in (500, 20)), calls=400)
    yield Row("decision, growth from 20 to 500 positions", ours, p99, theirs, "itself at 20", 1.3)


def _asks(desk: Desk) -> Callable[[], object]:
    ticket = OrderTicket(desk.symbols[3], "buy", 500.0, "s3", "b3")
    return lambda: desk.desk.ask(ticket)


def state_rows() -> Iterator[Row]:
    """A tick and a fill applied to the state, beside copying a dict of 500 entries."""
    desk = Desk(foundation(500))
    book, clock = desk.book, desk.clock
    plain = {f"N{n}": float(n) for n in range(500)}

    def tick(number=[0]):
        number[0] += 1
        price = 100.0 + number[0] % 7
        quotes = ((desk.symbols[number[0] % 500], Quote(price, clock.now(), "bench")),)
        book.apply(QuotesReceived(at=clock.now(), actor="bench", quotes=quotes))

    ours, p99, theirs = side_by_side(tick, plain.copy, calls=300)
    yield Row("price tick applied, 500 positions", ours, p99, theirs, "copying a dict of 500")

    def trade():
        decision = desk.desk.request(OrderTicket(desk.symbols[1], "buy", 50.0 + trade.n % 1000, "s1", "b9"))
        trade.n += 1
        clock.advance(11.0)
        if decision.approved:
            desk.desk.execute(FillReport(decision.request_id, decision.recommended_size, 100.0))

    trade.n = 0
    ours, p99, theirs = side_by_side(trade, plain.copy, calls=100)
    yield Row("approved, reserved and filled, 500 positions", ours, p99, theirs, "copying a dict of 500")


def number_rows() -> Iterator[Row]:
    """VaR, correlation and stress beside the everyday way with pandas."""
    rng = np.random.default_rng(3)
    for names in (100, 500, 2000):
        table = np.asfortranarray(returns(names))
        weights = rng.dirichlet(np.ones(names))
        frame = pd.DataFrame(table)

        def with_pandas(f=frame, w=weights):
            pnl = (f * w).sum(axis=1)
            var = -pnl.quantile(0.05)
            return var, -pnl[pnl <= -var].mean()

        ours, p99, theirs = side_by_side(
            lambda t=table, w=weights: var_es(t @ w, (0.95, 0.975)), with_pandas, calls=15
        )
        yield Row(f"historical VaR and ES of a book, {names} names", ours, p99, theirs, "pandas", 0.1)
        ours, p99, theirs = side_by_side(
            lambda t=table: cluster(correlation(t, "ledoit_wolf"), threshold=0.7),
            lambda f=frame: _clusters_with_pandas(f),
            calls=2,
            rounds=3,
        )
        yield Row(
            f"shrunken correlation with clusters, {names} names",
            ours,
            p99,
            theirs,
            "pandas corr + scipy",
            0.5,
        )
        shocks = np.asfortranarray(rng.normal(-0.1, 0.1, (20, names)))
        shock_frame = pd.DataFrame(shocks)
        ours, p99, theirs = side_by_side(
            lambda s=shocks, w=weights: (s @ w).min(),
            lambda s=shock_frame, w=weights: (s * w).sum(axis=1).min(),
            calls=60,
        )
        yield Row(f"20 scenarios, {names} names", ours, p99, theirs, "pandas")
    series = returns(1)[:, 0]
    plain = pd.Series(series)
    ours, p99, theirs = side_by_side(
        lambda: var_es(series, (0.95,)),
        lambda: (-plain.quantile(0.05), -plain[plain <= plain.quantile(0.05)].mean()),
        calls=400,
    )
    yield Row("VaR and ES of one series", ours, p99, theirs, "pandas", 2 / 3)


def _clusters_with_pandas(frame: pd.DataFrame) -> np.ndarray:
    rho = frame.corr().to_numpy()
    distance = np.sqrt(np.clip(0.5 * (1.0 - rho), 0.0, None))
    np.fill_diagonal(distance, 0.0)
    return fcluster(linkage(squareform(distance, checks=False), "average"), np.sqrt(0.15), "distance")


def process_rows() -> Iterator[Row]:
    """Whole processes beside a bare interpreter."""
    bare = _process("pass")
    for what, code in (
        ("import risk_management", "import risk_management"),
        (
            "risk --help",
            "import sys; sys.argv = ['risk', '--help']; from risk_management.cli.main import main; main()",
        ),
    ):
        took = _process(code)
        yield Row(
            what, took, np.nan, bare, "a bare interpreter", note=f"{(took - bare) / 1e3:.0f} ms above it"
        )


def _process(code: str) -> float:
    times = []
    for _ in range(5):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=False, capture_output=True)
        times.append(time.perf_counter() - start)
    return 1e6 * float(np.median(times))


def memory_row() -> str:
    """Resident memory of a process that holds 500 names x 1,250 days."""
    code = (
        "from bench.books import Desk, foundation; desk = Desk(foundation(500)); "
        "print([l for l in open('/proc/self/status') if l.startswith('VmRSS')][0].split()[1])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return f"resident memory with 500 names x 1,250 days: {int(done.stdout) / 1024:.0f} MB (budget 250)"
