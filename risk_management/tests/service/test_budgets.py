"""The risk budget over real HTTP: who may split it, what binds, what is told."""

from __future__ import annotations

import pytest


@pytest.fixture
def service(fresh):
    return fresh()


def split(service, scope="operate", **words):
    return service.call("POST", "budgets/allocate", words, scope)


def test_nothing_is_in_force_until_somebody_splits(service):
    answer = service.call("GET", "budgets", scope="read")
    assert (answer.status, answer.json) == (200, {"budget": None, "durable": True})
    assert service.call("GET", "bots", scope="read").json["budget"] is None


def test_a_first_split_only_tightens_and_binds(service):
    service.call("PUT", "bots/RSI2", {"strategy_type": "mean_reversion"}, "operate")
    words = {"budget": 0.0005, "method": "equal", "measure": "es", "strategies": ["mean_reversion", "x"]}
    preview = split(service, **words, preview=True)
    assert (preview.status, preview.json["budget"]["in_force"]) == (200, False)
    assert service.call("GET", "budgets", scope="read").json["budget"] is None
    made = split(service, **words, reason="a try").json["budget"]
    assert made["in_force"] is True
    assert [row["weight"] for row in made["strategies"]] == [0.5, 0.5]
    assert "Risk budget of" in made["explanation"]
    assert service.call("GET", "budgets", scope="read").json["budget"]["total"] == made["total"]
    answer = service.ask(size=2000.0, strategy="mean_reversion").json
    assert "BUDGET_LIMIT" in answer["rejection_reasons"]
    card = next(c for c in service.call("GET", "bots", scope="read").json["bots"] if c["name"] == "RSI2")
    assert card["budget"]["strategy"] == "mean_reversion"
    assert card["budget"]["room"] >= 0.0
    rows = [r for r in service.call("GET", "limits", scope="read").json["limits"] if r["name"] == "budget"]
    assert {row["subject"] for row in rows} == {"mean_reversion", "x"}
    assert all({"use", "limit", "room", "level"} <= set(row) for row in rows)


def test_to_loosen_takes_an_admin(service):
    words = {"method": "equal", "measure": "es", "strategies": ["a", "b"]}
    assert split(service, budget=0.001, **words).status == 200
    loose = split(service, budget=0.002, **words)
    assert (loose.status, loose.code) == (403, "NOT_ALLOWED")
    assert split(service, budget=0.0005, **words).status == 200
    assert split(service, "admin", budget=0.002, **words).status == 200
    end = {"reason": "the try is over"}
    assert service.call("POST", "budgets/withdraw", end, "operate").status == 403
    assert service.call("POST", "budgets/withdraw", end, "admin").json["budget"] is None
    kinds = [entry["kind"] for entry in service.call("GET", "audit?limit=500").json["entries"]]
    assert kinds.count("BudgetAllocated") == 4


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ({"method": "astrology"}, "UNKNOWN_METHOD"),
        ({"method": "equal", "measure": "luck"}, "UNKNOWN_METHOD"),
        ({"method": "equal", "budget": 1.5}, "OUT_OF_RANGE"),
        ({"method": "equal", "budget": "0.1"}, "WRONG_TYPE"),
        ({"method": "equal", "strategies": []}, "OUT_OF_RANGE"),
        ({"method": "equal", "strategies": "a"}, "WRONG_TYPE"),
        ({"strategies": ["a"]}, "MISSING_FIELD"),
        ({"method": "equal", "strategies": ["a"], "luck": 1}, "UNKNOWN_FIELD"),
    ],
)
def test_what_means_nothing_is_refused(service, words, code):
    answer = split(service, "admin", **words)
    assert (answer.status, answer.code) == (400, code)
    assert service.call("GET", "budgets", scope="read").json["budget"] is None


def test_settings_of_the_budget_are_tightened_by_an_operator(service):
    def patch(scope, **changes):
        body = {"changes": {"budget_config": changes}, "reason": "a test"}
        return service.call("PATCH", "config", body, scope)

    assert patch("operate", borrow_cap=0.2).status == 200
    assert patch("operate", borrow_cap=0.4).status == 403
    assert patch("operate", borrowing="unused").status == 403
    assert patch("admin", borrowing="unused", method="equal").status == 200
