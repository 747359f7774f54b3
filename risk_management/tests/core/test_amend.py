"""A changed copy is the one that `dataclasses.replace` makes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from risk_management.model.amend import amended


def test_a_changed_copy_of_a_state_is_that_of_the_standard_library(desk):
    state = desk.state
    ours, theirs = (make(state, version=7, var_halted=True) for make in (amended, replace))
    assert all(
        getattr(ours, name) is getattr(theirs, name) for name in type(state).__slots__ if name != "version"
    )
    assert ours.version == theirs.version == 7


def test_an_unknown_field_is_refused(desk):
    with pytest.raises(TypeError, match="no_such_field"):
        amended(desk.state, no_such_field=1)
