"""Bytes that nobody should send: each gets its own clear no, nothing is approved, the server goes on.

The rows are those of the list of bad inputs; what they expect is written here, not taken from the code.
"""

from __future__ import annotations

import random
import socket

import pytest

BASE = b'"symbol":"KO","action":"buy"'
GOOD = b'{"symbol":"KO","action":"buy","size":100}'


def sized(size: bytes) -> bytes:
    return b'{%s,"size":%s}' % (BASE, size)


def with_(words: bytes) -> bytes:
    return b'{%s,"size":100,%s}' % (BASE, words)


def of_symbol(symbol: str) -> bytes:
    return f'{{"symbol":{symbol},"action":"buy","size":100}}'.encode()


CORPUS: list[tuple[bytes, int, str]] = [
    *((body, 400, "INVALID_JSON") for body in (b"", b" ", b"\n\t", b"{", b'{"a"', b'{"a":1', b'"', b"nul")),
    *((body, 400, "BODY_NOT_OBJECT") for body in (b"null", b"[]", b"5", b"true", b'"x"', b"[[[]]]")),
    (b'{"size":1,}', 400, "INVALID_JSON"),
    (b'{"size":1 /* one */}', 400, "INVALID_JSON"),
    (b"{'size':1}", 400, "INVALID_JSON"),
    (b"{size:1}", 400, "INVALID_JSON"),
    (GOOD + b"x", 400, "INVALID_JSON"),
    (GOOD + GOOD, 400, "INVALID_JSON"),
    (b'{"symbol":"A\nB"}', 400, "INVALID_JSON"),
    (GOOD.decode().encode("utf-16"), 400, "INVALID_ENCODING"),
    (GOOD.decode().encode("utf-16-le"), 400, "INVALID_ENCODING"),
    (GOOD.decode().encode("utf-32"), 400, "INVALID_ENCODING"),
    (b"\xef\xbb\xbf" + GOOD, 400, "INVALID_ENCODING"),
    (with_(b'"strategy":"\xff"'), 400, "INVALID_ENCODING"),
    (with_(b'"strategy":"\xed\xa0\x80"'), 400, "INVALID_ENCODING"),
    (b"\x00" * 100, 400, "INVALID_ENCODING"),
    (with_(b'"size":100'), 400, "DUPLICATE_FIELD"),
    (with_(b'"size":NaN'), 400, "DUPLICATE_FIELD"),
    (with_(b'"\\u0073ize":1'), 400, "DUPLICATE_FIELD"),
    *(
        (with_(b'"%s":true' % word), 400, "UNKNOWN_FIELD")
        for word in (b"approved", b"is_admin", b"__class__", b"__proto__", b"Size", b"", b"\\ud800")
    ),
    (b"[" * 60_000, 400, "TOO_DEEP"),
    (b'{"a":' * 12_000, 400, "TOO_DEEP"),
    (with_(b'"strategy":' + b"[" * 40 + b"]" * 40), 400, "TOO_DEEP"),
    (b'{"a":"' + b"x" * 65_536 + b'"}', 413, "BODY_TOO_LARGE"),
    (b" " * 100_000, 413, "BODY_TOO_LARGE"),
    *((sized(size), 400, "NOT_FINITE") for size in (b"NaN", b"Infinity", b"-Infinity", b"1e400", b"-1e400")),
    *((sized(size), 400, "INVALID_JSON") for size in (b"nan", b"inf", b"+1", b"01", b".5", b"5.", b"0x1")),
    *((sized(size), 400, "NOT_POSITIVE") for size in (b"0", b"-0", b"-0.0", b"0e0", b"-1", b"1e-400")),
    *(
        (sized(size), 400, "WRONG_TYPE")
        for size in (b"true", b"false", b'"100"', b'"NaN"', b'""', b"[]", b"[100]", b"{}", '"١٠"'.encode())
    ),
    *((sized(size), 400, "OUT_OF_RANGE") for size in (b"1e13", b"9" * 400, b"9" * 5000, b"1" + b"0" * 30)),
    (sized(b"1." + b"0" * 29 + b"1"), 400, "TOO_PRECISE"),
    (sized(b"0." + b"3" * 30), 400, "TOO_PRECISE"),
    (sized(b"null"), 400, "MISSING_FIELD"),
    (b"{%s}" % BASE, 400, "MISSING_FIELD"),
    (b"{}", 400, "MISSING_FIELD"),
    (of_symbol("null"), 400, "MISSING_FIELD"),
    *(
        (of_symbol(symbol), 400, "INVALID_SYMBOL")
        for symbol in (
            '""', '" "', '"%s"' % ("A" * 5000), '"A\\u0000"', '"A\\r\\nB"', '"A\\n"', '"\\u202eA"',
            '"A\\u200b"',
            '"\\ud800"', '"ＡＡＰＬ"', '"АAPL"', '"../../x"', '"\'; DROP TABLE journal"', '"<script>"',
            '"{0.__class__}"', '"=cmd|calc"', '"%00"', "5", "[]", "true",
        )
    ),
    *(
        (b'{"symbol":"KO","action":%s,"size":100}' % action, 400, "INVALID_ACTION")
        for action in (b'"BUY "', b'"hold"', b'"BUY"', b'""', b"null", b"1", b"[]", b'"buy\\u0000"')
    ),
    *((with_(b'"confidence":%s' % c), 400, "OUT_OF_RANGE") for c in (b"-0.1", b"1.1", b"NaN", b"1e300")),
    *((with_(b'"confidence":%s' % c), 400, "WRONG_TYPE") for c in (b'"1"', b"true", b"[]")),
    *(
        (with_(b'"request_id":"%s"' % i), 400, "INVALID_REQUEST_ID")
        for i in (b"", b" ", b"x" * 129, b"a\\u0007", b"a\\n", b"\\ud800", b" a", b"a\\u0085b", b"a\\u009bb",
                  b"a\\u2028b", b"\\ufeffa", b"a\\u061cb", b"a\\udb40\\udc01b")
    ),
    *((with_(b'"reduce_only":%s' % c), 400, "WRONG_TYPE") for c in (b'"false"', b"0", b"null")),
    *((with_(b'"price":%s' % c), 400, "NOT_POSITIVE") for c in (b"0", b"-5")),
    (with_(b'"risk_amount":-1'), 400, "NOT_POSITIVE"),
    (with_(b'"bot_name":"operator"'), 400, "RESERVED_NAME"),
    (with_(b'"bot_name":"RSI2\\u202e"'), 400, "INVALID_NAME"),
    (with_(b'"account_id":"nobody"'), 400, "UNKNOWN_ACCOUNT"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "status", "code"), CORPUS, ids=[f"{n}-{c}-{b[:24]!r}" for n, (b, _, c) in enumerate(CORPUS)]
)
def test_a_request_that_means_nothing(service, body, status, code):
    before = service.manager.state
    answer = service.call("POST", "trades", body, "trade")
    assert (answer.status, answer.code) == (status, code)
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json["error"]["message"]
    assert service.manager.state is before


