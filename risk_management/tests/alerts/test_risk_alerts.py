"""The life of alerts, by a clock that only the test moves."""

from __future__ import annotations

import dataclasses
import json
import logging
import math
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from risk_management import AdvancedRiskManager
from risk_management.alerts.risk_alerts import (
    Alert,
    AlertChannel,
    AlertRule,
    AlertSeverity,
    AlertState,
    AlertType,
    RiskAlertManager,
)
from risk_management.clock import ManualClock
from risk_management.config.risk_config import RiskManagementConfig
from risk_management.errors import ConfigurationError, InvalidRequest
from risk_management.model.vocabulary import VOCABULARY

START = datetime(2024, 3, 1, 15, 0, tzinfo=UTC)
HOT, COOL = {"portfolio_heat": 85.0}, {"portfolio_heat": 10.0}
QUIET = dict.fromkeys(VOCABULARY, 0.0)


def rule(**changes) -> AlertRule:
    facts = {
        "rule_id": "heat",
        "name": "Heat",
        "alert_type": AlertType.PORTFOLIO_HEAT,
        "severity": AlertSeverity.WARNING,
        "condition": "portfolio_heat > 80",
        "channels": [],
        "cooldown": 300.0,
        "repeat": 3600.0,
    }
    return AlertRule(**{**facts, **changes})


def manager(*rules: AlertRule) -> RiskAlertManager:
    made = RiskAlertManager(RiskManagementConfig(), ManualClock(START), default_rules=False)
    for one in rules:
        made.add_custom_rule(one)
    return made


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


# -- life --------------------------------------------------------------------------------------------

LIVES = {
    "quiet": ({}, [(0, 10), (9, 80)], []),
    "fires once": ({}, [(0, 85), (1, 86), (2, 90)], [(0, "firing", 1)]),
    "resolves": ({}, [(0, 85), (1, 86), (2, 70), (3, 70)], [(0, "firing", 1), (2, "resolved", 2)]),
    "repeats": (
        {},
        [(0, 85), (3599, 85), (3600, 85), (3601, 85), (7200, 85)],
        [(0, "firing", 1), (3600, "repeated", 3), (7200, "repeated", 5)],
    ),
    "never repeats at 0": ({"repeat": 0.0}, [(0, 85), (1, 85), (10**7, 85)], [(0, "firing", 1)]),
    "cools down, then fires if it still holds": (
        {},
        [(0, 85), (10, 70), (20, 85), (309, 85), (310, 85)],
        [(0, "firing", 1), (10, "resolved", 1), (310, "firing", 3)],
    ),
    "a flap in the cool-down is silent and counted": (
        {},
        [(0, 85), (10, 70), (20, 85), (30, 70), (400, 85)],
        [(0, "firing", 1), (10, "resolved", 1), (400, "firing", 2)],
    ),
    "no cool-down": (
        {"cooldown": 0.0},
        [(0, 85), (1, 70), (2, 85)],
        [(0, "firing", 1), (1, "resolved", 1), (2, "firing", 1)],
    ),
    "an emergency does not cool down": (
        {"severity": AlertSeverity.EMERGENCY},
        [(0, 85), (1, 70), (2, 85)],
        [(0, "firing", 1), (1, "resolved", 1), (2, "firing", 1)],
    ),
    "held long enough": (
        {"hold": 60.0},
        [(0, 85), (59, 85), (60, 85)],
        [(60, "firing", 3)],
    ),
    "not held": ({"hold": 60.0}, [(0, 85), (59, 85), (60, 70), (61, 85), (120, 85)], []),
    "a clock set back does not silence": (
        {},
        [(0, 85), (10, 70), (-9999, 85)],
        [(0, "firing", 1), (10, "resolved", 1), (-9999, "firing", 1)],
    ),
    "disabled": ({"enabled": False}, [(0, 85)], []),
    "missing while active is not fine": (
        {},
        [(0, 85), (1, math.nan), (3600, math.nan), (3601, 70)],
        [(0, "firing", 1), (3600, "repeated", 1), (3601, "resolved", 1)],
    ),
}


