"""Write a golden journal: a small store of this version, and the state that it leads to, for ever.

    python tools/build_golden_journal.py 0.1.0

Makes ``<version>.db`` with its ``.head`` and ``.key``, and ``<version>.json`` with the state, in
``risk_management/tests/store/golden``. Run it once for each version that changes what is stored; a golden
journal is never made anew.
"""

from __future__ import annotations

import json
import random
import sqlite3
import sys
import tempfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings

from risk_management.core.fill_report import FillReport
from risk_management.core.order_desk import OrderTicket
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.model.amend import amended
from risk_management.model.events import (
    BreaksSeen,
    ClockStepped,
    DrawdownAdjusted,
    EmergencyStepped,
    EquityReported,
    ModelRefreshed,
    Noted,
    PeaksSeen,
    VarHaltChanged,
    VarRecorded,
)
from risk_management.model.instrument import Instrument
from risk_management.model.portfolio import SYSTEM
from risk_management.store.backup import back_up
from risk_management.store.sql_journal import SqlJournal
from risk_management.tests.store.events import KINDS, of
from risk_management.tests.store.test_golden import GOLDEN, recorded
from risk_management.tests.store.workload import Bot, run
from risk_management.tests.store.world import small_foundation


def main() -> int:
    version = sys.argv[1]
    target = GOLDEN / f"{version}.db"
    if target.exists():
        sys.exit(f"{target} is there already: a golden journal is never made anew")
    GOLDEN.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "s.db"
        for life in range(2):
            manager = AdvancedRiskManager.on(small_foundation(), journal=SqlJournal(str(store)))
            live(manager, life)
            manager.close()
        slim(store)
        verdict = back_up(str(store), target)
    assert verdict.is_clean, verdict.problems
    known = recorded(target)
    missing = KINDS.keys() - set(known["kinds"])
    assert not missing, f"no sample of {missing}"
    target.with_suffix(".json").write_text(json.dumps(known), "utf-8")
    print(f"{target}: {verdict.entries} entries, {target.stat().st_size // 1024} kB")
    return 0


def slim(store: Path) -> None:
    """Leave one snapshot, and no room that nothing stands in."""
    with closing(sqlite3.connect(store, isolation_level=None)) as connection:
        connection.execute("DELETE FROM snapshots WHERE seq < (SELECT max(seq) FROM snapshots)")
        connection.execute("VACUUM")


def live(manager: AdvancedRiskManager, life: int) -> None:
    """Everything that can happen, once and more."""
    clock, book = manager.clock, manager.book
    manager.set_rate("EUR", 1.25)
    manager.define_instrument(Instrument("EURO", "equity", "tech", currency="EUR", lot=0.5, multiplier=10.0))
    manager.update_prices({"AAA": 100.0, "BBB": 50.0, "EURO": 7.0})
    for bot in ("a", "b"):
        run(Bot(manager, bot, life), lambda _act: None, 18)
        clock.advance(3600.0)
    for number in range(3):
        manager.release_emergency("a person", "go on")
        ticket = OrderTicket("BBB", "buy", 3000.0 + number, "trend", "c", 0.9, None, 200.0)
        asked = manager.request_trade(ticket)
        if asked.approved:
            report = FillReport(asked.request_id, asked.recommended_size / 2, 50.0, fee=1.5)
            manager.execute_trade(report)
    manager.record_split("BBB", 2.0)
    manager.record_cash("withdrawal", 1234.5)
    manager.record_fill("CCC", "sell", 3.0, 80.0, execution_id=f"broker-{life}")
    for _ in range(3):
        clock.advance(86_400.0)
        manager.update_prices({"AAA": 100.0 + random.Random(life).uniform(-1.0, 1.0), "BBB": 25.0})
        manager.assess_overall_risk()
    state, now = manager.state, clock.now()
    drawdown = replace(state.drawdown, peak=state.drawdown.peak * 1.01)
    refreshed = amended(state.model, market_volatility_ratio=0.9)
    for event in (
        Noted(now, SYSTEM, "NOTE", "Grüße, 世界 \U0001f4c8"),
        ClockStepped(now, SYSTEM, 3.5),
        EquityReported(now, SYSTEM, float(state.equity or 0.0) + 10.0),
        VarHaltChanged(now, SYSTEM, life == 0),
        ModelRefreshed(now, SYSTEM, refreshed),
        PeaksSeen(now, SYSTEM, (("a", 10**10),), (("s", 10**9),)),
        DrawdownAdjusted(now, SYSTEM, drawdown, "told"),
        EmergencyStepped(now, SYSTEM, tuple(state.emergency.counts.items())),
        VarRecorded(now, SYSTEM, state.var_record),
        sample(BreaksSeen),
    ):
        book.apply(event)


def sample(kind: type) -> object:
    """One made-up event of a kind, the same in every run."""
    found = []

    @seed(7)
    @settings(
        max_examples=20, phases=[Phase.generate], database=None, suppress_health_check=list(HealthCheck)
    )
    @given(of(kind))
    def draw(event: object) -> None:
        found.append(replace(event, at=small_foundation().clock.now(), account_id="main"))

    draw()
    return found[-1]


if __name__ == "__main__":
    sys.exit(main())
