"""Numbers at which a rule fires and is over: what the search finds is so, and what can't be is not found."""

from __future__ import annotations

import pytest

from risk_management.alerts.reach import reach_of, span_of
from risk_management.alerts.records import AlertRule
from risk_management.model.vocabulary import SCOPED, VOCABULARY


def rule(condition, **words):
    return AlertRule("r", "R", "drawdown", "warning", condition, (), **words)


@pytest.mark.parametrize(
    "condition",
    [
        "drawdown >= 0.15",
        "portfolio_heat > 80 and not (drawdown < 0.05)",
        "positions == 3",
        "abs(net_exposure) > 0.4",
        "gross_exposure - net_exposure > 0.25",
        "max(daily_loss, weekly_loss / 2) >= 0.03",
        "max_correlation > 0.9 or correlation_spike >= 1",
        "daily_loss < -0.05",
        "var_zone == 2 and positions > 0 and leverage > 1.5 and cash < 100 and drawdown > 0.1",
    ],
)
def test_what_is_found_is_true_and_within_what_a_metric_can_be(condition):
    one = rule(condition)
    firing, quiet = reach_of(one)
    holds = one.compiled()
    assert holds(firing)
    assert not holds(quiet)
    for word, value in (*firing.items(), *quiet.items()):
        assert span_of(word)[0] <= value <= span_of(word)[1]
        assert VOCABULARY[word].unit != "count" or value == int(value)


def test_the_end_of_a_rule_with_a_release_is_beyond_it():
    one = rule("drawdown >= 0.15", release=0.10)
    _, quiet = reach_of(one)
    assert quiet["drawdown"] < 0.10


@pytest.mark.parametrize(
    "condition", ["drawdown > 1", "max_correlation > 1.5", "var_zone >= 3", "positions < 0", "daily_loss > 3"]
)
def test_what_can_not_be_is_not_found(condition):
    assert reach_of(rule(condition)).firing is None


def test_every_word_has_a_span():
    for words in (VOCABULARY, *SCOPED.values()):
        for word in words:
            least, most = span_of(word)
            assert least < most