@pytest.mark.parametrize(("changes", "steps", "wanted"), LIVES.values(), ids=LIVES)
def test_life(changes: dict, steps: list, wanted: list) -> None:
    alerts = manager(rule(**changes))
    told = []
    for seconds, heat in steps:
        for alert in alerts.evaluate({"portfolio_heat": heat}, at(seconds)):
            if alert.rule_id == "heat":
                told.append((seconds, alert.state.value, alert.count))
                assert alert.at == at(seconds)
    assert told == wanted


def test_ten_thousand_breaches_are_one_alert_and_its_repeats() -> None:
    alerts = manager(rule())
    heard: list[Alert] = []
    alerts.subscribe(heard.append)
    for second in range(10_000):
        alerts.evaluate(HOT, at(second))
    assert [alert.state for alert in heard] == ["firing", "repeated", "repeated"]
    assert len({alert.alert_id for alert in heard}) == 1
    (active,) = alerts.active
    assert active.count == 10_000
    assert active.first_at == START


def test_ten_thousand_flaps_are_bounded_by_the_cool_down() -> None:
    alerts = manager(rule())
    for second in range(10_000):
        alerts.evaluate(HOT if second % 2 else COOL, at(second))
    firing = [alert for alert in alerts.history if alert.state is AlertState.FIRING]
    assert len(firing) <= 10_000 / 300 + 1
    assert len({alert.alert_id for alert in firing}) == len(firing)
    assert sum(a.count for a in alerts.history if a.state is AlertState.RESOLVED) <= 5000


def test_replay_gives_the_same_alerts() -> None:
    def run() -> tuple[Alert, ...]:
        alerts = manager(rule())
        for second in range(0, 5000, 7):
            alerts.evaluate(HOT if second % 3 else COOL, at(second))
        return alerts.history

    assert run() == run()


def test_messages_say_the_number_against_its_limit() -> None:
    alerts = manager(
        rule(),
        rule(rule_id="two", name="Two", condition="drawdown >= 0.1 or cash < 5000"),
        rule(rule_id="sum", name="Sum", condition="max(cash, equity) > 1"),
        rule(rule_id="own", condition="drawdown > 0", message="Down {drawdown} with {max_correlation} {x"),
    )
    metrics = {"portfolio_heat": 85.0, "drawdown": 0.125, "cash": 9000.0, "equity": 10_000.0}
    said = {alert.rule_id: alert.message for alert in alerts.evaluate(metrics, START)}
    assert said == {
        "heat": "Heat: portfolio_heat is 85.0, above 80.0.",
        "two": "Two: drawdown is 12.50%, at or above 10.00%.",
        "sum": "Sum: cash is 9,000.00, equity is 10,000.00, so max(cash, equity) > 1 holds.",
        "own": "Down 12.50% with n/a {x",
    }
    ended = alerts.evaluate({**metrics, **COOL}, at(3600 * 27))
    assert ended[0].message == "Resolved after 1 day, 3:00:00: Heat (portfolio_heat is 10.0)."


# -- missing numbers ---------------------------------------------------------------------------------


@pytest.mark.parametrize("metrics", [{}, {"portfolio_heat": math.nan}])
def test_a_missing_number_is_an_alert_of_its_own_once(metrics: dict) -> None:
    alerts = manager(rule(), rule(rule_id="loud", name="Loud", severity=AlertSeverity.EMERGENCY))
    (told,) = alerts.evaluate(metrics, START)
    assert told.alert_type is AlertType.DATA_QUALITY
    assert told.severity is AlertSeverity.CRITICAL
    assert told.message == "No number for portfolio_heat: these rules can't be judged: Loud, Heat."
    for second in range(1, 3000):
        assert alerts.evaluate(metrics, at(second)) == []
    assert alerts.evaluate(metrics, at(3600))[0].state is AlertState.REPEATED
    assert alerts.active[0].count == 3001
    (ended,) = alerts.evaluate(COOL, at(3601))
    assert (ended.state, ended.alert_type) == (AlertState.RESOLVED, AlertType.DATA_QUALITY)
    assert alerts.active == ()


