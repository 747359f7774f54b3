"""Cycles are looked for between requests, and nothing is left lying or switched off."""

from __future__ import annotations

import gc
import threading
import weakref
from datetime import UTC, datetime

import pytest

from risk_management.clock import ManualClock, SystemClock
from risk_management.service.collector import EVERY, LATEST, WHOLE, Collector
from risk_management.service.server import Server
from risk_management.tests.store.test_kills import wait_until


class Ring:
    def __init__(self):
        self.me = self


def cycle():
    return weakref.ref(Ring())


@pytest.fixture
def clock():
    return ManualClock(datetime(2024, 1, 2, tzinfo=UTC))


def test_only_between_requests(clock):
    with Collector(clock) as collector:
        left = cycle()
        clock.advance(EVERY)
        collector.turn(is_busy=True)
        assert left() is not None
        collector.turn(is_busy=False)
        assert left() is None


def test_not_at_every_turn_and_not_never(clock):
    with Collector(clock) as collector:
        left = cycle()
        collector.turn(is_busy=False)
        assert left() is not None
        clock.advance(LATEST)
        collector.turn(is_busy=True)
        assert left() is None


def test_what_is_old_is_looked_at_now_and_then(clock):
    with Collector(clock) as collector:
        ring = Ring()
        left = weakref.ref(ring)
        for _ in range(3):
            gc.collect(1)  # it is among the old ones now
        del ring
        clock.advance(EVERY)
        collector.turn(is_busy=False)
        assert left() is not None
        clock.advance(WHOLE)
        collector.turn(is_busy=False)
        assert left() is None


@pytest.mark.parametrize("was_on", [True, False])
def test_at_its_end_all_is_as_it_was(clock, was_on):
    before = gc.get_freeze_count()
    (gc.enable if was_on else gc.disable)()
    try:
        with Collector(clock):
            assert not gc.isenabled()
            assert gc.get_freeze_count() > before
        assert gc.isenabled() is was_on
        assert gc.get_freeze_count() == 0
    finally:
        gc.enable()


def test_a_server_gives_it_its_turns(fresh):
    service = fresh()
    service.close()
    server = Server(service.app)
    with Collector(SystemClock()) as collector:
        thread = threading.Thread(target=server.run, args=(collector,))
        thread.start()
        left = cycle()
        wait_until(lambda: left() is None)
        server.stop()
        thread.join(20)
