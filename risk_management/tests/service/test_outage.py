"""What HTTP answers while the store can't be reached, and once the engine behind it has ended."""

from __future__ import annotations

from risk_management.tests.service.conftest import Service
from risk_management.tests.store.test_end_of_an_engine import lose


def fill(service, name, size, price=60.0, **words):
    words = {"executed_size": size, "executed_price": price, **words}
    return service.call("POST", f"trades/{name}/executions", words, "trade")


def test_approvals_of_an_earlier_life_are_filled_and_cancelled_in_an_outage(
    foundation, tmp_path, monkeypatch
):
    first = Service(foundation, tmp_path / "risk.db")
    first.manager.update_prices({"KO": 60.0})
    assert first.ask(request_id="r1", size=600).json["approved"]
    assert fill(first, "r1", 600.0, execution_id="e1").json["durable"]
    for name in ("c1", "c2"):
        assert first.ask(request_id=name, action="sell", size=300).json["approved"]
    first.close()
    service = Service(foundation, tmp_path / "risk.db")
    with monkeypatch.context() as patch:
        lose(service.manager, patch)
        again = fill(service, "r1", 600.0, execution_id="e1")
        assert (again.status, again.json["duplicate"], again.json["durable"]) == (200, True, False)
        sold = fill(service, "c1", 300.0, execution_id="e2")
        assert (sold.status, sold.json["booked"], sold.json["durable"]) == (200, 300.0, False)
        wrong = fill(service, "c2", 300.0, execution_id="e3", action="buy")
        assert (wrong.status, wrong.code) == (409, "EXECUTION_CONFLICT")
        assert service.call("DELETE", "trades/c2", scope="trade").json["durable"] is False
        assert service.manager.state.reservations == {}
        for reply in (
            service.ask(request_id="r1", size=600),
            service.call("GET", "trades/r1"),
        ):
            assert (reply.status, reply.code) == (503, "STORE_UNAVAILABLE")
            assert "'r1' was answered before" in reply.json["error"]["message"]
    service.close()


def test_an_engine_that_ended_says_so(foundation, tmp_path):
    service = Service(foundation, tmp_path / "risk.db")
    service.manager.close()
    for reply in (service.ask(), service.call("POST", "emergency-stop", {"reason": "fire"})):
        assert (reply.status, reply.code) == (503, "ENGINE_ENDED")
        assert "ask the one that serves it now" in reply.json["error"]["message"]
    ready = service.call("GET", "/readyz")
    assert (ready.status, ready.json) == (503, {"ready": False, "why": ["ENGINE_ENDED"]})
    assert service.call("GET", "state").json["durable"] is False
    service.close()
