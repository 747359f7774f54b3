"""A layered mapping answers as a plain dict would, and never changes what was handed out."""

from __future__ import annotations

import random

import pytest

from risk_management.model.layered import YOUNG, Layered


@pytest.mark.parametrize("seed", range(5))
def test_it_answers_as_a_dict(seed):
    rnd, ours, plain = random.Random(seed), Layered(), {}
    for step in range(5 * YOUNG):
        key = rnd.randrange(3 * YOUNG)
        before, was = ours, dict(ours)
        ours = ours.with_entry(key, step, keep=10_000)
        plain[key] = step
        assert dict(before) == was
    assert ours == plain
    assert len(ours) == len(plain)
    assert sorted(ours) == sorted(plain)
    assert all((key in ours) == (key in plain) for key in range(3 * YOUNG))
    assert ours.get(-1) is None
    with pytest.raises(KeyError):
        ours[-1]
    assert repr(Layered().with_entry("a", 1, keep=5)) == "Layered({'a': 1})"


def test_the_newest_entries_stay():
    ours = Layered()
    for number in range(10 * YOUNG):
        ours = ours.with_entry(number, number, keep=200)
        newest = range(max(0, number - 199), number + 1)
        assert all(entry in ours for entry in newest)
        assert len(ours) < 200 + YOUNG


@pytest.mark.parametrize("seed", range(5))
def test_one_that_is_put_together_again_forgets_at_the_same_moments(seed):
    """A recovery begins from a snapshot: what it remembers from there on is what the engine remembered."""
    rnd, lived = random.Random(seed), Layered()
    for step in range(5 * YOUNG):
        lived = lived.with_entry(rnd.randrange(3 * YOUNG), step, keep=YOUNG)
    again = Layered.of(lived.items())
    for step in range(5 * YOUNG):
        key = rnd.randrange(6 * YOUNG)
        lived, again = (one.with_entry(key, step, keep=YOUNG) for one in (lived, again))
        assert list(again.items()) == list(lived.items())