EXECUTIONS: list[tuple[bytes, str]] = [
    (b'{"executed_size":-1,"executed_price":60}', "NOT_POSITIVE"),
    (b'{"executed_size":NaN,"executed_price":60}', "NOT_FINITE"),
    (b'{"executed_size":100,"executed_price":NaN}', "NOT_FINITE"),
    (b'{"executed_size":100,"executed_price":0}', "NOT_POSITIVE"),
    (b'{"executed_size":100,"executed_price":60,"success":"false"}', "WRONG_TYPE"),
    (b'{"executed_size":100,"executed_price":60,"success":0}', "WRONG_TYPE"),
    (b'{"executed_size":100,"executed_price":60,"execution_id":""}', "INVALID_NAME"),
    (b'{"executed_size":100,"executed_price":60,"fee":-1}', "NOT_POSITIVE"),
    (b'{"executed_size":100,"executed_price":60,"fee":5000}', "OUT_OF_RANGE"),
    (b'{"executed_size":100,"executed_price":60,"final":"no"}', "WRONG_TYPE"),
    (b'{"executed_size":100,"executed_price":60,"booked":5}', "UNKNOWN_FIELD"),
    (b'{"executed_price":60}', "MISSING_FIELD"),
]


@pytest.mark.parametrize(("body", "code"), EXECUTIONS)
def test_a_report_that_means_nothing(service, body, code):
    if service.manager.desk.decision("held") is None:
        assert service.ask(request_id="held").json["approved"]
    before = service.manager.state
    answer = service.call("POST", "trades/held/executions", body, "trade")
    assert (answer.status, answer.code) == (400, code)
    assert service.manager.state is before


def test_a_fill_of_another_environment(service):
    service.ask(request_id="paper", size=111)
    words = {"executed_size": 111, "executed_price": 60.0, "environment": "live"}
    answer = service.call("POST", "trades/paper/executions", words, "trade")
    assert (answer.status, answer.code) == (409, "WRONG_ENVIRONMENT")


