"""Ctrl-C ends the wait, not what is waited for."""

from __future__ import annotations

import os
import signal
from threading import Event, Thread, Timer, current_thread

import pytest

from risk_management.core.uncut import uncut


def test_an_interrupted_wait_cuts_nothing():
    is_begun, may_end, is_done = Event(), Event(), Event()

    def act() -> None:
        is_begun.set()
        assert may_end.wait(30)
        is_done.set()

    timer = Timer(0.0, lambda: (is_begun.wait(30), os.kill(os.getpid(), signal.SIGINT)))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        uncut(act)
    assert not is_done.is_set()
    may_end.set()
    assert is_done.wait(30)
    timer.join()


def test_what_it_raises_comes_back():
    def act() -> None:
        raise ValueError("x")

    with pytest.raises(ValueError, match="x"):
        uncut(act)


def test_outside_the_main_thread_nothing_is_begun():
    found: list[Thread] = []
    thread = Thread(target=lambda: uncut(lambda: found.append(current_thread())))
    thread.start()
    thread.join()
    assert found == [thread]
