"""Many threads at once over HTTP, against sums that are made anew from positions and approvals."""

from __future__ import annotations

import http.client
import json
import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from risk_management.core.fill_report import FillReport
from risk_management.core.order_desk import OrderTicket
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.model.events import TradeDecided
from risk_management.store.sql_journal import SqlJournal
from risk_management.tests.core.over_approval import SCALE, SYMBOLS, TOLERANCE, worst
from risk_management.tests.store.world import small_foundation

THREADS = 32
BOTS = {"b1": 900.0, "b2": 2500.0, "b3": 6000.0}
HELD, SHORTED = SYMBOLS[1:], SYMBOLS[:1]
PRICES = dict(zip(SYMBOLS, (380.0, 126.0, 132.0, 108.0, 63.0, 62.0), strict=True))


class Crowd:
    """Threads with a connection each, that ask at the same moment."""

    def __init__(self, service, ending: ExitStack) -> None:
        self._service = service
        self._gate, self._mine = threading.Barrier(THREADS), threading.local()
        self._pool = ending.enter_context(ThreadPoolExecutor(THREADS))
        self._ending = ending

    def ask(self, bodies: list[dict], scope: str = "operate") -> list:
        return list(self._pool.map(self._one, bodies, [scope] * len(bodies)))

    def _one(self, body: dict, scope: str):
        if not hasattr(self._mine, "line"):
            self._mine.line = http.client.HTTPConnection("127.0.0.1", self._service.port, timeout=60)
            self._ending.callback(self._mine.line.close)
        self._gate.wait(60)
        while True:
            reply = self._service.call("POST", "trades", body, scope, connection=self._mine.line)
            if reply.status != 503:
                return reply


@pytest.fixture
def crowded(fresh):
    with ExitStack() as ending:
        service = fresh()
        grown = service.manager.config.update(bot_config={"probation_share": 1.0})
        service.manager.reconfigure(grown)  # all limits are those that ship
        for bot, most in BOTS.items():
            service.manager.register_bot(bot, f"s-{bot}", most)
        service.manager.update_prices(PRICES)
        yield service, Crowd(service, ending)


def caps(service) -> dict[tuple[str, str], float]:
    """Every additive limit of the book, by hand."""
    state, limits = service.manager.state, service.manager.config.portfolio_limits
    found = {("gross", ""): limits.max_gross_exposure, ("net", ""): limits.max_net_exposure}
    for symbol in SYMBOLS:
        instrument = state.instruments[symbol]
        is_fund = instrument.asset_class == "index_fund"
        found["name", symbol] = limits.max_index_fund_position if is_fund else limits.max_single_position
        found["sector", instrument.sector] = limits.max_sector_exposure
    for bot in BOTS:
        found["strategy", f"s-{bot}"] = limits.max_strategy_exposure
    money = {key: share * state.equity * SCALE for key, share in found.items()}
    return money | {("bot", bot): most * SCALE for bot, most in BOTS.items()}


def violations(service) -> list:
    limits = caps(service)
    return [
        (key, now, limits[key])
        for key, now in worst(service.manager.state).items()
        if key in limits and now > limits[key] + TOLERANCE * THREADS
    ]


def burst(chance: random.Random, number: int, state) -> list[dict]:
    """32 orders: of everyone on everything, or of all on the same position, which they close together.

    Nobody is long what another is short: to close either passes always, and moves the net away from zero.
    """
    held = list(state.positions.values())
    shared = chance.choice(held) if held and number % 3 == 0 else None
    orders = []
    for place in range(THREADS):
        bot = chance.choice(list(BOTS)) if shared is None else shared.key.bot
        opens, closes = ("sell", "buy") if bot == "b3" else ("buy", "sell")
        symbol = chance.choice(SHORTED if bot == "b3" else HELD) if shared is None else shared.symbol
        is_exit = shared is not None or chance.random() < 0.3
        order = {
            "bot_name": bot,
            "symbol": symbol,
            "action": closes if is_exit else opens,
            "size": round(chance.lognormvariate(4.0, 1.0), 2) + 5.0,
            "request_id": f"{number}-{place}",
            "reduce_only": is_exit,
        }
        orders.append(order)
    return orders


def settle(service, chance: random.Random) -> None:
    """Fill some approvals at their prices and cancel the others, so that there is room again."""
    manager = service.manager
    service.clock.advance(5.0)
    manager.update_prices(PRICES)
    for name, one in list(manager.state.reservations.items()):
        if chance.random() < 0.25:
            left = (one.opening + one.closing) / SCALE
            manager.execute_trade(FillReport(name, left, PRICES[one.key.symbol], final=True))
        elif chance.random() < 0.8:
            manager.desk.cancel(name)


@pytest.mark.parametrize("wanted", [1_000, pytest.param(100_000, marks=pytest.mark.soak)])
def test_no_burst_over_http_exceeds_a_limit(crowded, wanted, record_property):
    service, crowd = crowded
    chance, outcomes, number, shared = random.Random(wanted), Counter(), 0, 0
    while sum(outcomes.values()) < wanted:
        before = service.manager.state
        orders = burst(chance, number, before)
        for order, reply in zip(orders, crowd.ask(orders), strict=True):
            assert reply.status == 200, reply
            outcomes["approved" if reply.json["approved"] else "refused"] += 1
            assert reply.json["recommended_size"] <= order["size"] + 1e-6
        assert violations(service) == []
        shared += len({order["symbol"] for order in orders}) == 1
        state, closing = service.manager.state, Counter()
        for one in state.reservations.values():
            closing[one.key] += abs(one.closing_quantity)
        for key, units in closing.items():
            assert not units or units <= abs(state.positions[key].quantity)  # together no more than is held
        settle(service, chance)
        number += 1
    assert min(outcomes["approved"], outcomes["refused"]) > wanted // 10
    assert shared > number // 10
    said = f"{sum(outcomes.values()):,} requests, {outcomes['approved']:,} approved in bursts of {THREADS}, "
    record_property("figure", said + f"{shared:,} bursts on one position: 0 beyond a limit")


