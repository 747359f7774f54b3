"""The whole demo on a short period: what is measured, said and written."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from rich.console import Console

from risk_management.demo import command, run_demo
from risk_management.demo.charts import curve, underwater
from risk_management.demo.gate import Decided
from risk_management.demo.market import Period
from risk_management.demo.report import opening, period_report, plain_result, summary
from risk_management.demo.simulation import Path
from risk_management.demo.statistics import arm_result, forgone, max_drawdown, refusals, survivorship

SHORT = (
    Period("short crash", "2020-02-10", "2020-03-31"),
    Period("short calm", "2013-09-03", "2013-10-11", calm=True),
)


@pytest.fixture(scope="module")
def result(market):
    seen = []
    found = run_demo(SHORT, market=market, progress=lambda *told: seen.append(told))
    assert [done for period, done, _ in seen if period is SHORT[0]] == list(
        range(1, found.periods[0].days + 1)
    )
    return found


def printed(result, width):
    console = Console(file=io.StringIO(), width=width, highlight=False)
    console.print(opening(result.capital))
    for period in result.periods:
        console.print(period_report(period, width))
    console.print(summary(result))
    return console.file.getvalue()


def test_counts_add_up(result):
    for period in result.periods:
        assert period.asked == period.approved + period.cut + period.refused
        assert sum(map(sum, period.by_bot.values())) == period.asked
        assert sum(r.refused for r in period.refusals) == period.refused
        assert sum(r.cut for r in period.refusals) == period.cut
        assert sum(period.mode_days.values()) == period.days == len(period.gated.equity)
        assert period.matched.average_exposure == pytest.approx(period.gated.average_exposure, rel=5e-3)
    assert result.decisions == sum(p.asked + p.exits for p in result.periods)


@pytest.mark.parametrize("width", [80, 100, 160])
def test_the_report_says_what_was_measured_and_fits(result, width):
    text = printed(result, width)
    assert max(map(len, text.splitlines())) <= width
    flat = " ".join(text.split())
    for arm in (result.periods[0].gated, result.periods[0].matched):
        assert f"{arm.max_drawdown:.1%}" in flat
    assert f"{result.survivorship.stocks:.1%} a year" in flat
    for words in ("Sample data", "Survivors", "price of the insurance", "Where to look next", "Forgone"):
        assert words in flat
    assert ("✓" if result.periods[0].beats_matched else "✗") in flat


def test_alerts_and_measures_add_up_and_stand_on_screen(result):
    crash = result.periods[0]
    assert {alert.severity for alert in crash.alerts} >= {"emergency", "critical", "warning"}
    assert all(0 <= one.days <= crash.days and one.day >= crash.start for one in crash.alerts)
    flat = " ".join(printed(result, 100).split())
    for period in result.periods:
        assert f"Alerts {len(period.alerts):,} began" in flat
    gravest = next(alert for alert in crash.alerts if alert.severity == "emergency")
    assert f"{gravest.day} emergency" in flat
    closing = [m for m in crash.measures if m.did == "reduce_only"]
    assert closing
    assert all(event.day <= crash.end for event in crash.events)
    # a day on which a row held to its end is a day that ended in REDUCING, and the other way round
    reducing = sum(days for mode, days in crash.mode_days.items() if mode.startswith("reducing"))
    longest = max(measure.days for measure in closing)
    assert longest <= reducing <= sum(measure.days for measure in closing)


def test_json_is_plain_and_whole(result):
    content = plain_result(result)
    again = json.loads(json.dumps(content, allow_nan=False))
    assert again["periods"][0]["arms"][0]["name"] == "gated"
    assert len(again["periods"][0]["arms"][0]["equity"]) == result.periods[0].days
    assert again["periods"][0]["beats_matched"] is result.periods[0].beats_matched


@pytest.mark.parametrize("as_json", [False, True])
def test_the_command(result, monkeypatch, as_json):
    monkeypatch.setattr(command, "run_demo", lambda *_, **__: result)
    console = Console(file=io.StringIO(), width=100)
    assert command.demo_command(quick=True, as_json=as_json, console=console) == 0
    text = console.file.getvalue()
    assert json.loads(text)["capital"] == 10_000.0 if as_json else "Where to look next" in text


def test_figures_of_an_arm_by_hand():
    equity = np.array([110.0, 99.0, 121.0])
    path = Path("x", equity, np.array([0.5, 1.0, 0.0]), 1.0, 2.0, 330.0, 4, np.zeros((3, 1)))
    arm = arm_result(path, 100.0)
    assert arm.total_return == pytest.approx(0.21)
    assert arm.max_drawdown == pytest.approx(0.10)
    assert arm.annual_return == pytest.approx(1.21 ** (252 / 3) - 1.0)
    assert arm.calmar == pytest.approx(arm.annual_return / 0.10)
    assert (arm.average_exposure, arm.costs, arm.turnover) == (0.5, 3.0, pytest.approx(3.0))
    assert max_drawdown(np.array([100.0, 50.0, 75.0, 60.0])) == 0.5
    assert arm_result(path, 220.0).max_drawdown == pytest.approx(0.55)  # the start counts as a high


def test_what_was_forgone_counts_a_wish_once(market):
    row = market.rows(SHORT[0])[0]
    later = market.closes[row + 21, 0] / market.closes[row + 1, 0] - 1.0

    def asked(at, approved, outcome):
        return Decided(at, 0, 0, 1, 100.0, approved, outcome, () if outcome == "approved" else ("VAR_LIMIT",))

    told = [asked(row, 0.0, "refused"), asked(row + 5, 0.0, "refused"), asked(row, 100.0, "approved")]
    found = forgone(market, told)
    assert (found.wishes, found.money) == (1, 100.0)
    assert found.mean_return == pytest.approx(later)
    assert found.taken_return == pytest.approx(later)
    assert found.net == pytest.approx(-100.0 * later)
    (row_of,) = refusals(told)
    assert (row_of.code, row_of.refused, row_of.cut, row_of.money) == ("VAR_LIMIT", 2, 0, 200.0)


def test_survivors_against_the_index(market):
    found = survivorship(market)
    index = market.history.closes[:, 0]
    years = (market.dates[-1] - market.dates[0]).astype(int) / 365.25
    assert found.index == pytest.approx((index[-1] / index[0]) ** (1 / years) - 1.0)
    assert found.stocks > found.index


def test_charts():
    assert curve([0.0, 0.5, 1.0], 3, 0.0, 1.0) == "▁▅█"
    assert underwater([100.0, 89.0, 80.0, 100.0], 4, 0.2) == " ▅█ "
    assert len(underwater(range(1, 500), 40, 0.5)) == 40
    assert curve([1.0, 1.0], 5, 1.0, 1.0) == "▁▁"
