"""Whom an alert reaches: routes, silences, quiet hours, escalation and storms, by a clock of the test."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from risk_management.alerts.news import AT_ONCE
from risk_management.alerts.risk_alerts import Alert, AlertRule, RiskAlertManager
from risk_management.alerts.rule_file import parse_rules
from risk_management.clock import ManualClock
from risk_management.config.risk_config import RiskManagementConfig
from risk_management.errors import ConfigurationError, InvalidRequest
from risk_management.model.events import RuleChanged

START = datetime(2024, 3, 1, 15, 0, tzinfo=UTC)
HOT, COOL = {"portfolio_heat": 85.0}, {"portfolio_heat": 10.0}


class World:
    """A manager with Slack and Discord attached, and what each of them got."""

    def __init__(self, start: datetime = START, **settings: object) -> None:
        self.clock = ManualClock(start)
        config = RiskManagementConfig().update(alert_config={"cooldown": 0.0, **settings})
        self.alerts = RiskAlertManager(config, self.clock, default_rules=False)
        self.got: dict[str, list[Alert]] = {"slack": [], "discord": []}
        for channel, taken in self.got.items():
            self.alerts.attach(channel, taken.append)

    def rule(self, **changes: object) -> None:
        facts = {"rule_id": "heat", "name": "Heat", "alert_type": "portfolio_heat", "severity": "warning"}
        self.alerts.add_custom_rule(
            AlertRule(**{**facts, "condition": "portfolio_heat > 80", "channels": (), **changes})
        )

    def raised(self, key: str, severity: str = "warning", kind: str = "system_error") -> None:
        self.alerts.raise_alert(kind, severity, f"{key} broke", self.clock.now(), key=key)

    def at(self, moment: datetime, metrics: dict[str, float]) -> list[str]:
        self.clock.move_to(moment)
        return [alert.state.value for alert in self.alerts.evaluate(metrics)]

    def after(self, seconds: float, metrics: dict[str, float]) -> list[str]:
        return self.at(self.clock.now() + timedelta(seconds=seconds), metrics)

    def heard(self, channel: str = "slack") -> list[tuple[str, str]]:
        return [(alert.rule_id, alert.state.value) for alert in self.got[channel]]


# -- routes ------------------------------------------------------------------------------------------


def test_the_first_route_that_matches_counts_and_a_rule_that_names_channels_beats_all():
    world = World(
        routes=(
            {"channels": ["discord"], "severities": ["emergency"]},
            {"channels": ["slack"], "alert_types": ["drawdown", "system_error"]},
            {"channels": [], "severities": ["info"]},
        )
    )
    world.raised("a", "emergency")
    world.raised("b", "warning")
    world.raised("c", "info", "data_quality")
    world.raised("d", "warning", "data_quality")
    world.rule(channels=["discord"], alert_type="drawdown")
    world.after(1, HOT)
    assert world.heard("slack") == [("b", "firing"), ("d", "firing")]
    assert world.heard("discord") == [("a", "firing"), ("d", "firing"), ("heat", "firing")]
    assert len(world.alerts.delivered) == 5


def test_without_routes_everything_goes_everywhere():
    world = World()
    world.rule()
    world.after(1, HOT)
    assert world.heard("slack") == world.heard("discord") == [("heat", "firing")]


def test_a_route_by_bot_takes_what_is_judged_for_that_bot():
    world = World(routes=({"channels": ["slack"], "bots": ["alpha"]}, {"channels": ["discord"]}))
    world.rule(scope="bot", condition="bot_use > 0.9", name="Bot {bot} full")
    world.alerts.evaluate({}, None, {"bot": {"alpha": {"bot_use": 1.0}, "beta": {"bot_use": 1.0}}})
    assert [a.bot for a in world.got["slack"]] == ["alpha"]
    assert [a.bot for a in world.got["discord"]] == ["beta"]


def test_a_route_to_nowhere_is_a_wrong_setting():
    with pytest.raises(ConfigurationError, match="slak, which are no channels"):
        World(routes=({"channels": ["slak"]},))
    with pytest.raises(ConfigurationError, match="pager"):
        World(escalation_channels=("pager",))
    World(urls=("ntfy://host/topic",), escalation_channels=("url:ntfy",))


# -- silences ----------------------------------------------------------------------------------------


def test_a_silenced_alert_lives_on_and_is_told_when_the_silence_ends():
    world = World()
    world.rule()
    world.alerts.silence(100.0, "ann", "tests", alert_type="portfolio_heat")
    assert world.after(1, HOT) == ["firing"]
    assert world.heard() == []
    (silent,) = world.alerts.delivered
    assert (silent.held, silent.held_for) == (("slack", "discord"), "silence")
    assert world.after(98, HOT) == []
    assert world.after(1, HOT) == ["repeated"]
    assert world.heard() == [("heat", "repeated")]
    assert world.after(1, HOT) == []


def test_what_ends_within_its_silence_is_told_to_nobody():
    world = World()
    world.rule()
    world.alerts.silence(100.0, "ann", "tests", rule_id="heat")
    world.after(1, HOT)
    assert world.after(1, COOL) == ["resolved"]
    world.after(200, COOL)
    assert world.heard() == []


def test_an_emergency_is_silenced_by_its_exact_rule_alone():
    world = World()
    world.alerts.silence(100.0, "ann", "tests", alert_type="system_error")
    world.raised("fire", "emergency")
    world.raised("smoke", "critical")
    assert world.heard() == [("fire", "firing")]
    world.alerts.silence(100.0, "ann", "known", rule_id="flood")
    world.raised("flood", "emergency")
    assert world.heard() == [("fire", "firing")]


def test_a_silence_of_a_bot_leaves_other_bots():
    world = World()
    world.rule(scope="bot", condition="bot_use > 0.9")
    world.alerts.silence(100.0, "ann", "tests", bot="alpha")
    world.alerts.evaluate({}, None, {"bot": {"alpha": {"bot_use": 1.0}, "beta": {"bot_use": 1.0}}})
    assert [a.bot for a in world.got["slack"]] == ["beta"]


def test_a_silence_is_ended_by_hand_and_known_by_its_id():
    world = World()
    made = world.alerts.silence(100.0, "ann", "tests", rule_id="heat")
    assert world.alerts.end_silence(made.silence_id, "bob") == made
    assert world.alerts.silences == ()
    with pytest.raises(InvalidRequest, match="UNKNOWN_SILENCE"):
        world.alerts.end_silence(made.silence_id, "bob")


@pytest.mark.parametrize(
    ("seconds", "actor", "reason", "matches"),
    [
        (0.0, "ann", "why", {"rule_id": "x"}),
        (float("nan"), "ann", "why", {"rule_id": "x"}),
        (1e9, "ann", "why", {"rule_id": "x"}),
        (1.0, "", "why", {"rule_id": "x"}),
        (1.0, "ann", "", {"rule_id": "x"}),
        (1.0, "ann", "why", {}),
        (1.0, "ann", "why", {"alert_type": "moon"}),
    ],
)
def test_a_silence_that_means_nothing_is_refused(seconds, actor, reason, matches):
    world = World()
    with pytest.raises(InvalidRequest):
        world.alerts.silence(seconds, actor, reason, **matches)
    assert world.alerts.silences == ()


# -- quiet hours -------------------------------------------------------------------------------------

BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = {"start": "22:00", "end": "07:00", "timezone": "Europe/Berlin"}


def local(*parts: int, fold: int = 0) -> datetime:
    return datetime(*parts, tzinfo=BERLIN, fold=fold).astimezone(UTC)


def test_a_warning_of_the_night_is_told_in_the_morning_if_it_still_holds():
    world = World(local(2024, 5, 1, 21, 59), quiet_hours=NIGHT, repeat=1e7)
    world.rule()
    assert world.at(local(2024, 5, 1, 22, 0), HOT) == ["firing"]
    assert world.at(local(2024, 5, 2, 6, 59), HOT) == []
    assert world.heard() == []
    assert world.at(local(2024, 5, 2, 7, 0), HOT) == ["repeated"]
    assert world.heard() == [("heat", "repeated")]


def test_what_came_and_went_in_the_night_is_told_once_in_the_morning():
    world = World(local(2024, 5, 1, 23, 0), quiet_hours=NIGHT)
    world.rule()
    world.at(local(2024, 5, 1, 23, 0), HOT)
    world.at(local(2024, 5, 1, 23, 30), COOL)
    assert world.heard() == []
    world.at(local(2024, 5, 2, 7, 0), COOL)
    world.at(local(2024, 5, 2, 7, 1), COOL)
    assert world.heard() == [("heat", "resolved")]


def test_critical_and_emergency_know_no_night():
    world = World(local(2024, 5, 1, 23, 0), quiet_hours=NIGHT)
    for severity in ("info", "warning", "critical", "emergency"):
        world.raised(severity, severity)
    assert world.heard() == [("critical", "firing"), ("emergency", "firing")]


@pytest.mark.parametrize(
    ("moment", "quiet"),
    [
        (local(2024, 3, 31, 1, 59), True),  # the night in which the clocks go from 2 to 3
        (local(2024, 3, 31, 6, 59), True),
        (datetime(2024, 3, 31, 5, 0, tzinfo=UTC), False),  # 7 in summer; in winter it would be 6
        (local(2024, 10, 27, 2, 30), True),  # twice in this night
        (local(2024, 10, 27, 2, 30, fold=1), True),
        (datetime(2024, 10, 27, 5, 0, tzinfo=UTC), True),  # 6 in winter; in summer it was 7
        (datetime(2024, 10, 27, 6, 0, tzinfo=UTC), False),
    ],
)
def test_daylight_saving_moves_the_night_with_the_clocks_on_the_wall(moment, quiet):
    world = World(moment, quiet_hours=NIGHT)
    world.raised("x")
    assert (world.heard() == []) is quiet


def test_hours_of_the_day_and_no_hours_at_all():
    noon = {"start": "12:00", "end": "13:00"}
    for hour, quiet in ((11, False), (12, True), (13, False)):
        world = World(datetime(2024, 5, 1, hour, 0, tzinfo=UTC), quiet_hours=noon)
        world.raised("x")
        assert (world.heard() == []) is quiet
    world = World(quiet_hours={"start": "15:00", "end": "15:00"})
    world.raised("x")
    assert world.heard() != []
    with pytest.raises(ConfigurationError, match="no time zone is called"):
        World(quiet_hours={**NIGHT, "timezone": "Moon/Base"})


# -- escalation --------------------------------------------------------------------------------------


def routes_by_severity() -> tuple[dict, ...]:
    return ({"channels": ["discord"], "severities": ["emergency"]}, {"channels": ["slack"]})


def test_what_nobody_acknowledges_goes_to_those_of_the_next_severity():
    world = World(routes=routes_by_severity(), repeat=1e6)
    world.rule(severity="critical")
    world.after(1, HOT)
    assert world.after(899, HOT) == []
    assert world.after(1, HOT) == ["escalated"]
    assert world.heard("discord") == [("heat", "escalated")]
    assert world.after(5000, HOT) == []
    assert world.after(1, COOL) == ["resolved"]
    assert world.heard("discord")[-1] == world.heard("slack")[-1] == ("heat", "resolved")


def test_an_acknowledgement_in_time_keeps_it_from_escalating():
    world = World(routes=routes_by_severity(), repeat=1e6)
    world.rule(severity="critical")
    world.after(1, HOT)
    world.alerts.acknowledge(world.got["slack"][0].alert_id, "ann", "on it")
    assert world.after(5000, HOT) == []
    assert world.heard("slack") == [("heat", "firing"), ("heat", "acknowledged")]
    assert world.heard("discord") == []


def test_escalation_channels_and_times_are_settings():
    world = World(
        routes=({"channels": ["slack"]},),
        escalation_channels=("discord",),
        acknowledge_within={"warning": 60.0},
        repeat=1e6,
    )
    world.raised("w", "warning")
    world.raised("e", "emergency")
    assert world.after(60, {}) == ["escalated"]
    assert world.heard("discord") == [("w", "escalated")]


def test_nothing_escalates_to_those_who_know():
    world = World(repeat=1e6)
    world.raised("e", "emergency")
    assert world.after(10_000, {}) == []


def test_what_gets_worse_has_its_time_again():
    world = World(
        routes=routes_by_severity(), repeat=1e6, acknowledge_within={"critical": 100.0, "warning": 100.0}
    )
    world.raised("x", "warning")
    world.clock.advance(90.0)
    world.raised("x", "critical")
    assert world.after(90, {}) == []
    assert world.after(10, {}) == ["escalated"]


# -- storms ------------------------------------------------------------------------------------------


def test_many_different_alerts_become_one_message_with_their_number():
    world = World(storm_alerts=5, storm_window=60.0, repeat=1e6)
    for number in range(100):
        world.raised(f"k{number}", "warning", "drawdown" if number % 4 else "var_breach")
    world.raised("fire", "emergency")
    assert [alert.rule_id for alert in world.got["slack"]] == [
        *(f"k{n}" for n in range(5)),
        "alert_storm:slack",
        "fire",
    ]
    assert len(world.alerts.active) == 103  # with one storm a channel
    assert "More than 5 messages within 60 s on slack" in world.got["slack"][5].message
    assert world.after(59, {}) == []
    assert sorted(world.after(1, {})) == ["resolved", "resolved"]
    said = world.got["slack"][-1].message
    assert (
        said == "Resolved after 0:01:00: Alert storm on slack (95 were folded: 72 drawdown, 23 var breach)."
    )
    world.raised("later")
    assert world.heard()[-1] == ("later", "firing")


def test_in_a_storm_what_is_critical_comes_at_once_and_in_full():
    world = World(storm_alerts=1, storm_window=60.0)
    for key, severity in (("a", "warning"), ("b", "warning"), ("store", "critical"), ("d", "info")):
        world.raised(key, severity)
    assert world.heard() == [("a", "firing"), ("alert_storm:slack", "firing"), ("store", "firing")]
    assert world.got["slack"][-1].message == "store broke"
    world.alerts.resolve("store")
    assert world.heard()[-1] == ("store", "resolved")
    world.after(61, {})
    assert "(2 were folded: 2 system error)" in world.got["slack"][-1].message


def test_a_channel_never_gets_more_warnings_than_its_number_whatever_comes():
    world = World(storm_alerts=3, storm_window=10.0, repeat=0.0)
    for second in range(300):
        world.clock.move_to(START + timedelta(seconds=second))
        world.raised(f"k{second}", "warning" if second % 7 else "info")
        world.alerts.evaluate({})
    moments = [a.at for a in world.got["slack"] if not a.rule_id.startswith("alert_storm")]
    for moment in moments:
        assert sum(0.0 <= (moment - other).total_seconds() < 10.0 for other in moments) <= 3


def test_without_a_window_nothing_is_folded():
    world = World(storm_alerts=1, storm_window=0.0)
    for number in range(50):
        world.raised(f"k{number}")
    assert len(world.got["slack"]) == 50


def test_switched_off_alerts_reach_nobody_outside():
    world = World(enabled=False)
    world.raised("fire", "emergency")
    assert world.heard() == []
    assert world.alerts.delivered[0].channels == ("log", "memory")


def test_another_subject_behind_an_acknowledged_alert_is_told_at_once_and_a_flood_folds():
    world = World()

    def raised(about: str) -> None:
        world.alerts.raise_alert(
            "system_error", "critical", f"{about} adopted", key="RECONCILED", about=about
        )

    raised("KO")
    world.alerts.acknowledge(world.alerts.active[0].alert_id, "ann")
    world.got["slack"].clear()
    raised("KO")
    assert world.heard() == []
    raised("SPY")
    assert [a.message for a in world.got["slack"]] == ["SPY adopted"]
    (active,) = world.alerts.active
    assert (active.message, active.acknowledged_by, active.count) == ("SPY adopted", "", 3)
    for number in range(40):
        raised(f"S{number}")
    assert len(world.got["slack"]) == AT_ONCE - 1  # that of KO was one of them
    world.alerts.acknowledge(active.alert_id, "ann")
    world.got["slack"].clear()
    assert world.after(61, {}) == ["repeated"]
    assert world.got["slack"][0].message == "37 more of this kind, the last: S39 adopted"
    assert world.alerts.active[0].count == 43
    assert world.after(61, {}) == []


def test_another_subject_does_not_wait_for_the_cooling_of_the_last_one():
    world = World(cooldown=300.0)
    for about in ("KO", "KO", "SPY"):
        world.alerts.raise_alert("system_error", "critical", f"{about} differs", key="BREAK", about=about)
        world.alerts.resolve("BREAK")
    told = [(a.state.value, a.message) for a in world.got["slack"] if a.state.value == "firing"]
    assert told == [("firing", "KO differs"), ("firing", "SPY differs")]


@pytest.mark.parametrize(
    "rule_id", ["alert_storm:slack", "emergency_stop", "broker", "store", "heartbeat:a", "OVERFILL"]
)
def test_a_rule_takes_no_id_under_which_the_system_alerts(rule_id):
    world = World()
    with pytest.raises(ConfigurationError, match="the system itself alerts"):
        world.rule(rule_id=rule_id)
    assert world.alerts.rules == ()
    text = f'[[rules]]\nrule_id = "{rule_id}"\nname = "x"\nalert_type = "drawdown"\nseverity = "info"\n'
    (mistake,) = parse_rules(f'{text}condition = "cash > 0"\n').mistakes
    assert (mistake.line, "the system itself alerts" in mistake.text) == (2, True)


def test_a_stored_rule_that_is_called_like_a_storm_ends_none():
    world = World(storm_alerts=2, storm_window=60.0)
    rule = AlertRule("x", "x", "system_error", "warning", "cash > 0", ["discord"])
    facts = replace(rule.facts(), rule_id="alert_storm:slack")
    world.alerts._keeper.apply(RuleChanged(START, "ann", facts.rule_id, facts))
    for number in range(5):
        world.raised(f"k{number}")
    world.after(1, {"cash": 1.0})
    world.alerts.remove_rule("alert_storm:slack")
    world.after(61, {})
    assert " were folded: " in world.got["slack"][-1].message
