"""What a person's Ctrl-C must not cut in two: it comes to the main thread, between any two steps."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread, current_thread, main_thread
from typing import TypeVar

__all__ = ["uncut"]

T = TypeVar("T")


def uncut(act: Callable[[], T]) -> T:
    """Do something in a thread of its own where this is the main thread, and return what it returns.

    Who is interrupted waits no more for it; it goes on to its end all the same.
    """
    if current_thread() is not main_thread():
        return act()
    done: Future[T] = Future()

    def run() -> None:
        try:
            done.set_result(act())
        except Exception as problem:  # noqa: BLE001 - whatever it was, who waits is told
            done.set_exception(problem)
        finally:
            if not done.done():
                done.set_exception(RuntimeError("it was ended before it was done"))

    try:
        Thread(target=run, name="risk-uncut").start()
    except RuntimeError:  # the interpreter ends and begins no thread any more
        return act()
    return done.result()