def test_more_missing_numbers_are_news_and_fewer_are_not() -> None:
    alerts = manager(rule(), rule(rule_id="fall", name="Fall", condition="drawdown > 0.1"))
    (first,) = alerts.evaluate({"drawdown": 0.0}, START)
    alerts.acknowledge(first.alert_id, "ann")
    (more,) = alerts.evaluate({}, at(1))
    assert (more.state, more.acknowledged_by) == ("repeated", "")
    assert "portfolio_heat, drawdown" in more.message
    assert alerts.evaluate(COOL, at(2)) == []
    assert alerts.evaluate({}, at(3)) == []


def test_a_missing_number_that_does_not_matter_is_no_alert() -> None:
    alerts = manager(rule(condition="positions > 0 and volatility_ratio > 2"))
    assert alerts.evaluate({"positions": 0.0, "volatility_ratio": math.nan}, START) == []
    (told,) = alerts.evaluate({"positions": 1.0, "volatility_ratio": math.nan}, START)
    assert "volatility_ratio" in told.message


def test_arithmetic_without_a_result_is_told() -> None:
    alerts = manager(rule(condition="cash / equity > 1"))
    (told,) = alerts.evaluate({"cash": 1.0, "equity": 0.0}, START)
    assert "the arithmetic of cash / equity > 1" in told.message


# -- alerts that are no rules ------------------------------------------------------------------------


def raised(alerts: RiskAlertManager, severity: str, seconds: float, text: str = "it broke") -> Alert | None:
    return alerts.raise_alert(AlertType.SYSTEM_ERROR, AlertSeverity(severity), text, at(seconds), key="disk")


def test_raised_alerts_are_told_once_repeated_and_resolved() -> None:
    alerts = manager()
    for second in range(500):
        alert = raised(alerts, "critical", second)
        assert alert is not None
        assert alert.count == second + 1
    assert [a.state for a in alerts.delivered] == ["firing"]
    assert [a.state for a in alerts.evaluate({}, at(3600))] == ["repeated"]
    ended = alerts.resolve("disk", at(3601))
    assert ended is not None
    assert ended.count == 500
    assert alerts.resolve("disk", at(3602)) is None
    assert alerts.resolve("never seen", at(3602)) is None


def test_what_gets_worse_is_told_at_once_and_needs_a_new_acknowledgement() -> None:
    alerts = manager()
    first = raised(alerts, "warning", 0)
    alerts.acknowledge(first.alert_id, "ann")
    worse = raised(alerts, "emergency", 1, "it burns")
    assert (worse.severity, worse.acknowledged_by, worse.message) == ("emergency", "", "it burns")
    assert raised(alerts, "info", 2).severity is AlertSeverity.EMERGENCY
    assert [(a.state, a.severity) for a in alerts.delivered] == [
        ("firing", "warning"),
        ("acknowledged", "warning"),
        ("repeated", "emergency"),
    ]


def test_a_raised_alert_in_its_cool_down_is_told_when_that_is_over() -> None:
    alerts = manager()
    raised(alerts, "critical", 0)
    alerts.resolve("disk", at(1))
    assert raised(alerts, "critical", 2) is None
    assert alerts.evaluate({}, at(100)) == []
    (told,) = alerts.evaluate({}, at(301))
    assert (told.state, told.first_at) == ("firing", at(2))


def test_an_emergency_raised_again_is_told_again() -> None:
    alerts = manager()
    raised(alerts, "emergency", 0)
    alerts.resolve("disk", at(1))
    assert raised(alerts, "emergency", 2).state is AlertState.FIRING


