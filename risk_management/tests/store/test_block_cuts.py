"""The power goes under a real file system: a start finds what had reached the block device."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from risk_management.errors import StoreError
from risk_management.tests.store.checks import problems
from risk_management.tests.store.test_kills import ended, wait_until
from risk_management.tests.store.test_power_cuts import RAM
from risk_management.tests.store.worker import started, told

TOOLS = ("mkfs.ext4", "mount", "umount")
MEGABYTES = 24

pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(
        os.geteuid() != 0 or not all(map(shutil.which, TOOLS)), reason="only root mounts an image of a disk"
    ),
]


@contextmanager
def mounted(image: Path):
    """The folder of a disk whose blocks are the bytes of a file."""
    with tempfile.TemporaryDirectory() as place:
        subprocess.run(["mount", "-o", "loop", image, place], check=True)
        try:
            yield Path(place)
        finally:
            subprocess.run(["umount", place], check=True)


def cut(disk: Path, copy: Path, acts: Path, seed: int, pause: float, failpoint: str | None = None) -> None:
    """One life on a disk; `copy` is what stood on it when the power went."""
    with mounted(disk) as place:
        before = len(told(acts))
        process = started(place / "store.db", acts, seed=seed, failpoint=failpoint)
        wait_until(lambda: len(told(acts)) > before or not process.is_alive())
        time.sleep(pause)
        os.kill(process.pid, signal.SIGKILL)
        shutil.copyfile(disk, copy)
        assert ended(process) == -signal.SIGKILL


def lost(folder: Path, cuts: int, seed: int, failpoint: str | None = None) -> tuple[list[str], int]:
    """What is wrong after so many cuts, ten on one disk, and how many acts were answered."""
    chance, wrong, answered = random.Random(seed), [], 0
    disk, copy = folder / "disk", folder / "copy"
    for number in range(cuts):
        acts = folder / f"acts{number // 10}"
        if number % 10 == 0 or wrong:
            disk.write_bytes(b"")
            os.truncate(disk, MEGABYTES << 20)
            subprocess.run(["mkfs.ext4", "-q", "-F", disk], check=True)
            acts.unlink(missing_ok=True)
        before = len(told(acts))
        cut(disk, copy, acts, 1000 * seed + number, chance.uniform(0.0, 0.08), failpoint)
        answered += len(told(acts)) - before
        copy.replace(disk)
        try:
            with mounted(disk) as place:
                found = problems(place / "store.db", told(acts))
        except StoreError as problem:
            found = [str(problem)]
        wrong += [f"cut {number}: {text}" for text in found]
    return wrong, answered


@pytest.fixture
def folder():
    with tempfile.TemporaryDirectory(dir=RAM) as made:
        yield Path(made)


@pytest.mark.parametrize("seed", range(1, 3))
def test_nothing_is_lost_by_a_power_cut_under_a_real_file_system(folder, seed, record_property):
    wrong, answered = lost(folder, 100, seed)
    assert wrong == []
    record_property("figure", f"100 cuts, {answered:,} acknowledged acts, 0 lost")


def test_it_would_see_what_a_weaker_setting_loses(folder):
    wrong, _ = lost(folder, 10, 3, "mutant: nothing is synced")
    assert wrong