OTHERS: list[tuple[str, str, bytes, str]] = [
    *(
        ("POST", "prices", b'{"prices":{"KO":%s}}' % price, code)
        for price, code in (
            (b"NaN", "NOT_FINITE"), (b"1e999", "NOT_FINITE"), (b"0", "NOT_POSITIVE"), (b"-1", "NOT_POSITIVE"),
            (b'"60"', "WRONG_TYPE"), (b"true", "WRONG_TYPE"), (b"null", "WRONG_TYPE"),
            (b"1e13", "OUT_OF_RANGE"),
        )
    ),
    *(
        ("POST", "prices", b'{"prices":{"KO":60},"at":%s}' % at, code)
        for at, code in (
            (b'"2026-03-02T14:30:00"', "INVALID_TIMESTAMP"), (b'"0001-01-01T00:00:00Z"', "INVALID_TIMESTAMP"),
            (b'"9999-12-31T23:59:59Z"', "INVALID_TIMESTAMP"), (b"1772461800000", "INVALID_TIMESTAMP"),
            (b'"now"', "INVALID_TIMESTAMP"), (b'""', "INVALID_TIMESTAMP"),
            (b'"2099-01-01T00:00:00+00:00"', "FUTURE_TIMESTAMP"),
        )
    ),
    ("POST", "prices", b'{"prices":{}}', "OUT_OF_RANGE"),
    ("POST", "prices", b'{"prices":[]}', "WRONG_TYPE"),
    ("POST", "prices", b'{"prices":{"A B":1}}', "INVALID_SYMBOL"),
    ("POST", "equity", b'{"equity":"10000"}', "WRONG_TYPE"),
    ("POST", "equity", b'{"equity":true}', "WRONG_TYPE"),
    ("POST", "equity", b"{}", "MISSING_FIELD"),
    ("POST", "cash-flows", b'{"kind":"deposit","amount":0}', "NOT_POSITIVE"),
    ("POST", "cash-flows", b'{"kind":"withdrawal","amount":1e11}', "OUT_OF_RANGE"),
    ("POST", "emergency-stop", b"{}", "MISSING_FIELD"),
    ("POST", "emergency-stop", b'{"reason":"a\\nb"}', "INVALID_NAME"),
    ("POST", "emergency-release", b'{"reason":null}', "MISSING_FIELD"),
    ("POST", "mode", b'{"mode":"halted","scope":"bot","reason":"x"}', "INVALID_NAME"),
    ("POST", "mode", b'{"mode":"active","scope":"galaxy","reason":"x"}', "INVALID_MODE"),
    ("PUT", "bots/%20", b"{}", "INVALID_NAME"),
    ("PUT", "bots/a%00b", b"{}", "INVALID_NAME"),
    ("PUT", "bots/" + "x" * 200, b"{}", "INVALID_NAME"),
    ("PUT", "bots/x", b'{"max_position_size":-5}', "NOT_POSITIVE"),
    ("PUT", "bots/x", b'{"kelly_fraction":15}', "OUT_OF_RANGE"),
    ("POST", "positions", b'{"positions":{"KO":"5"}}', "WRONG_TYPE"),
    ("POST", "positions", b'{"positions":{"KO":NaN}}', "NOT_FINITE"),
    ("POST", "positions", b'{"positions":{},"open_orders":"x"}', "WRONG_TYPE"),
    ("GET", "trades/%00", b"", "INVALID_NAME"),
    ("GET", "trades/" + "x" * 500, b"", "INVALID_NAME"),
]  # fmt: skip
RULES = [
    b"__import__('os').system('x')", b"portfolio_heat.__class__ > 1", b"(lambda: 1)() > 0", b"f'{1}' > 0",
    b"[x for x in (1,)] > 0", b"portfolio_heat > 9**9**9", b"portfolio_heat =~ '(a+)+$'", b"nonsense > 1",
    b"portfolio_heat > NaN", b"(" * 100 + b"portfolio_heat > 1" + b")" * 100, b"", b"{{{{{{",
]  # fmt: skip
OTHERS += [
    ("POST", "rules", b'{"rule_id":"r","name":"n","condition":"%s"}' % rule, "INVALID_CONDITION")
    for rule in RULES
]
OTHERS += [
    ("POST", "rules", b'{"rule_id":"r","name":"n","condition":"%s"}' % (b"a" * 1000), "INVALID_CONDITION"),
    ("POST", "rules", b'{"rule_id":"r","name":"n","condition":5}', "WRONG_TYPE"),
]


@pytest.mark.parametrize(("method", "path", "body", "code"), OTHERS)
def test_everything_else_that_means_nothing(service, method, path, body, code):
    before = service.manager.state
    answer = service.call(method, path, body)
    assert (answer.status, answer.code) == (400, code)
    assert service.manager.state is before


