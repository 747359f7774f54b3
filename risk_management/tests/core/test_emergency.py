"""Emergency rows: confirmations, days, release; driven to the end on the account in memory."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from risk_management.core.emergency import (
    EmergencyAction,
    EmergencyRow,
    step,
)
from risk_management.core.emergency_rows import emergency_rows
from risk_management.errors import ConfigurationError
from risk_management.model.emergency import EmergencyMemory

DAY = date(2020, 3, 16)


def run(row, values, *, days=None, confirmed=False):
    """Which of the values made the row act, and which released it."""
    memory, acted, released = EmergencyMemory(), [], []
    for number, value in enumerate(values):
        day = DAY + timedelta(days=(days or [0] * len(values))[number])
        result = step([row], {row.metric: value}, memory, day, confirmed=confirmed)
        memory = result.memory
        acted += [number] * len(result.acting)
        released += [number] * len(result.released)
    return acted, released


def test_one_bad_tick_does_not_liquidate():
    row = EmergencyRow("x", "drawdown", 0.25, EmergencyAction.LIQUIDATE, 3)
    assert run(row, [0.26, 0.10, 0.26, 0.26, 0.10]) == ([], [])
    assert run(row, [0.26, 0.26, 0.25])[0] == [2]
    assert run(row, [0.26], confirmed=True)[0] == [0]


def test_var_days_are_trading_days_not_assessments():
    row = EmergencyRow("x", "var_utilization", 1.2, EmergencyAction.TRIM, 3, by_day=True, once_a_day=True)
    assert run(row, [1.3] * 6, days=[0, 0, 0, 1, 1, 1])[0] == []
    assert run(row, [1.3] * 4, days=[0, 1, 2, 2])[0] == [2]


def test_the_var_halt_ends_after_two_days_below_85_per_cent():
    row = EmergencyRow("x", "var_utilization", 0.95, EmergencyAction.HALT_NEW_RISK, 1, 0.85, 2, by_day=True)
    acted, released = run(row, [0.96, 0.90, 0.84, 0.84, 0.84], days=[0, 1, 2, 3, 4])
    assert acted[0] == 0
    assert released == [3]


def test_a_missing_or_nan_metric_moves_no_row():
    row = EmergencyRow("x", "drawdown", 0.25, EmergencyAction.LIQUIDATE)
    assert step([row], {}, EmergencyMemory(), DAY).acting == ()
    assert step([row], {"drawdown": float("nan")}, EmergencyMemory(), DAY).acting == ()


def test_users_rows_are_checked(foundation):
    row = {"name": "mine", "metric": "portfolio_heat", "threshold": 90.0, "action": "reduce_only"}
    rows = emergency_rows(foundation.config.update(emergency_config={"rows": (row,)}))
    assert rows[-1].name == "mine"
    for wrong in ({**row, "metric": "hotness"}, {**row, "name": "var_halt"}):
        with pytest.raises(ConfigurationError):
            emergency_rows(foundation.config.update(emergency_config={"rows": (wrong,)}))
