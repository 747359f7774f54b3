"""Rules in TOML: every mistake with its place, cases as unit tests, and the settings that load a file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from risk_management.alerts.default_rules import default_rules
from risk_management.alerts.risk_alerts import RiskAlertManager
from risk_management.alerts.rule_file import parse_rules, rules_in
from risk_management.cli.main import app
from risk_management.clock import ManualClock
from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.errors import ConfigurationError
from risk_management.tests.store.world import small_foundation

GOOD = """\
[[rules]]
rule_id = "hot"
name = "Hot"
alert_type = "portfolio_heat"
severity = "warning"
condition = "portfolio_heat > 80"
release = 70
hold = 60
cooldown = 0

[[rules]]
rule_id = "full"
name = "Bot full"
alert_type = "position_limit"
severity = "critical"
condition = "bot_use > 0.9"
scope = "bot"
message = "{bot} uses {bot_use} of what it may hold."

[[cases]]
name = "it holds for a minute and ends below 70"

[[cases.steps]]
at = 0
metrics = { portfolio_heat = 85 }

[[cases.steps]]
at = 60
metrics = { portfolio_heat = 85 }
alerts = ["hot firing"]

[[cases.steps]]
at = 61
metrics = { portfolio_heat = 75 }

[[cases.steps]]
at = 62
metrics = { portfolio_heat = 69.9 }
alerts = ["hot resolved"]

[[cases]]
name = "each bot has an alert of its own"

[[cases.steps]]
metrics = { portfolio_heat = 0 }
bots.alpha = { bot_use = 0.95 }
bots.beta = { bot_use = 0.5 }
alerts = ["full[alpha] firing"]
"""
BAD = """\
[[rules]]
rule_id = "a b"
name = "A"
alert_type = "moon"
severity = "warning"
condition = "portfolio_het > 80"
relese = 70

[[rules]]
rule_id = "twice"
name = "T"
alert_type = "drawdown"
severity = "warning"
condition = "drawdown > 0.1"
release = 0.2
channels = 5
enabled = "yes"

[[rules]]
rule_id = "twice"
name = "T"
alert_type = "drawdown"
condition = "drawdown > 0.1"
message = "{drawdwn} of {bot}"

[[ruels]]
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "rules.toml"
    path.write_text(text, encoding="utf-8")
    return path


def risk(*words: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, [str(word) for word in words])
    return done.exit_code, done.output


def test_every_mistake_is_told_at_once_with_its_place_and_remedy():
    found = parse_rules(BAD)
    assert found.rules == ()
    said = {(m.line, m.column): m.text for m in found.mistakes}
    expected = {
        (2, 11): "letters, digits",
        (4, 14): "known are portfolio_heat",
        (6, 14): "did you mean 'portfolio_heat'?",
        (7, 1): "did you mean 'release'?",
        (15, 11): "wrong side",
        (16, 12): "is a list",
        (17, 11): "true or false",
        (19, 1): "has no severity",
        (20, 11): "stands already in line 9",
        (24, 11): "did you mean {drawdown}?",
        (26, 1): "did you mean 'rules'?",
    }
    assert set(said) == set(expected)
    for place, part in expected.items():
        assert part in said[place]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("rules = 5", 1),
        ("[[rules]\n", 1),
        ("[[rules]]\nrule_id = \n", 2),
        ("a = 1\na = 2\n", 2),
        ("[" * 5000, 1),
    ],
)
def test_what_is_no_rule_file_is_one_clear_mistake(text, line):
    (first, *_) = parse_rules(text).mistakes
    assert first.line == line
    assert first.column >= 1


def test_check_says_the_place_and_exits_with_2(tmp_path):
    path = write(tmp_path, BAD)
    code, said = risk("rules", "check", path)
    assert code == 2
    assert f"{path}:6:14: no metric is called 'portfolio_het'; did you mean 'portfolio_heat'?" in said
    code, said = risk("rules", "check", write(tmp_path, GOOD))
    assert (code, said.strip().endswith("2 rules, no mistake")) == (0, True)


def test_cases_pass_and_fail_as_unit_tests_do(tmp_path):
    code, said = risk("rules", "test", write(tmp_path, GOOD))
    assert code == 0
    assert "2 passed, 0 failed" in said
    broken = GOOD.replace('["hot resolved"]', '["hot repeated"]')
    code, said = risk("rules", "test", write(tmp_path, broken))
    assert code == 1
    assert "at 62 s should be told: hot repeated; was told: hot resolved" in said
    assert "1 passed, 1 failed" in said
    unknown = GOOD.replace('["hot resolved"]', '["hot fired"]')
    code, said = risk("rules", "test", write(tmp_path, unknown))
    assert code == 2
    words = " ".join(said.replace("│", " ").split())
    assert "'hot fired' in alerts ends with no state that is told; there are firing, repeated" in words


