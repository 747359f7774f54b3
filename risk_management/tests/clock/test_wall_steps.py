"""Steps of the wall clock, in this process and in a real one whose system calls are shifted."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import time_machine

from risk_management.clock import ManualClock, SystemClock
from risk_management.core.order_desk import OrderTicket
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.errors import InvalidRequest
from risk_management.model.instrument import Instrument
from risk_management.model.portfolio import ReservationStatus

DAY = 86_400.0
STEPS = (DAY, -DAY, 3600.0, -3600.0, 3.0, -3.0, 1.0e9)  # with daylight saving, a leap second's care, and 2038


def test_a_step_moves_no_interval_and_is_seen():
    with time_machine.travel(datetime(2026, 3, 1, tzinfo=UTC), tick=False) as wall:
        clock = SystemClock()
        before = clock.now()
        for step in STEPS:
            wall.shift(step)
            assert clock.wall_offset() == pytest.approx(step, abs=0.5)
            assert abs((clock.now() - before).total_seconds()) < 60.0
            wall.shift(-step)
            assert clock.wall_offset() == pytest.approx(0.0, abs=0.5)


@pytest.fixture
def running(make_manager):
    manager, clock = make_manager()
    manager.register_bot("a", "", 5000.0)
    manager.add_position("KO", 600.0, 60.0, bot_name="a")
    manager.update_prices({"KO": 60.0})
    return manager, clock


def ask(manager, size=100.0, action="buy"):
    return manager.request_trade(OrderTicket("KO", action, size, "", "a"))


@pytest.mark.parametrize("step", STEPS)
def test_nothing_opens_on_a_price_from_before_a_step(running, step):
    manager, clock = running
    assert ask(manager, 90.0).approved
    clock.step_wall(step)
    refused = ask(manager)
    assert refused.rejection_reasons == ("STALE_PRICE",)
    if abs((clock.now() - manager.state.quotes["KO"].time).total_seconds()) < 60.0:
        assert "a step of the clock; the next quote will do" in refused.explain()
    assert ask(manager, 50.0, "sell").approved
    clock.advance(1.0)
    manager.update_prices({"KO": 60.0})
    assert ask(manager, 110.0).approved


@pytest.mark.parametrize("step", [DAY, -DAY])
def test_a_step_frees_nothing_and_ends_no_window_early(foundation, step):
    config = foundation.config.update(order_config={"max_orders_per_minute": 3, "duplicate_window": 30.0})
    clock = ManualClock(foundation.clock.now())
    manager = AdvancedRiskManager.on(replace(foundation, config=config, clock=clock))
    manager.register_bot("a", "", 5000.0)
    manager.update_prices({"KO": 60.0})
    first = ask(manager, 50.0)
    clock.step_wall(step)
    clock.advance(1.0)
    manager.update_prices({"KO": 60.0})
    manager.assess_overall_risk()
    assert manager.state.reservations[first.request_id].status is ReservationStatus.RESERVED
    assert "DUPLICATE_INTENT" in ask(manager, 50.0).rejection_reasons
    ask(manager, 51.0)
    assert "RATE_LIMIT" in ask(manager, 52.0).rejection_reasons
    assert manager.state.drawdown.day == foundation.new_book().state.drawdown.day


def test_a_feed_s_own_stamps_are_read_on_the_stepped_clock(running):
    manager, clock = running
    clock.step_wall(DAY)
    manager.assess_overall_risk()
    clock.advance(1.0)
    wall = clock.now() + timedelta(seconds=DAY)
    assert manager.update_prices({"KO": 60.5}, at=wall).accepted == ("KO",)
    assert ask(manager, 70.0).approved
    with pytest.raises(InvalidRequest, match="FUTURE_TIMESTAMP"):
        manager.update_prices({"KO": 60.5}, at=wall + timedelta(seconds=6.0))


def test_what_is_told_twice_is_one_step(running):
    manager, clock = running
    clock.step_wall(DAY)
    for _ in range(3):
        manager.assess_overall_risk()
    stepped = manager.state.prices_since
    clock.advance(10.0)
    manager.assess_overall_risk()
    assert manager.state.prices_since == stepped


@pytest.mark.parametrize("ahead", [0.00003, 4.0])
def test_a_price_that_was_stamped_ahead_of_us_is_from_before_the_step_too(running, ahead):
    manager, clock = running
    manager.update_prices({"KO": 60.0}, at=clock.now() + timedelta(seconds=ahead))
    assert ask(manager, 50.0).approved
    clock.step_wall(-DAY)
    manager.assess_overall_risk()
    assert "STALE_PRICE" in ask(manager, 60.0).rejection_reasons
    clock.advance(5.0)
    manager.update_prices({"KO": 60.0})
    assert ask(manager, 70.0).approved


@pytest.fixture
def start_at(foundation, tmp_path):
    """Starts an engine on one store at a moment of the wall clock."""
    config = foundation.config.update(store=str(tmp_path / "book.db"))

    def start(moment):
        clock = ManualClock(moment)
        return AdvancedRiskManager.on(replace(foundation, config=config, clock=clock)), clock

    return start


@pytest.mark.parametrize("ahead", [0.0, 0.00003, 4.0])
@pytest.mark.parametrize("step", [DAY, 40.0, -40.0, -DAY])
def test_a_step_while_no_process_runs_opens_nothing_on_an_old_price(foundation, start_at, step, ahead):
    """Down for a minute: what the wall clock says of it is not to be believed, and time never goes back."""
    manager, clock = start_at(foundation.clock.now())
    manager.register_bot("a", "", 5000.0)
    manager.update_prices({"KO": 60.0}, at=clock.now() + timedelta(seconds=ahead))
    assert ask(manager, 50.0).approved
    last = manager.state.as_of
    manager.close()
    manager, clock = start_at(clock.now() + timedelta(seconds=60.0 + step))
    assert manager.clock.now() >= last
    assert "STALE_PRICE" in ask(manager, 60.0).rejection_reasons
    clock.advance(1.0 + ahead)
    update = manager.update_prices({"KO": 60.0}, at=clock.now())  # by the machine's own time
    assert update.accepted == ("KO",)
    assert ask(manager, 70.0).approved
    manager.close()


WORKER = """
import json, sys
import pandas as pd
from risk_management.clock import SystemClock
from risk_management.core.order_desk import OrderTicket
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.market_data.sample import SampleSource