def held_once(journal, answers: dict[str, object]) -> bool:
    decided = Counter(e.request_id for e in journal.reader.events() if isinstance(e, TradeDecided))
    return set(answers) <= set(decided) and set(decided.values()) == {1}


def test_five_thousand_duplicates_from_sixteen_threads_and_a_restart(tmp_path):
    """In the process, 16 times the same id at the same moment; after the restart each once more."""
    manager = AdvancedRiskManager.on(small_foundation(), journal=SqlJournal(str(tmp_path / "s.db")))
    manager.register_bot("b")
    gate, first = threading.Barrier(16), {}

    def ask(number: int):
        gate.wait(30)
        ticket = OrderTicket("AAA", "buy", 100.0 + number, "s", "b", request_id=f"r{number}")
        said = manager.request_trade(ticket)
        return (
            said.approved,
            said.recommended_size,
            said.rejection_reasons,
            said.explain(),
            said.state_version,
        )

    with ThreadPoolExecutor(16) as pool:
        for number in range(160):
            answers = list(pool.map(ask, [number] * 16))
            assert all(answer == answers[0] for answer in answers)
            first[f"r{number}"] = answers[0]
        assert held_once(manager.book.journal, first)
        manager.close()
        manager = AdvancedRiskManager.on(small_foundation(), journal=SqlJournal(str(tmp_path / "s.db")))
        for number in range(160):
            assert set(pool.map(ask, [number] * 16)) == {first[f"r{number}"]}
    assert held_once(manager.book.journal, first)
    manager.close()


@pytest.mark.soak
def test_a_hundred_thousand_duplicates_over_http(crowded, record_property):
    service, crowd = crowded
    asked, answers = 0, {}
    while asked < 100_000:
        number = len(answers)
        bodies = [
            {
                "bot_name": "b2",
                "symbol": "KO",
                "action": "buy",
                "size": 20.0 + half,
                "request_id": f"{number}-{half}",
            }
            for half in (0, 1)
            for _ in range(THREADS // 2)
        ]
        for body, reply in zip(bodies, crowd.ask(bodies), strict=True):
            assert reply.status == 200
            assert answers.setdefault(body["request_id"], reply.data) == reply.data
        other = service.call("POST", "trades", {**bodies[0], "size": 21.5}, "operate")
        assert (other.status, other.code) == (409, "REQUEST_ID_REUSED")
        asked += THREADS
        for half in (0, 1):
            service.manager.desk.cancel(f"{number}-{half}")
    assert held_once(service.journal, answers)
    record_property("figure", f"{asked:,} requests of {len(answers):,} ids: each answered once, bytes equal")


@pytest.mark.soak
def test_a_hundred_thousand_hostile_requests(fresh, record_property):
    """Mutations of the hostile corpus and of good bodies, on a stopped book: nothing may be approved."""
    from risk_management.tests.service.test_hostile import CORPUS, EXECUTIONS, GOOD, OTHERS  # noqa: PLC0415

    service, chance, seen = fresh(), random.Random(10), Counter()
    service.manager.emergency_stop("fuzz")
    seeds = [("POST", "trades", body) for body, *_ in CORPUS] + [("POST", "trades", GOOD)] * 40
    seeds += [("POST", "trades/x/executions", body) for body, _ in EXECUTIONS]
    seeds += [(method, path, body) for method, path, body, _ in OTHERS]
    seeds = [s for s in seeds if s[1] not in ("emergency-release", "mode")]
    line = http.client.HTTPConnection("127.0.0.1", service.port, timeout=60)
    for _ in range(100_000):
        method, path, body = chance.choice(seeds)
        data = mutated(body, chance)
        try:
            reply = service.call(method, path, None if method == "GET" else data, "admin", connection=line)
        except http.client.HTTPException:
            line.close()
            continue
        seen[reply.status] += 1
        assert reply.status < 500, (method, path, data)
        said = json.loads(reply.data)
        assert said.get("approved") is not True, (path, data)
    line.close()
    assert service.call("GET", "/healthz", scope=None).status == 200
    assert not service.manager.state.positions
    assert not service.manager.state.reservations
    assert sum(seen.values()) > 99_000
    record_property(
        "figure", f"{sum(seen.values()):,} answers, 0 approved, 0 of 5xx: {dict(sorted(seen.items()))}"
    )


def mutated(body: bytes, chance: random.Random) -> bytes:
    changed = bytearray(body[:70_000])
    for _ in range(chance.randint(0, 4)):
        place = chance.randrange(len(changed) + 1)
        match chance.randrange(4):
            case 0:
                changed[place : place + 1] = bytes([chance.randrange(256)])
            case 1:
                del changed[place : place + chance.randint(1, 4)]
            case 2:
                changed[place:place] = chance.choice(
                    (b"1e309", b"NaN", b"null", b'"', b"\\u0000", b"[[[[", b"{}")
                )
            case _:
                changed[place:place] = bytes(chance.randrange(256) for _ in range(3))
    return bytes(changed)
