"""A process that begins a liquidation and waits in the middle of it, to be killed."""

from __future__ import annotations

import sys
import time

from risk_management.core.foundation import lay_foundation
from risk_management.model.liquidation import EVERYTHING
from risk_management.tests.integration.liquidation_world import World

HELD = {"KO": 100.0, "SPY": 50.0, "QQQ": -30.0, "AAPL": 20.0}


def main(store: str, account: str, calls: int, when: str) -> None:
    world = World(lay_foundation(), store=store, path=account)
    world.hold(**HELD)
    world.manager.protocol.closing.liquidate(EVERYTHING, "a test", "ann")
    submit = world.broker.submit
    made = 0

    def wait() -> None:
        print("here", flush=True)
        time.sleep(600)

    def counted(intent):
        nonlocal made
        made += 1
        if made == calls and when == "before":
            wait()
        order = submit(intent)
        if made == calls and when == "after":
            wait()
        return order

    world.broker.submit = counted
    world.rounds(5)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4])
