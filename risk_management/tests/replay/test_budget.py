"""A journal with a risk budget, decided again: a person's split is a fact, the settings' own is made anew."""

from __future__ import annotations

import pytest

from risk_management.replay.comparison import Change
from risk_management.tests.replay.test_journal import KeptWorld, rerun_of


@pytest.mark.parametrize("by", ["person", "settings"])
@pytest.mark.parametrize("seed", range(2))
def test_under_its_own_settings_everything_is_as_it_was(foundation, tmp_path, by, seed):
    settings = {"borrowing": "unused", "limit_share": 0.1}
    if by == "settings":
        settings["method"] = "equal"
    world = KeptWorld(foundation, seed, tmp_path / "s.db", budget_config=settings)
    manager = world.manager
    manager.register_bot("x", "a")
    if by == "person":
        manager.allocate_risk_budget(method="equal", strategies=["a", "b", ""], actor="me")
    for _ in range(250):
        world.step()
    rerun = rerun_of(world.path, manager.config)
    assert len(rerun.decisions) > 30
    assert all(decision.change is Change.SAME for decision in rerun.decisions)
    assert manager.state.budget is not None
    assert rerun.other.state.budget == manager.state.budget
    assert rerun.other.state.strategies == manager.state.strategies
    codes = {decision.code_was for decision in rerun.decisions}
    assert "BUDGET_LIMIT" in codes
    manager.close()
