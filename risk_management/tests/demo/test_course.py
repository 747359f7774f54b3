"""How long alerts and measures stood, day by day, by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType

from risk_management.demo.course import Course
from risk_management.demo.records import MeasureCourse
from risk_management.model.alert import AlertSeverity, AlertType
from risk_management.model.emergency import EmergencyMemory, RowCount


def acting(state, *names):
    counts = MappingProxyType({name: RowCount(active=True) for name in names})
    return replace(state, emergency=EmergencyMemory(counts))


def test_a_measure_counts_the_days_at_whose_end_it_held(make_manager):
    manager, _ = make_manager()
    course, quiet = Course(manager.config), manager.state
    held = acting(quiet, "daily_loss")
    for day, state in enumerate((quiet, held, acting(quiet, "daily_loss", "var_halt"), quiet, held)):
        course.see(f"2020-01-0{day + 1}", state)
    assert course.measures == (
        MeasureCourse("2020-01-02", "daily_loss", "reduce_only", 2, is_over=True),
        MeasureCourse("2020-01-03", "var_halt", "halt_new_risk", 1, is_over=True),
        MeasureCourse("2020-01-05", "daily_loss", "reduce_only", 1, is_over=False),
    )


def test_a_stopped_bot_is_a_measure_until_it_is_put_back(make_manager):
    manager, _ = make_manager()
    manager.register_bot("a")
    course = Course(manager.config)
    for day, enabled in enumerate((True, False, False, True)):
        manager.set_bot_enabled("a", enabled=enabled)
        course.see(f"2020-01-0{day + 1}", manager.state)
    assert course.measures == (MeasureCourse("2020-01-02", "a", "stopped", 2, is_over=True),)


def test_an_alert_is_one_from_its_first_telling_to_its_end(make_manager):
    manager, clock = make_manager()
    course = Course(manager.config)
    alerts = manager.alert_manager
    alerts.subscribe(course.hear)
    alerts.raise_alert(AlertType.SYSTEM_ERROR, AlertSeverity.CRITICAL, "it broke", key="x")
    first = str(clock.now().date())
    for _ in range(3):
        course.see("a day", manager.state)
        clock.advance(timedelta(days=1).total_seconds())
        alerts.evaluate({})  # it is repeated, and stays one alert
    alerts.resolve("x")
    course.see("a day", manager.state)
    (broke,) = (alert for alert in course.alerts if alert.rule_id == "x")
    assert (broke.day, broke.severity, broke.days, broke.is_over) == (first, "critical", 3, True)