LONE = b'"\\ud800"'
RULE = b'{"rule_id":"r","name":"n","condition":"drawdown > 0","message":%s}'
DENIED = b'{"reason":"x","changes":{"portfolio_limits":{"deny_symbols":[%s]}}}'
SURROGATES = [
    ("POST", "rules", RULE, "INVALID_ENCODING"),
    ("POST", "rules", b'{"rule_id":"r","name":"n","condition":%s}', "INVALID_ENCODING"),
    ("POST", "rules", b'{"rule_id":"r","name":%s,"condition":"drawdown > 0"}', "INVALID_NAME"),
    ("POST", "rules/try", b'{"condition":%s}', "INVALID_ENCODING"),
    ("PATCH", "config", DENIED, "INVALID_ENCODING"),
    ("PATCH", "config", b'{"reason":"x","changes":{"heartbeat_config":{"bots":{%s:1}}}}', "UNKNOWN_FIELD"),
    ("POST", "trades", b'{"action":"buy","size":100,"symbol":%s}', "INVALID_SYMBOL"),
]


@pytest.mark.parametrize(("method", "path", "body", "code"), SURROGATES)
def test_half_a_surrogate_pair_is_refused_before_anything_is_kept(service, method, path, body, code):
    """An escape of JSON can say it, no UTF-8 can hold it: a rule that kept one kept everybody from rules."""
    before, rules = service.manager.state, service.call("GET", "rules").json
    answer = service.call(method, path, body % LONE)
    assert (answer.status, answer.code) == (400, code)
    assert service.manager.state is before
    assert service.call("GET", "rules").json == rules


@pytest.mark.parametrize(
    "kind",
    [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/xml",
    ],
)
def test_other_content_types(service, kind):
    answer = service.call("POST", "trades", GOOD, "trade", headers={"Content-Type": kind})
    assert (answer.status, answer.code) == (415, "NOT_JSON")


def raw(service, data: bytes, *, finish: bool = True) -> bytes:
    """What a socket gets back for bytes that no client library would send."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=10) as connection:
        connection.sendall(data)
        if finish:
            connection.shutdown(socket.SHUT_WR)
        said = b""
        while part := connection.recv(65_536):
            said += part
    return said


def request(service, *, token: bytes | None = None, head: bytes = b"", body: bytes = b"") -> bytes:
    secret = token if token is not None else service.secrets["trade"].encode()
    return (
        b"POST /api/risk/trades HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
        b"Authorization: Bearer %s\r\nContent-Type: application/json\r\n%s\r\n\r\n%s" % (secret, head, body)
    )


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"\x00\x01\x02\r\n\r\n", b"400"),
        (b"GET\r\n\r\n", b"400"),
        (b"GET / HTTP/9.9\r\n\r\n", b"403"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"400"),
        (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"431"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5, 6\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", b"501"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n", b"413"),
        (b"GET http://evil.example/api/risk/state HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", b"401"),
        (b"GET /api/risk/state HTTP/1.1\r\n\r\n", b"403"),
        (b"TRACE /api/risk/state HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", b"401"),
        (b"BREW /api/risk/state HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", b"405"),
    ],
)
def test_what_is_hardly_http(service, data, status):
    answer = raw(service, data)
    assert answer.split(b" ", 2)[1] == status
    assert b'{"error": {"code": "' in answer
    assert b"waitress" not in answer.lower()


def test_chunked_bodies_are_read_whole_or_not_at_all(service):
    whole = b"%x\r\n%s\r\n0\r\n\r\n" % (len(GOOD), GOOD)
    answer = raw(service, request(service, head=b"Transfer-Encoding: chunked", body=whole))
    assert answer.startswith(b"HTTP/1.1 200")
    version = service.manager.state.version
    endless = b"Transfer-Encoding: chunked"
    assert raw(service, request(service, head=endless, body=b"10000\r\n" + b" " * 65_536 + b"\r\n" + whole))
    torn = raw(service, request(service, head=endless, body=whole[:-10]))
    assert torn == b""
    assert raw(service, request(service, head=b"Content-Length: 500", body=GOOD)) == b""
    assert service.manager.state.version == version


def test_two_lengths_smuggle_nothing(service):
    version = service.manager.state.version
    head = b"Content-Length: 5\r\nTransfer-Encoding: chunked"
    raw(service, request(service, head=head, body=b"0\r\n\r\n" + request(service, body=GOOD)))
    raw(service, request(service, head=b"Content-Length: 1\r\nContent-Length: 2", body=b"{}"))
    assert service.manager.state.version == version


def test_random_bytes_never_break_it(service):
    """Mutations of a good body, seeded: every answer is a clear no, or what the good one gets."""
    dice = random.Random(7)
    for _ in range(600):
        body = bytearray(GOOD)
        for _ in range(dice.randint(1, 4)):
            place = dice.randrange(len(body))
            match dice.randrange(3):
                case 0:
                    body[place] = dice.randrange(256)
                case 1:
                    del body[place]
                case _:
                    body[place:place] = bytes([dice.randrange(256)])
        answer = service.call("POST", "what-if", bytes(body), "read")
        assert answer.status in (200, 400)
        assert answer.json
    assert service.ask(size=101).json["approved"] in (True, False)
