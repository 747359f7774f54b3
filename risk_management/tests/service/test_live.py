"""Streams, sessions and files of the page, without a browser."""

from __future__ import annotations

import gzip
import http.client
import json
import threading
from datetime import timedelta

import pytest

from risk_management.clock import ManualClock
from risk_management.model.access import Access
from risk_management.service.assets import page_version, plotly_version
from risk_management.service.live import LIVE, Live
from risk_management.service.routes.page import PAGE_POLICY
from risk_management.service.sessions import LIFE, MOST, Sessions


def told(stream, number: int) -> list[dict]:
    """The next events that say something."""
    found: list[dict] = []
    while len(found) < number:
        text = next(stream).decode()
        if text.startswith("event: pulse"):
            found.append(json.loads(text.split("data: ", 1)[1]))
    return found


def looked_through() -> None:
    """Nobody looks any more."""
    for thread in threading.enumerate():
        if thread.name == "risk-live":
            thread.join(10)


def test_all_listeners_hear_the_same_bytes_and_only_what_is_new():
    said = {"now": 1, "mode": "active"}
    made = []

    def pulse():
        made.append(1)
        return {**said, "now": len(made)}

    live = Live(pulse, 2, every=0.01)
    one, other = live.listen(), live.listen()
    assert one is not None
    assert other is not None
    assert live.listen() is None, "there are two already"
    assert told(one, 1) == told(other, 1) == [{"now": 1, "mode": "active"}]
    said["mode"] = "halted"
    heard, also = told(one, 1), told(other, 1)
    assert heard == also
    assert heard[0]["mode"] == "halted"
    one.close()
    one.close()
    assert live.listeners == 1
    third = live.listen()
    assert told(third, 1)[0]["mode"] == "halted", "who comes later is told at once"
    live.close()
    assert list(other) == list(third) == []


def test_a_beat_tells_that_all_is_as_it_was():
    live = Live(lambda: {"mode": "active"}, 1, heartbeat=0.01, every=10.0)
    stream = live.listen()
    told(stream, 1)
    assert next(stream) == b"event: beat\ndata: {}\n\n"
    live.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_look_that_fails_ends_the_streams():
    """Silence would be taken for calm: the page is to ask, and to be told what is wrong."""
    answers = iter([{"mode": "active"}])
    live = Live(lambda: next(answers), 1, every=0.01)
    stream = live.listen()
    told(stream, 1)
    assert list(stream) == []
    looked_through()


def test_who_listens_anew_is_not_told_what_was():
    said = {"mode": "active"}
    live = Live(lambda: dict(said), 1, every=0.01)
    first = live.listen()
    told(first, 1)
    first.close()
    looked_through()
    said["mode"] = "halted"
    assert told(live.listen(), 1) == [{"mode": "halted"}]
    live.close()


def test_streams_over_http_leave_and_end(fresh):
    """A listener that hangs up frees its place; more than there are places get 503; a stop ends them all."""
    service = fresh(streams=2)
    live: Live = service.app.extensions[LIVE]
    connections, asked = [], {"Authorization": f"Bearer {service.secrets['read']}"}
    for _ in range(2):
        connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)
        connection.request("GET", "/api/risk/stream", headers=asked)
        answer = connection.getresponse()
        assert answer.getheader("Content-Type").startswith("text/event-stream")
        assert answer.readline() == b"retry: 2000\n"
        connections.append((connection, answer))
    assert live.listeners == 2
    refused = service.call("GET", "stream", scope="read")
    assert (refused.status, refused.code, refused.headers["Retry-After"]) == (503, "OVERLOADED", "30")
    assert service.call("GET", "stream", scope=None).status == 401
    assert service.call("GET", "pulse", scope="read").json["status"]["mode"] == "active"
    first, answer = connections[0]
    answer.close()
    first.close()
    wait = threading.Event()
    for turn in range(1000):  # who is gone is noticed when something is said
        service.manager.record_cash("dividend", 1.0 + turn)
        if live.listeners == 1:
            break
        wait.wait(0.05)
    assert live.listeners == 1
    service.server.stop()
    service._thread.join(20)
    assert not service._thread.is_alive(), "streams do not hold up the end"
    connections[1][1].read()
    connections[1][0].close()
    assert live.listeners == 0


def test_a_pulse_that_says_nothing_new_is_not_sent_again(service):
    first = service.call("GET", "pulse", scope="read")
    service.clock.advance(0.5)
    again = service.call("GET", "pulse", scope="read", headers={"If-None-Match": first.headers["Etag"]})
    assert (again.status, again.data) == (304, b"")
    service.manager.record_cash("dividend", 1.0)
    assert service.call("GET", "pulse", scope="read").headers["Etag"] != first.headers["Etag"]


def test_a_stale_feed_is_named(service):
    service.manager.add_position("KO", 500, 60.0)
    service.manager.update_prices({"KO": 60.0, "PG": 100.0}, source="desk")
    service.clock.advance(61.0)
    feeds = {feed["name"]: feed for feed in service.call("GET", "pulse", scope="read").json["feeds"]}
    assert feeds["desk"]["stale"] == ["KO"], "of what is held"
    assert feeds["market model"]["stale"] == []
    service.manager.update_prices({"KO": 60.0}, source="desk")
    feeds = {feed["name"]: feed for feed in service.call("GET", "pulse", scope="read").json["feeds"]}
    assert feeds["desk"]["stale"] == []


