"""The rows of the table."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import count

import numpy as np
import pandas as pd
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from bench.books import Desk, foundation, returns
from bench.scratch import Scratch
from bench.timing import Row, side_by_side
from risk_management.calculators.var_methods import VAR_METHODS, Sample, TailInput
from risk_management.clock import ManualClock
from risk_management.core.decision import judge
from risk_management.core.fill_report import FillReport
from risk_management.core.order_desk import OrderTicket
from risk_management.measures.dependence import cluster, correlation
from risk_management.measures.tail import var_es
from risk_management.model.events import QuotesReceived
from risk_management.model.portfolio import Quote
from risk_management.model.trade import TradeRequest
from risk_management.service.collector import Collector

__all__ = [
    "asking",
    "collector_rows",
    "decision_rows",
    "memory_row",
    "number_rows",
    "process_rows",
    "state_rows",
]

ORDERS = 40_000


def decision_rows() -> Iterator[Row]:
    """A full decision beside the same measures from scratch; then its tail and its growth with the book."""
    bases = {names: foundation(names) for names in (20, 100, 500)}
    desks = {names: Desk(base) for names, base in bases.items()}
    for names, desk in desks.items():
        yield _decision(f"decision, {names} positions", desk, asking(desk))
    desk = desks[500]
    yield _decision("the judgement alone, 500 positions", desk, _judging(desk))
    working = Desk(bases[500], reservations=50)
    yield _decision("decision, 500 positions, 50 open approvals", working, asking(working))
    ours, p99, theirs = side_by_side(asking(desk), asking(desks[20]), calls=400)
    yield Row("decision, growth from 20 to 500 positions", ours, p99, theirs, "itself at 20", 1.3)
    yield Row("decision, 99th percentile, 500 positions", p99, np.nan, ours, "its own median", 2.5)


def _decision(what: str, desk: Desk, work: Callable[[], object]) -> Row:
    scratch = Scratch(desk)
    ours, p99, theirs = side_by_side(work, lambda: scratch.what_if(3, 500.0), calls=400)
    note = "30 checks, findings and decision object on our side; measures alone on theirs"
    return Row(what, ours, p99, theirs, "numpy from scratch", note=note)


def asking(desk: Desk) -> Callable[[], object]:
    """Ask a desk for an order that it approves in full: a refusal would be another measurement."""
    ticket = OrderTicket(desk.symbols[3], "buy", 500.0, "s3", "b3")
    answer = desk.desk.ask(ticket)
    if answer.outcome != "approved":
        raise RuntimeError(f"the order of the bench must be approved: {answer.explain()}")
    return lambda: desk.desk.ask(ticket)


def _judging(desk: Desk) -> Callable[[], object]:
    book, now = desk.book, desk.clock.now()
    request = TradeRequest(
        request_id="bench",
        symbol=desk.symbols[3],
        side=1,
        size=500.0,
        strategy="s3",
        bot="b3",
        account_id=book.config.account_id,
        confidence=1.0,
        limit_price=None,
        risk_amount=None,
        requested_at=now,
        reserves=False,
    )
    return lambda: judge(book.state, request, book.config, desk.desk.checks, now, "digest")


def state_rows() -> Iterator[Row]:
    """A tick, an approval and a fill applied to the state, beside copying a dict of 500 entries."""
    desk = Desk(foundation(500))
    book, clock, step = desk.book, desk.clock, count()
    plain = {f"N{n}": float(n) for n in range(500)}

    def tick() -> None:
        number = next(step)
        quotes = ((desk.symbols[number % 500], Quote(100.0 + 0.01 * (number % 7), clock.now(), "bench")),)
        book.apply(QuotesReceived(at=clock.now(), actor="bench", quotes=quotes))

    yield _beside_copy("price tick applied, 500 positions", tick, plain, most=10.0)
    approved: list[tuple[str, float]] = []

    def order() -> None:
        """Buys and sells in turn, so that the book stays as it is."""
        number = next(step)
        clock.advance(3.0)  # the pace that one bot may keep
        side = "buy" if number % 2 else "sell"
        ticket = OrderTicket(desk.symbols[number // 2 % 500], side, 50.0, *_owner(number // 2))
        decision = desk.desk.request(ticket)
        if not decision.approved:
            raise RuntimeError(f"the order of the bench must be approved: {decision.explain()}")
        approved.append((decision.request_id, decision.recommended_size))

    def fill() -> None:
        request_id, size = approved.pop()
        desk.desk.execute(FillReport(request_id, size, 100.0))

    def both() -> None:
        order()
        fill()

    yield _beside_copy("approved, reserved and filled, 500 positions", both, plain)
    yield _beside_copy("fill reported and applied, 500 positions", fill, plain, most=10.0, before=order)


def _beside_copy(
    what: str,
    work: Callable[[], object],
    plain: dict[str, float],
    *,
    most: float | None = None,
    before: Callable[[], object] | None = None,
) -> Row:
    ours, p99, theirs = side_by_side(work, plain.copy, calls=100, before=before)
    return Row(what, ours, p99, theirs, "copying a dict of 500", most=most)


def _owner(number: int) -> tuple[str, str]:
    """One of four strategies, and its bot."""
    return f"s{number % 4}", f"b{number % 4}"


def collector_rows() -> Iterator[Row]:
    """The slowest of many orders with Python's collector as it comes, and with ours as in `risk serve`."""
    theirs = _slowest(Desk(foundation(500)), None)
    clock = ManualClock(datetime(2024, 1, 1, tzinfo=UTC))
    with Collector(clock) as collector:
        ours = _slowest(Desk(foundation(500)), (clock, collector))
    note = f"{ORDERS:,} orders, all kept; processor time of the caller's thread"
    yield Row("slowest of many orders, 500 positions", ours, np.nan, theirs, "Python's collector", 0.2, note)


