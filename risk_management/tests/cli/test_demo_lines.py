"""What `risk demo --serve` says first."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

from risk_management.cli._demo_service import _opening


def lines(first: int) -> str:
    state = SimpleNamespace(version=7)
    replay = SimpleNamespace(manager=SimpleNamespace(state=state), rows=(2, 3, 4), first=first)
    market = SimpleNamespace(dates=[f"2020-01-0{day}" for day in range(1, 7)])
    return "\n".join(_opening(replay, market, "http://127.0.0.1:1", Path("demo"), 1.0))


def test_a_replay_that_is_over_says_so_and_how_to_begin_again():
    assert "from the first day" in lines(1)
    assert "goes on at 2020-01-04" in lines(3)
    over = lines(4)
    assert "nothing moves. From the first day: risk demo --serve --store FOLDER" in over
    assert "days a second" not in over
