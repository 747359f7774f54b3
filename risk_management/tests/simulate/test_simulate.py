"""Whole worlds from one seed: the same twice, nothing broken, and a defect is found."""

from __future__ import annotations

import pytest

from risk_management.core import decision
from risk_management.simulate.faults import GROUPS
from risk_management.simulate.world import simulate

WITHOUT_STORE = tuple(group for group in GROUPS if group != "store")


def test_two_runs_of_one_seed_are_identical():
    first, again = (simulate(3, 0.05, bots=10) for _ in range(2))
    assert first.broken is None
    assert first.digest == again.digest
    assert first.tally.did == again.tally.did
    assert simulate(4, 0.05, bots=10, groups=()).digest != first.digest


@pytest.mark.parametrize("seed", range(10, 14))
def test_nothing_breaks_under_faults(seed):
    outcome = simulate(seed, 0.1, groups=WITHOUT_STORE)
    assert outcome.broken is None, outcome.again
    assert outcome.tally.did
    assert outcome.tally.faults


def test_a_reservation_that_is_not_kept_is_found(monkeypatch):
    """The invariants are awake: without reservations approvals exceed limits."""
    monkeypatch.setattr(decision, "_reservation", lambda *_: None)
    assert simulate(1, 0.1, groups=()).broken is not None