def _slowest(desk: Desk, ours: tuple[ManualClock, Collector] | None) -> float:
    """Microseconds of the slowest; where the collector is ours it has its turn after each 500."""
    slowest = 0
    for number in range(ORDERS):
        desk.clock.advance(3.0)  # the pace that one bot may keep
        side = "buy" if number % 2 else "sell"
        ticket = OrderTicket(desk.symbols[number // 2 % 500], side, 50.0, *_owner(number // 2))
        start = time.thread_time_ns()
        decision = desk.desk.request(ticket)
        slowest = max(slowest, time.thread_time_ns() - start)
        desk.desk.execute(FillReport(decision.request_id, decision.recommended_size, 100.0))
        if ours is not None and number % 500 == 0:
            ours[0].advance(1.0)
            ours[1].turn(is_busy=False)
    return slowest / 1e3


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
            0.1,
        )
        shocks = np.asfortranarray(rng.normal(-0.1, 0.1, (20, names)))
        shock_frame = pd.DataFrame(shocks)
        ours, p99, theirs = side_by_side(
            lambda s=shocks, w=weights: (s @ w).min(),
            lambda s=shock_frame, w=weights: (s * w).sum(axis=1).min(),
            calls=60,
        )
        yield Row(f"20 scenarios, {names} names", ours, p99, theirs, "pandas")
    yield from simulation_rows()
    series = returns(1)[:, 0]
    plain = pd.Series(series)
    ours, p99, theirs = side_by_side(
        lambda: var_es(series, (0.95,)),
        lambda: (-plain.quantile(0.05), -plain[plain <= plain.quantile(0.05)].mean()),
        calls=400,
    )
    yield Row("VaR and ES of one series", ours, p99, theirs, "pandas")


def simulation_rows() -> Iterator[Row]:
    """Monte Carlo VaR of 500 names, 10,000 draws, so at one standard error, beside the plain loop."""
    rng = np.random.default_rng(5)
    table, weights = returns(500), rng.dirichlet(np.ones(500))
    mean, covariance = table.mean(axis=0), np.cov(table, rowvar=False)
    sample = Sample(table, weights)
    sample.pnl  # noqa: B018 - a report computes it once for all methods
    question = TailInput(sample, sample, sample, 0.99, 1, 10_000, (1,))

    def plain() -> float:
        drawn = np.random.default_rng(1).multivariate_normal(mean, covariance, 10_000)
        return -float(np.percentile(drawn @ weights, 1.0))

    for name in ("monte_carlo", "monte_carlo_full"):
        method = VAR_METHODS.get(name)
        ours, p99, theirs = side_by_side(lambda m=method: m(question), plain, calls=3, rounds=3)
        budget = 0.01 if name == "monte_carlo" else None
        yield Row(f"{name}, 500 names, 10,000 draws", ours, p99, theirs, "multivariate_normal", budget)


def _clusters_with_pandas(frame: pd.DataFrame) -> np.ndarray:
    rho = frame.corr().to_numpy()
    distance = np.sqrt(np.clip(0.5 * (1.0 - rho), 0.0, None))
    np.fill_diagonal(distance, 0.0)
    return fcluster(linkage(squareform(distance, checks=False), "average"), np.sqrt(0.15), "distance")


def process_rows() -> Iterator[Row]:
    """Whole processes beside a bare interpreter."""
    bare = _process("pass")
    for what, most, code in (
        ("import risk_management", 150_000.0, "import risk_management"),
        (
            "risk --help",
            300_000.0,
            "import sys; sys.argv = ['risk', '--help']; from risk_management.cli.main import main; main()",
        ),
    ):
        took = _process(code)
        note = f"{(took - bare) / 1e3:.0f} ms above it"
        yield Row(what, took, np.nan, bare, "a bare interpreter", note=note, most=most)


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
