"""A changed copy is the one that `dataclasses.replace` makes."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, dataclass, fields, replace
from functools import cached_property

import pytest

from risk_management.model.amend import amended
from risk_management.model.portfolio import Account


@dataclass(frozen=True)
class Square:
    side: int
    name: str = ""

    @cached_property
    def area(self) -> int:
        return self.side**2


def test_a_changed_copy_of_a_state_is_that_of_the_standard_library(desk):
    state = desk.state
    before = {field.name: getattr(state, field.name) for field in fields(state)}
    ours, theirs = (make(state, version=7, var_halted=True) for make in (amended, replace))
    assert all(getattr(ours, name) is getattr(theirs, name) for name in before if name != "version")
    assert ours.version == theirs.version == 7
    assert all(getattr(state, name) is value for name, value in before.items())


def test_a_copy_is_as_frozen_as_the_record_and_shares_nothing_that_can_change(desk):
    ours = amended(desk.state, version=7)
    with pytest.raises(FrozenInstanceError):
        ours.version = 8
    assert amended(ours, version=9).version == 9
    assert ours.version == 7


def test_what_was_computed_of_the_old_record_is_not_carried_to_the_new():
    before = Square(side=2)
    assert before.area == 4
    after = amended(before, side=3)
    assert after.area == 9
    assert after == replace(before, side=3)
    assert before.area == 4
    with pytest.raises(TypeError, match="area"):
        amended(before, area=5)


def test_a_record_with_slots_is_copied_too():
    account = Account("main", 5)
    assert amended(account, cash=6) == replace(account, cash=6) == Account("main", 6)
    assert account.cash == 5


@pytest.mark.parametrize("record", ["state", "account"])
def test_an_unknown_field_is_refused(desk, record):
    known = desk.state if record == "state" else Account("main", 5)
    with pytest.raises(TypeError, match="no_such_field"):
        amended(known, no_such_field=1)
