"""Killed among what it tells and sends: every alert that was told arrives on every channel."""

from __future__ import annotations

import os
import random
import re
import signal
import time

import pytest

from risk_management.tests.alerts.sending import sending
from risk_management.tests.alerts.services import http_service, mail_service
from risk_management.tests.store.test_kills import ended, soaked, wait_until
from risk_management.tests.store.worker import forks

CHANNELS = {"telegram": "/bot", "discord": "/discord", "slack": "/slack", "webhook": "/hook"}


def names(text: str) -> list[str]:
    """The alerts that a body speaks of; signs may be escaped in it."""
    return re.findall(r"alert [^0-9]{1,10}(\d+)\\*\.(\d+)", text)


def run_through_kills(folder, seed: int, kills: int) -> tuple[int, int]:
    """Returns how many alerts were told, and how many messages came more than once."""
    chance, store, told = random.Random(seed), folder / "s.db", folder / "told"
    told.touch()
    with http_service() as web, mail_service() as mail:
        for life in range(kills + 1):
            is_last = life == kills
            given = (str(store), str(told), web.url, mail.port, life)
            worker = forks().Process(target=sending, args=given, kwargs={"number": 2 if is_last else 3})
            before = told.stat().st_size
            worker.start()
            if is_last:
                assert ended(worker) == 0
                break
            wait_until(lambda: told.stat().st_size > before or not worker.is_alive())  # noqa: B023
            time.sleep(chance.uniform(0.0, 0.3))
            os.kill(worker.pid, signal.SIGKILL)
            assert ended(worker) == -signal.SIGKILL
        bodies = {
            name: [taken.body.decode() for taken in web.taken if taken.path.startswith(path)]
            for name, path in CHANNELS.items()
        }
        bodies["email"] = [content.decode() for content in mail.taken]
    wanted = {tuple(line.split(".")) for line in told.read_text().split()}
    doubles = 0
    for name, texts in bodies.items():
        found = {one for text in texts for one in names(text)}
        assert wanted - found == set(), f"lost on {name}"
        doubles += len(texts) - len(found)
    return len(wanted), doubles


@pytest.mark.parametrize(("seed", "kills"), soaked((0, 4), large=[(n, 25) for n in range(1, 5)]))
def test_nothing_that_was_told_is_lost_by_kill_9(tmp_path, seed, kills, record_property):
    told, doubles = run_through_kills(tmp_path, seed, kills)
    assert told > kills
    record_property("figure", f"{kills} kills, {told} alerts x 5 channels, 0 lost, {doubles} twice")
