"""A decision holds all that is needed to make it again."""

from __future__ import annotations

import dataclasses
import random

import pytest

from risk_management.clock import ManualClock
from risk_management.core.fill_report import FillReport
from risk_management.core.order_desk import OrderTicket
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.model.events import TradeDecided
from risk_management.store.codec import decode, encode
from risk_management.store.reader import StoreReader
from risk_management.store.redecide import redecided
from risk_management.store.sql_journal import SqlJournal


def made_again(path) -> list:
    with StoreReader.of_store(str(path)) as reader:
        return list(redecided(reader))


def test_every_decision_of_a_life_comes_out_the_same(lived):
    again = made_again(lived.path)
    assert len(again) == lived.ask("SELECT count(*) FROM journal WHERE kind = 'TradeDecided'")[0][0] > 50
    assert [(one.request_id, one.differences) for one in again if one.differences] == []


def test_decisions_on_the_sample_with_prices_that_move_come_out_the_same(foundation, tmp_path):
    """Hundreds of orders in many names, filled and closed, over days: sums are carried far."""
    chance, clock = random.Random(3), ManualClock(foundation.clock.now())
    ground = dataclasses.replace(foundation, clock=clock)
    symbols = ["SPY", "QQQ", "AAPL", "JPM", "XOM", "KO", "PG", "AMD"]
    price = dict.fromkeys(symbols, 100.0)
    for _ in range(2):
        manager = AdvancedRiskManager.on(ground, journal=SqlJournal(str(tmp_path / "s.db")))
        for number in range(120):
            clock.advance(chance.uniform(30.0, 4000.0))
            price = {s: p * (1.0 + chance.gauss(0.0, 0.01)) for s, p in price.items()}
            manager.update_prices(price)
            symbol, side = chance.choice(symbols), chance.choice(("buy", "sell"))
            size = chance.uniform(50.0, 1500.0)
            answer = manager.request_trade(OrderTicket(symbol, side, size, "s", f"b{number % 5}"))
            if answer.approved and chance.random() < 0.8:
                manager.execute_trade(FillReport(answer.request_id, answer.recommended_size, price[symbol]))
            if number % 40 == 39:
                manager.assess_overall_risk()
        manager.close()
    again = made_again(tmp_path / "s.db")
    assert len(again) == 240
    assert [(one.seq, one.differences) for one in again if one.differences] == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"recommended_size": 1.0}, "recommended_size: 1.0, now"),
        ({"approved": False}, "approved: False, now True"),
        ({"rejection_reasons": ("LUCK",)}, "rejection_reasons"),
        ({"config_digest": "0"}, "config_digest: 0, now"),
        ({"state_version": 0}, "it names the state after entry 0"),
        ({"findings": ()}, "checks: []"),
    ],
)
def test_a_decision_that_was_made_otherwise_is_told(lived, change, told):
    """Also one whose text was changed before it was chained."""
    rows = lived.ask("SELECT seq, body FROM journal WHERE kind = 'TradeDecided' AND seq > 20 ORDER BY seq")
    events = ((seq, body, decode("TradeDecided", body, lambda _: None)) for seq, body in rows)
    seq, body, event = next(found for found in events if found[2].decision.approved)
    forged = dataclasses.replace(event, decision=dataclasses.replace(event.decision, **change))
    with StoreReader.of_store(str(lived.path)) as reader:
        reader.chain = reader.entries  # the chain would tell first
        real = reader.event
        reader.event = lambda entry: forged if entry.seq == seq else real(entry)
        found = {one.seq: one.differences for one in redecided(reader)}
    assert isinstance(forged, TradeDecided)
    assert encode(forged).body != body
    assert any(text.startswith(told) for text in found[seq]), found[seq]