clock, history = SystemClock(), SampleSource().history()
closes = pd.DataFrame(history.closes, columns=list(history.symbols))[["KO", "PG", "SPY"]].dropna().tail(900)
closes.index = pd.bdate_range(end=clock.now().date(), periods=900)
manager = AdvancedRiskManager(prices=closes, clock=clock)  # the sample's prices, moved to this year
manager.register_bot("a", "", 5000.0)
for line in sys.stdin:
    word, size = line.split()
    if word == "price":
        manager.update_prices({"KO": 60.0})
        print(json.dumps("priced"), flush=True)
    else:
        answer = manager.request_trade(OrderTicket("KO", "buy", float(size), "", "a"))
        print(json.dumps(list(answer.rejection_reasons)), flush=True)
"""


@pytest.mark.parametrize("step", [DAY, -DAY])
def test_a_real_process_whose_wall_clock_is_shifted(tmp_path, step):
    if shutil.which("gcc") is None:
        pytest.skip("gcc is missing: the shifted process can't be built here")
    source, library = Path(__file__).with_name("wall_shift.c"), tmp_path / "wall_shift.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    shift = tmp_path / "shift"
    shift.write_text("0")
    environment = {"LD_PRELOAD": str(library), "WALL_SHIFT": str(shift), "PATH": "/usr/bin:/bin"}
    with subprocess.Popen(
        [sys.executable, "-c", WORKER],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as worker:

        def say(text):
            worker.stdin.write(f"{text}\n")
            worker.stdin.flush()
            return json.loads(worker.stdout.readline())

        assert say("price 0") == "priced"
        assert say("buy 50") == []
        shift.write_text(str(int(step)))
        assert say("buy 51") == ["STALE_PRICE"]
        assert say("price 0") == "priced"
        assert "STALE_PRICE" not in say("buy 52")
        worker.stdin.close()


@pytest.mark.parametrize("step", [-DAY, -40.0])
def test_a_clock_that_was_set_back_while_down_opens_nothing_on_a_daily_price_or_rate(
    foundation, start_at, step
):
    manager, clock = start_at(foundation.clock.now())
    manager.register_bot("a", "", 5000.0)
    manager.define_instrument(Instrument("SAP", "equity", "tech", currency="EUR"))
    manager.set_rate("EUR", 1.1)
    manager.update_prices({"SAP": 100.0, "KO": 60.0}, daily=True)
    order = OrderTicket("SAP", "buy", 60.0, bot_name="a")
    assert manager.desk.ask(order).approved
    manager.close()
    manager, clock = start_at(clock.now() + timedelta(seconds=step))
    assert "NO_RATE" in manager.desk.ask(order).rejection_reasons
    assert "STALE_PRICE" in ask(manager, 60.0).rejection_reasons
    clock.advance(1.0)
    manager.set_rate("EUR", 1.1)
    manager.update_prices({"SAP": 100.0}, daily=True)
    assert manager.desk.ask(order).approved
    manager.close()