def test_keys_are_bounded_and_what_is_grave_or_new_has_room(caplog: pytest.LogCaptureFixture) -> None:
    alerts = manager()

    def add(key: str, severity: AlertSeverity, seconds: float) -> Alert | None:
        return alerts.raise_alert(AlertType.SYSTEM_ERROR, severity, f"{key} broke", at(seconds), key=key)

    add("fire", AlertSeverity.EMERGENCY, 0)
    for number in range(1100):
        add(f"k{number}", AlertSeverity.INFO, number / 1100)
    assert len(alerts.active) == 900
    assert "an alert is told nowhere else, too many are open: k1099: k1099 broke" in caplog.text
    assert [a.message for a in alerts.evaluate({}, at(2)) if a.rule_id == "too_many_alerts"] == [
        "900 alerts are open; 201 more hold, no more severe than those, and are told nowhere. Take out rules "
        "that fire for everything, and resolve what was raised and is over."
    ]
    for number in range(200):
        assert add(f"w{number}", AlertSeverity.WARNING, 3) is not None
    assert add("again", AlertSeverity.INFO, 3600.5) is not None
    assert len(alerts.active) == 1000
    assert alerts.active[0].rule_id == "fire"
    known = {alert.rule_id for alert in alerts.active}
    assert {"w0", "w199", "again", "k898"} <= known
    assert not {"k0", "k101"} & known


# -- acknowledging -----------------------------------------------------------------------------------


def test_an_acknowledged_alert_is_not_repeated_and_still_resolved() -> None:
    alerts = manager(rule())
    (fired,) = alerts.evaluate(HOT, START)
    assert alerts.acknowledge(fired.alert_id, "ann").acknowledged_by == "ann"
    assert alerts.acknowledge(fired.alert_id, "bob").acknowledged_by == "ann"
    assert alerts.evaluate(HOT, at(9999)) == []
    (ended,) = alerts.evaluate(COOL, at(10_000))
    assert (ended.state, ended.acknowledged_by) == ("resolved", "ann")
    with pytest.raises(InvalidRequest, match="UNKNOWN_ALERT"):
        alerts.acknowledge(fired.alert_id, "ann")


def test_an_acknowledgement_is_told_once() -> None:
    alerts = manager(rule())
    (fired,) = alerts.evaluate(HOT, START)
    alerts.acknowledge(fired.alert_id, "ann")
    alerts.acknowledge(fired.alert_id, "bob")
    assert [(a.state, a.acknowledged_by, a.message) for a in alerts.history[1:]] == [
        ("acknowledged", "ann", "Acknowledged by ann: Heat.")
    ]


@pytest.mark.parametrize("actor", ["", " ", "a\nb", "x" * 129])
def test_acknowledging_needs_a_name(actor: str) -> None:
    alerts = manager(rule())
    (fired,) = alerts.evaluate(HOT, START)
    with pytest.raises(InvalidRequest, match="INVALID_NAME"):
        alerts.acknowledge(fired.alert_id, actor)


# -- rules -------------------------------------------------------------------------------------------


