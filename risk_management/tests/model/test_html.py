"""Results in a notebook: their numbers, escaped, with nothing that runs or is fetched."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape

import pytest

from risk_management.clock import ManualClock
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.model.html import card


def words(html: str) -> str:
    return unescape(re.sub(r"<[^>]+>", " ", html))


@pytest.fixture(scope="module")
def manager(foundation) -> AdvancedRiskManager:
    made = AdvancedRiskManager.on(replace(foundation, clock=ManualClock(foundation.clock.now())))
    made.add_position("SPY", 2000, 400.0, "<script>x</script>")
    made.add_position("AAPL", 1800, 150.0, "value")
    return made


def results(manager: AdvancedRiskManager) -> dict[str, object]:
    summary = manager.var_calculator.calculate_portfolio_var()
    suite = manager.stress_tester.run_full_stress_suite()
    return {
        "assessment": manager.look(),
        "decision": manager.evaluate_trade("AAPL", "buy", 900.0, "<script>x</script>"),
        "summary": summary,
        "var": summary.headline,
        "suite": suite,
        "stress": suite.results["ten_days_2008"],
    }


def test_the_main_results_are_tables_that_run_nothing(manager):
    for name, result in results(manager).items():
        html = result._repr_html_()
        assert "<table" in html, name
        assert "<script" not in html, name
        assert not re.search(r"(src|href|on\w+)=", html), name
        assert len(html) < 20_000, "small"


def test_they_say_their_numbers(manager):
    found = results(manager)
    assessment, summary, decision = found["assessment"], found["summary"], found["decision"]
    said = words(assessment._repr_html_())
    assert f"Risk score {assessment.overall_risk_score:.0f}/100" in said
    assert all(
        f"{use.used:.2%}" in said for use in assessment.limits if use.unit == "fraction" and use.used > 0
    )
    assert "sample data, for demonstration" in said
    assert f"{summary.headline.var_value:,.2f}" in words(summary._repr_html_())
    assert f"{summary.headline.es_pct:.2%}" in words(summary.headline._repr_html_())
    said = words(decision._repr_html_())
    assert decision.outcome != "approved"
    assert decision.explain().splitlines()[0] in said
    assert all(code in said for code in decision.rejection_reasons)
    suite = found["suite"]
    worst = suite.results[suite.worst_case_scenario]
    assert f"{worst.portfolio_pnl:,.2f}" in words(suite._repr_html_())
    assert all(
        f"{pnl:,.2f}" in words(found["stress"]._repr_html_()) for pnl in found["stress"].by_symbol.values()
    )


def test_rows_beyond_the_most_are_said():
    html = card("title & <b>", ["a", "b"], [("x", str(n)) for n in range(25)])
    assert "5 more rows are not shown." in html
    assert html.count("<tr>") == 1 + 20
    assert "title &amp; &lt;b&gt;" in html
    assert "<table" not in card("nothing", ["a"], [])