# -- files ------------------------------------------------------------------------------------------


def test_files_are_kept_for_good_under_their_version(service):
    page = service.call("GET", "dashboard", scope=None)
    assert page.headers["Content-Security-Policy"] == PAGE_POLICY
    assert "script-src" not in PAGE_POLICY
    assert "default-src 'self'" in PAGE_POLICY
    assert "unsafe-eval" not in PAGE_POLICY
    assert page.headers["X-Frame-Options"] == "DENY"
    text = page.data.decode()
    assert "<script>" not in text
    assert f"/api/risk/static/{page_version()}/app.js" in text
    mine, zipped = page_version(), {"Accept-Encoding": "gzip"}
    for path in (f"{mine}/app.js", f"{mine}/page.css", f"{plotly_version()}/plotly.min.js"):
        packed = service.call("GET", f"static/{path}", scope=None, headers=zipped)
        bare = service.call("GET", f"static/{path}", scope=None)
        assert gzip.decompress(packed.data) == bare.data
        assert len(packed.data) < len(bare.data) / 2
        assert "immutable" in bare.headers["Cache-Control"]
        assert bare.headers["X-Content-Type-Options"] == "nosniff"
    for path in ("static/old/app.js", f"static/{mine}/page.html", f"static/{mine}/..%2Fplain.py"):
        assert service.call("GET", path, scope=None).status == 404
    home = service.call("GET", "/", scope=None)
    assert (home.status, home.headers["Location"]) == (303, "api/risk/dashboard")


# -- sessions ---------------------------------------------------------------------------------------


def test_a_session_outlives_a_restart_and_ends_with_its_token_or_its_time(service, tmp_path):
    clock, file = ManualClock(service.clock.now()), tmp_path / "sessions"
    token, _ = service.tokens.create("phone", Access.READ, actor="test")
    sessions = Sessions(clock, file=file, is_valid=service.tokens.holds)
    cookie, link = sessions.begin(token), sessions.enter(sessions.code())
    sessions.close()
    assert file.stat().st_mode & 0o777 == 0o600
    assert cookie not in file.read_text()
    again = Sessions(clock, file=file, is_valid=service.tokens.holds)
    found = again.find(cookie)
    assert (found.who.name, found.who.access, len(found.csrf)) == ("phone", Access.READ, 32)
    assert again.find(link).who.access is Access.OPERATE
    assert again.find(link).csrf != found.csrf
    assert again.find(cookie[:-1] + "!") is None
    service.tokens.revoke(token.token_id)
    assert again.find(cookie) is None
    clock.advance(LIFE + 1)
    assert again.find(link) is None
    again.close()
    file.write_text("torn")
    anew = Sessions(clock, file=file)
    assert anew.find(link) is None
    anew.close()


def test_a_clock_that_is_set_back_ends_sessions():
    clock = ManualClock(Sessions()._clock.now())
    sessions = Sessions(clock)
    cookie = sessions.enter(sessions.code())
    clock.move_to(clock.now() + timedelta(hours=1))
    late = sessions.enter(sessions.code())
    assert sessions.find(cookie)
    assert sessions.find(late)
    cookies = [sessions.enter(sessions.code()) for _ in range(MOST)]
    assert sessions.find(cookie) is None, "the oldest gives way"
    assert all(sessions.find(one) for one in cookies)


def test_a_token_of_little_right_logs_nobody_out(service):
    sessions = Sessions(ManualClock(service.clock.now()), is_valid=service.tokens.holds)
    operator, _ = service.tokens.create("desk", Access.OPERATE, actor="test")
    kept = [sessions.begin(operator), sessions.enter(sessions.code())]
    readers = [service.tokens.create(f"r{n}", Access.READ, actor="test")[0] for n in range(5)]
    cookies = [sessions.begin(reader) for reader in readers for _ in range(2 * MOST)]
    assert all(sessions.find(cookie) for cookie in kept)
    assert len([one for one in cookies if sessions.find(one)]) == MOST - len(kept)


def test_a_stream_ends_with_the_right_to_it():
    rights = [True]
    live = Live(lambda: {"mode": "active"}, 2, heartbeat=0.01, every=0.01)
    stream = live.listen(lambda: rights[0])
    assert next(stream) == b"retry: 2000\n\n"
    next(stream)
    rights[0] = False
    with pytest.raises(StopIteration):
        next(stream)
    stream.close()


def test_a_session_of_a_token_over_http(service):
    begun = service.call("POST", "session", {}, "read")
    kept = begun.headers["Set-Cookie"]
    assert "HttpOnly" in kept
    assert "SameSite=Strict" in kept
    assert "Secure" not in kept, "on this machine there is no TLS"
    cookie = {"Cookie": kept.partition(";")[0]}
    me = service.call("GET", "session", scope=None, headers=cookie).json
    assert (me["access"], me["name"]) == ("read", "read")
    signed = {**cookie, "X-CSRF-Token": me["csrf"]}
    assert service.call("POST", "emergency-stop", {"reason": "x"}, None, headers=signed).code == "NOT_ALLOWED"
    assert service.call("POST", "session", {}, None, headers=signed).code == "NOT_ALLOWED", "it renews itself"
    assert service.call("DELETE", "session", scope=None, headers=cookie).code == "BAD_CSRF"
    assert service.call("DELETE", "session", scope=None, headers=signed).status == 200
    assert service.call("GET", "session", scope=None, headers=cookie).status == 401