def test_the_specified_snippet_runs() -> None:
    risk_manager = AdvancedRiskManager(RiskManagementConfig())
    risk_manager.alert_manager.add_custom_rule(
        AlertRule(
            rule_id="custom_heat_warning",
            name="Custom Heat Warning",
            alert_type=AlertType.PORTFOLIO_HEAT,
            severity=AlertSeverity.WARNING,
            condition="portfolio_heat > 80",
            channels=[AlertChannel.TELEGRAM, AlertChannel.EMAIL],
        )
    )
    assert risk_manager.alert_manager.rules[-1].rule_id == "custom_heat_warning"
    assert len(risk_manager.alert_manager.warnings) == 2
    assert risk_manager.assess_overall_risk().alerts == ()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"condition": "portfolio_het > 80"}, "did you mean"),
        ({"condition": "portfolio_heat = 80"}, "column 16"),
        ({"rule_id": ""}, "rule_id"),
        ({"rule_id": "a b"}, "rule_id"),
        ({"rule_id": 7}, "rule_id"),
        ({"name": " "}, "name"),
        ({"name": "x" * 1001}, "name"),
        ({"alert_type": "moon"}, "known are portfolio_heat"),
        ({"severity": "loud"}, "known are info"),
        ({"channels": ["pigeon"]}, "known are telegram"),
        ({"channels": "email"}, "channels is a list"),
        ({"cooldown": -1.0}, "cooldown"),
        ({"repeat": math.nan}, "repeat"),
        ({"repeat": 59.9}, "repeat is 0 .never. or at least 60 seconds"),
        ({"hold": None}, "hold"),
        ({"hold": True}, "hold"),
        ({"message": "{moon}"}, "which is no metric"),
        ({"message": None}, "message"),
    ],
)
def test_a_bad_rule_is_refused_with_the_reason(changes: dict, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        rule(**changes)


def test_a_rule_takes_plain_words() -> None:
    made = rule(alert_type="drawdown", severity="critical", channels=["email", "email", "slack"])
    assert made.alert_type is AlertType.DRAWDOWN
    assert made.severity is AlertSeverity.CRITICAL
    assert made.channels == (AlertChannel.EMAIL, AlertChannel.SLACK)


def test_one_id_is_one_rule_and_a_removed_rule_ends_its_alert() -> None:
    alerts = manager(rule())
    with pytest.raises(ConfigurationError, match="exists"):
        alerts.add_custom_rule(rule(name="Other"))
    assert [r.name for r in alerts.rules] == ["Heat"]
    alerts.evaluate(HOT, START)
    assert alerts.remove_rule("heat").name == "Heat"
    assert alerts.history[-1].message == "Resolved after 0:00:00: Heat (the rule was removed)."
    assert (alerts.active, alerts.rules) == ((), ())
    with pytest.raises(InvalidRequest, match="UNKNOWN_RULE"):
        alerts.remove_rule("heat")


def test_severities_are_ordered() -> None:
    info, warning, critical, emergency = AlertSeverity
    assert info < warning < critical < emergency
    assert emergency >= critical > "warning" >= warning
    assert warning <= warning
    assert max(AlertSeverity) is AlertSeverity.EMERGENCY
    with pytest.raises(ValueError, match="loud"):
        _ = info < "loud"


def test_an_alert_is_ready_for_json() -> None:
    alerts = manager(rule(condition="portfolio_heat > 80 or cash > 1"))
    (told,) = alerts.evaluate({"portfolio_heat": 85.0, "cash": math.nan}, START)
    shown = json.loads(json.dumps(told.as_dict(), allow_nan=False))
    assert shown["values"] == {"portfolio_heat": 85.0, "cash": None}
    assert shown["at"] == START.isoformat()
    with pytest.raises(TypeError):
        told.values["cash"] = 1.0  # type: ignore[index]


# -- telling -----------------------------------------------------------------------------------------


def test_a_channel_that_is_not_configured_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    alerts = manager(rule(channels=[AlertChannel.TELEGRAM, AlertChannel.LOG]))
    (warning,) = alerts.warnings
    assert "telegram is not configured; set TELEGRAM_BOT_TOKEN, TELEGRAM_CHAT_ID" in warning
    assert warning in caplog.text
    alerts.evaluate(HOT, START)
    assert [(f.channel, f.reason) for f in alerts.failed] == [("telegram", "it is not configured")]
    assert [a.rule_id for a in alerts.delivered] == ["heat"]
    alerts.attach(AlertChannel.TELEGRAM, lambda alert: None)
    assert alerts.warnings == ()


@pytest.mark.parametrize(
    ("settings", "warned"),
    [
        ({}, "set SMTP_SERVER, SMTP_USERNAME"),
        ({"email_to": "a@b.c"}, "set SMTP_SERVER"),
        ({"smtp_server": "s", "email_to": "a@b.c"}, None),
        ({"smtp_server": "s", "smtp_username": "a@b.c"}, None),
    ],
)
def test_the_remedy_for_e_mail(settings: dict, warned: str | None) -> None:
    config = RiskManagementConfig().update(alert_config=settings)
    alerts = RiskAlertManager(config, ManualClock(START), default_rules=False)
    alerts.add_custom_rule(rule(channels=["email"]))
    assert [text.rpartition("; ")[2] for text in alerts.warnings] == ([warned] if warned else [])


def test_a_channel_that_raises_stops_nothing_and_tells_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    def broken(alert: Alert) -> None:
        raise OSError("https://example.com/hook?token=SECRET")

    taken: list[Alert] = []
    alerts = manager(rule(channels=["slack", "email"]))
    alerts.attach(AlertChannel.SLACK, broken)
    alerts.attach(AlertChannel.EMAIL, taken.append)
    alerts.subscribe(broken)
    heard: list[Alert] = []
    alerts.subscribe(heard.append)
    (told,) = alerts.evaluate(HOT, START)
    assert taken == heard == [told]
    assert [(f.channel, f.reason) for f in alerts.failed] == [
        ("slack", "it raised OSError"),
        ("subscriber", "it raised OSError"),
    ]
    assert "not delivered to slack" in caplog.text
    assert "SECRET" not in caplog.text


def test_the_log_tells_in_one_line_at_the_level_of_the_severity(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    alerts = manager()
    for severity in AlertSeverity:
        text = f"first\r\nsecond\x1b[31m {severity}" + "y" * 2000
        alerts.raise_alert(AlertType.SYSTEM_ERROR, severity, text, START, key=f"k{severity}")
    records = [r for r in caplog.records if r.name.endswith("alerts.channels")]
    assert [r.levelname for r in records] == ["INFO", "WARNING", "ERROR", "CRITICAL"]
    assert all(not set("\r\n\x1b") & set(r.getMessage()) for r in records)
    assert all(len(a.message) == 1000 for a in alerts.delivered)


def test_switched_off_alerts_stay_at_home() -> None:
    config = RiskManagementConfig().update(alert_config={"enabled": False})
    alerts = RiskAlertManager(config, ManualClock(START), default_rules=False)
    sent: list[Alert] = []
    alerts.attach(AlertChannel.SLACK, sent.append)
    alerts.add_custom_rule(rule(channels=["slack"]))
    alerts.evaluate(HOT, START)
    assert sent == []
    assert len(alerts.delivered) == len(alerts.active) == 1


def test_a_listener_may_call_back_and_leave() -> None:
    alerts = manager(rule())
    seen: list[int] = []

    def listener(alert: Alert) -> None:
        seen.append(len(alerts.active))
        leave()

    leave = alerts.subscribe(listener)
    alerts.evaluate(HOT, START)
    alerts.evaluate(COOL, at(1))
    leave()
    assert seen == [1]


def test_the_clock_serves_where_no_time_is_given() -> None:
    alerts = manager(rule())
    (told,) = alerts.evaluate(HOT)
    assert told.at == START
    assert alerts.raise_alert(AlertType.SYSTEM_ERROR, AlertSeverity.INFO, "x").at == START


def test_many_threads_make_one_alert_with_every_breach_counted() -> None:
    alerts = manager(rule(repeat=0.0))

    def work() -> None:
        for _ in range(500):
            alerts.evaluate(HOT, START)
            alerts.raise_alert(AlertType.SYSTEM_ERROR, AlertSeverity.INFO, "x", START, key="k")

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {alert.rule_id: alert.count for alert in alerts.active} == {"heat": 4000, "k": 4000}
    assert len(alerts.delivered) == 2


# -- default rules -----------------------------------------------------------------------------------

BREACHES = [
    ("portfolio_heat", 60.0, {"heat_warning"}),
    ("portfolio_heat", 80.0, {"heat_warning", "heat_critical"}),
    ("drawdown", 0.0501, {"drawdown_warning"}),
    ("drawdown", 0.15, {"drawdown_warning", "drawdown_critical"}),
    ("drawdown", 0.25, {"drawdown_warning", "drawdown_critical", "drawdown_emergency"}),
    ("var_utilization", 0.80, {"var_warning"}),
    ("var_utilization", 0.95, {"var_warning", "var_critical"}),
    ("var_zone", 1.0, {"var_backtest_yellow"}),
    ("var_zone", 2.0, {"var_backtest_yellow", "var_backtest_red"}),
    ("correlation_spike", 1.0, {"correlation_spike"}),
    ("max_correlation", 0.86, {"correlation_pair"}),
    ("volatility_ratio", 2.1, {"volatility_spike"}),
    ("single_name_use", 0.951, {"position_limit"}),
    ("budget_use", 0.951, {"budget_use"}),
    ("risk_score", 95.0, {"limit_use_warning"}),
    ("risk_score", 101.0, {"limit_use_warning", "limit_use_critical"}),
    ("daily_loss", 0.0241, {"daily_loss_warning"}),
    ("daily_loss", 0.03, {"daily_loss_warning", "daily_loss_critical"}),
    ("weekly_loss", 0.0481, {"weekly_loss_warning"}),
    ("weekly_loss", 0.06, {"weekly_loss_warning", "weekly_loss_critical"}),
    ("stale_symbols", 1.0, {"stale_symbols"}),
    ("failed_checks", 1.0, {"failed_checks"}),
]


@pytest.mark.parametrize(("metric", "value", "wanted"), BREACHES)
def test_default_rules_fire_at_the_limits_of_the_configuration(
    metric: str, value: float, wanted: set
) -> None:
    alerts = RiskAlertManager(RiskManagementConfig(), ManualClock(START))
    quiet = {**QUIET, "positions": 3.0}
    assert alerts.evaluate(quiet, START) == []
    told = alerts.evaluate({**quiet, metric: value}, START)
    assert {alert.rule_id for alert in told} == wanted
    assert all("{" not in alert.message and alert.message.endswith(".") for alert in told)


def test_every_default_rule_is_among_the_breaches() -> None:
    alerts = RiskAlertManager()
    assert {r.rule_id for r in alerts.rules} == set().union(*(wanted for _, _, wanted in BREACHES))
    assert alerts.warnings == ()


def test_an_empty_book_is_no_alert() -> None:
    undefined = ("max_correlation", "average_correlation", "volatility_ratio", "absorption_ratio")
    alerts = RiskAlertManager()
    assert alerts.evaluate({**QUIET, **dict.fromkeys(undefined, math.nan)}, START) == []


def test_limits_of_nothing_do_not_alert_to_nothing() -> None:
    limits = {"daily_loss_limit": 0.0, "weekly_loss_limit": 0.0}
    alerts = RiskAlertManager(RiskManagementConfig().update(drawdown_config=limits))
    assert alerts.evaluate(QUIET, START) == []


def test_new_settings_move_the_default_rules_and_keep_what_is_active() -> None:
    config = RiskManagementConfig()
    alerts = RiskAlertManager(config, ManualClock(START))
    alerts.add_custom_rule(rule(rule_id="mine", condition="portfolio_heat > 99"))
    alerts.remove_rule("failed_checks")
    first, *_ = alerts.evaluate({**QUIET, "portfolio_heat": 85.0}, START)
    assert first.rule_id == "heat_critical"
    raised(alerts, "critical", 0)
    alerts.reconfigure(config.update(heat_config={"critical_heat": 70.0}, alert_config={"repeat": 60.0}))
    assert "failed_checks" not in {r.rule_id for r in alerts.rules}
    assert alerts.evaluate({**QUIET, "portfolio_heat": 75.0}, at(59)) == []
    told = alerts.evaluate({**QUIET, "portfolio_heat": 75.0}, at(60))
    assert {(a.rule_id, a.state.value) for a in told} == {("heat_critical", "repeated"), ("disk", "repeated")}
    assert first.alert_id in {a.alert_id for a in told}


def test_a_warning_that_stands_is_said_once_and_a_critical_until_somebody_takes_it_on() -> None:
    alerts = RiskAlertManager(RiskManagementConfig(), ManualClock(START))
    raised(alerts, "warning", 0)
    told = [alerts.evaluate({**QUIET, "portfolio_heat": 85.0}, at(3600 * hour)) for hour in range(49)]
    said = Counter((alert.rule_id, alert.state.value) for one in told for alert in one)
    assert said.pop(("heat_critical", "repeated")) == 48
    assert set(said.values()) == {1}
    assert {name for name, _ in said} == {"heat_warning", "heat_critical"}
    assert {alert.rule_id for alert in alerts.active} == {"heat_warning", "heat_critical", "disk"}


def test_a_rule_of_an_earlier_version_that_repeats_too_often_is_watched_all_the_same() -> None:
    facts = rule(repeat=60.0).facts()
    assert AlertRule.of(dataclasses.replace(facts, repeat=5.0)) == AlertRule.of(facts)


def test_a_warning_ends_a_little_below_where_it_began() -> None:
    """A number that dances around a level is one alert, not one a day."""
    alerts = RiskAlertManager(RiskManagementConfig(), ManualClock(START))
    told = []
    for day in range(100):
        use = 0.79 if day % 2 else 0.81
        told += alerts.evaluate({**QUIET, "var_utilization": use}, at(86400 * day))
    assert [(alert.rule_id, alert.state.value) for alert in told] == [("var_warning", "firing")]
    (ended,) = alerts.evaluate({**QUIET, "var_utilization": 0.7}, at(86400 * 100))
    assert ended.state is AlertState.RESOLVED


def test_rules_for_everything_stay_within_bounds_and_keep_the_emergency() -> None:
    """150 rules times 8 symbols: a few tellings a round, then none, and the emergency is there."""
    alerts = manager()
    raised(alerts, "emergency", 0)
    for number in range(150):
        alerts.add_custom_rule(
            rule(rule_id=f"r{number}", condition="gross_exposure > 0", scope="symbol", repeat=0.0)
        )
    alerts.add_custom_rule(rule(rule_id="grave", severity=AlertSeverity.CRITICAL))
    symbols = {"symbol": {f"S{number}": {} for number in range(8)}}
    rounds = [alerts.evaluate({**HOT, "gross_exposure": 1.0}, at(second), symbols) for second in range(1, 30)]
    assert rounds[0][0].rule_id == "grave"
    assert max(map(len, rounds)) <= 102  # the alert about it and its storm among them
    assert rounds[20:] == [[]] * 9
    assert sum(map(len, rounds)) <= 910
    assert [a.rule_id for a in alerts.active[:2]] == ["disk", "grave"]
    ended = [alerts.evaluate({**HOT, "gross_exposure": 0.0}, at(second), symbols) for second in range(30, 45)]
    assert max(map(len, ended)) <= 102
    assert {a.rule_id for a in alerts.active} == {"disk", "grave"}


def test_rules_with_more_names_than_can_be_judged_are_named() -> None:
    alerts = manager(
        rule(rule_id="each", condition="gross_exposure > 0", scope="symbol"),
        rule(
            rule_id="grave", condition="gross_exposure > 2", scope="symbol", severity=AlertSeverity.CRITICAL
        ),
    )
    names = {"symbol": {f"S{number}": {} for number in range(2501)}}
    (told,) = alerts.evaluate({"gross_exposure": 1.0}, START, names)
    assert (told.rule_id, told.severity) == ("unjudged_rules", AlertSeverity.CRITICAL)
    assert "more than 5,000; these are not judged: each." in told.message
    few = {"symbol": {"S1": {}}}
    told = alerts.evaluate({"gross_exposure": 1.0}, at(1), few)
    assert [(a.rule_id, a.state.value) for a in told] == [("each", "firing"), ("unjudged_rules", "resolved")]
