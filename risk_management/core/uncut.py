"""What a person's Ctrl-C must not cut in two: it comes to the main thread, between any two steps."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import current_thread, main_thread
from typing import TypeVar

__all__ = ["uncut"]

T = TypeVar("T")


def uncut(act: Callable[[], T]) -> T:
    """Do something in a thread of its own where this is the main thread, and return what it returns.

    Who is interrupted waits no more for it; it goes on to its end all the same.
    """
    if current_thread() is not main_thread():
        return act()
    apart = ThreadPoolExecutor(max_workers=1, thread_name_prefix="risk-uncut")
    try:
        done = apart.submit(act)
    except RuntimeError:  # the interpreter ends, or no thread can be had: it is done here
        return act()
    finally:
        apart.shutdown(wait=False)  # also where Ctrl-C came while it began: else its thread waits for ever
    return done.result()