def test_the_file_of_the_page_passes_its_cases(tmp_path):
    page = Path(__file__).parents[3] / "docs" / "alerts.md"
    (file,) = re.findall(r"^```toml\n(\[\[rules\]\].*?)^```", page.read_text("utf-8"), re.S | re.M)
    code, said = risk("rules", "test", write(tmp_path, file))
    assert (code, said.strip().endswith("1 passed, 0 failed")) == (0, True)
    one_rule = write(tmp_path, file.split('[[rules]]\nrule_id = "full"')[0])
    assert risk("rules", "check", one_rule)[1].strip().endswith("1 rule, no mistake")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("at = 61", "at = 5"),
        ("portfolio_heat = 75", "portfolio_het = 75"),
        ('alerts = ["hot resolved"]', 'alert = ["hot resolved"]'),
        ('name = "Hot"', 'name = ""'),
    ],
)
def test_a_case_that_means_nothing_is_wrong_usage(tmp_path, old, new):
    assert old in GOOD
    code, _ = risk("rules", "test", write(tmp_path, GOOD.replace(old, new, 1)))
    assert code == 2


def test_list_and_show_say_what_to_do(tmp_path):
    code, said = risk("rules", "list")
    assert code == 0
    assert "drawdown_critical" in said
    code, said = risk("rules", "show", "drawdown_critical")
    assert code == 0
    assert "todo" in said
    assert risk("rules", "show", "moon")[0] == 2


def test_the_settings_load_a_file_and_refuse_a_wrong_one(tmp_path):
    config = RiskManagementConfig().update(alert_config={"rules_file": write(tmp_path, GOOD)})
    alerts = RiskAlertManager(config, ManualClock(small_foundation().clock.now()))
    assert [rule.rule_id for rule in alerts.rules[-2:]] == ["hot", "full"]
    wrong = config.update(alert_config={"rules_file": write(tmp_path, BAD)})
    with pytest.raises(ConfigurationError, match=r"rules.toml:6:14: no metric"):
        alerts.reconfigure(wrong)
    assert [rule.rule_id for rule in alerts.rules[-2:]] == ["hot", "full"]
    with pytest.raises(ConfigurationError, match="can't be read"):
        rules_in(tmp_path / "none.toml")


def test_every_default_rule_says_what_it_means_and_what_to_do():
    for rule in default_rules(RiskManagementConfig()):
        for text in (rule.message, rule.meaning, rule.did, rule.todo):
            assert text.endswith(".")
            assert "$" not in text


def test_a_rule_is_judged_for_each_bot_of_the_book_with_its_own_numbers():
    manager = AdvancedRiskManager.on(small_foundation())
    manager.register_bot("alpha", "trend", max_position_size=2000.0)
    manager.register_bot("beta", "trend", max_position_size=100_000.0)
    manager.update_prices({"AAA": 100.0})
    for bot in ("alpha", "beta"):
        manager.add_position("AAA", 950.0, 100.0, "trend", bot_name=bot)
    for rule in parse_rules(GOOD, others=("cases",)).rules:
        manager.alert_manager.add_custom_rule(rule)
    manager.assess_overall_risk()
    (alert,) = [a for a in manager.alert_manager.active if a.rule_id == "full"]
    assert (alert.bot, alert.values) == ("alpha", {"bot_use": 0.95})
    assert alert.message.startswith("alpha uses 95.00% of what it may hold.")


def test_limits_can_be_changed_while_the_file_on_disk_is_broken(tmp_path):
    given = {"rules_file": write(tmp_path, GOOD)}
    foundation = small_foundation()
    manager = AdvancedRiskManager.on(foundation.under(foundation.config.update(alert_config=given)))
    write(tmp_path, BAD)
    manager.reconfigure(manager.config.update(var_config={"daily_var_limit": 0.015}))
    assert manager.config.var_config.daily_var_limit == 0.015
    assert [rule.rule_id for rule in manager.alert_manager.rules[-2:]] == ["hot", "full"]
    with pytest.raises(ConfigurationError, match=r"rules.toml:6:14"):
        manager.reconfigure(manager.config.update(alert_config={"storm_alerts": 23}))
    write(tmp_path, GOOD.replace('"hot"', '"hotter"'))
    manager.reconfigure(manager.config.update(alert_config={"storm_alerts": 24}))
    assert [rule.rule_id for rule in manager.alert_manager.rules[-2:]] == ["hotter", "full"]


def test_a_manager_refuses_a_wrong_file_before_anything_is_changed(tmp_path):
    manager = AdvancedRiskManager.on(small_foundation())
    digest, version = manager.config.digest(), manager.state.version
    wrong = manager.config.update(alert_config={"rules_file": write(tmp_path, BAD)})
    with pytest.raises(ConfigurationError, match=r"rules.toml:6:14"):
        manager.reconfigure(wrong)
    assert (manager.config.digest(), manager.state.version) == (digest, version)
