"""What was written is read as it was, to the last bit; damaged text is told as one clear error."""

from __future__ import annotations

import json
import math
import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from risk_management.errors import StoreCorrupt
from risk_management.model.events import BookOpened, HoldSet, ModelRefreshed, Noted, TradeDecided
from risk_management.model.portfolio import Hold, Scope, TradingMode
from risk_management.model.trade import Finding, TradeDecision, TradeRequest
from risk_management.store.chain import START, link
from risk_management.store.codec import decode, encode
from risk_management.store.model_codec import ARRAYS, model_bytes, model_digest, model_from
from risk_management.tests.store.events import KINDS, of
from risk_management.tests.store.world import small_foundation


def bits(value):
    """A value so that NaN is NaN, and -0.0 is not 0.0."""
    if isinstance(value, float):
        return value.hex()
    if isinstance(value, tuple):
        return (type(value).__name__, *map(bits, value))
    if hasattr(value, "__dataclass_fields__"):
        if type(value).__name__ == "RiskModel":
            return model_digest(value)
        return tuple(bits(getattr(value, name)) for name in value.__dataclass_fields__)
    return value


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_every_event_comes_back(kind, data):
    event = data.draw(of(KINDS[kind]))
    text = encode(event)
    assert text.kind == kind
    json.loads(text.body)  # it is JSON that any other tool reads
    known = {text.digest: text.model}
    again = decode(text.kind, text.body, known.__getitem__)
    assert bits(again) == bits(event)
    assert encode(again).body == text.body


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(event=of(TradeDecided))
def test_a_lean_decision_lacks_its_findings_alone(event):
    lean = decode("TradeDecided", encode(event).body, lambda _: None, lean=True)
    assert bits(lean) == bits(replace(event, decision=replace(event.decision, findings=())))


@pytest.mark.parametrize("text", ['"findings":[', '],"rejection_reasons":[', "[]]", '\\"findings":[1],', "]"])
def test_what_people_write_is_not_taken_for_the_findings(text):
    event = sample_decision()
    named = replace(event, request=replace(event.request, bot=text, strategy=text), actor=text)
    findings = (Finding(text, text, subject=text), Finding("b", text))
    named = replace(
        named, decision=replace(named.decision, findings=findings, rejection_reasons=(text, text))
    )
    lean = decode("TradeDecided", encode(named).body, lambda _: None, lean=True)
    assert bits(lean) == bits(replace(named, decision=replace(named.decision, findings=())))
    other = encode(named).body.replace('"findings":[', '"findings": [')  # as another writer would
    whole = decode("TradeDecided", other, lambda _: None, lean=True)
    assert whole.request.bot == text


def sample_decision() -> TradeDecided:
    now = small_foundation().clock.now()
    request = TradeRequest("r", "AAA", 1, 5.0, "s", "b", "main", 1.0, None, None, now, reserves=True)
    said = (
        "r",
        False,
        5.0,
        0.0,
        0.0,
        0.0,
        "AAA",
        "buy",
        "s",
        "b",
        (),
        (),
        (),
        None,
        None,
        None,
        now,
        now,
        1,
        "d",
    )
    return TradeDecided(now, "b", request, TradeDecision(*said))


@pytest.mark.parametrize("number", [5e-324, 1.7976931348623157e308, 0.1 + 0.2, -0.0, math.nan, -math.inf])
def test_numbers_keep_every_bit(number):
    event = KINDS["EquityReported"](at=small_foundation().clock.now(), actor="a", equity=number)
    assert bits(decode("EquityReported", encode(event).body, lambda _: None).equity) == bits(number)


def test_text_that_is_no_text_does_not_keep_the_rest_from_being_written():
    """Half a surrogate pair can't be written as UTF-8; it becomes a question mark."""
    now = small_foundation().clock.now()
    hold = Hold(Scope.PORTFOLIO, "", "emergency_stop", TradingMode.HALTED, "a", "fire \ud83d!", now)
    text = encode(HoldSet(at=now, actor="a", hold=hold))
    assert decode(text.kind, text.body, lambda _: None).hold.reason == "fire ?!"
    long = Noted(at=now, actor="a", code="C", text="\udfff" * 3)
    assert decode("Noted", encode(long).body, lambda _: None).text == "???"


@pytest.mark.parametrize(
    ("kind", "body", "told"),
    [
        ("Marked", "{}", "at: Field required"),
        ("Marked", '{"at": "yesterday", "actor": "a"}', "at:"),
        ("Marked", "[", "Invalid JSON"),
        ("Marked", "", "Field required"),
        (
            "CashMoved",
            '{"at": "2020-01-01T00:00:00Z", "actor": "a", "account_id": "m", "kind": "gift"}',
            "kind",
        ),
        ("Wished", "{}", "'Wished', which this version does not know"),
    ],
)
def test_what_is_no_event_is_named(kind, body, told):
    with pytest.raises(StoreCorrupt, match=told):
        decode(kind, body, lambda _: None)


@pytest.mark.parametrize("kind", [BookOpened, ModelRefreshed])
def test_a_market_model_stands_in_an_event_by_its_digest(kind):
    model = small_foundation().model
    more = {"config": "{}", "instruments": ()} if kind is BookOpened else {}
    text = encode(kind(at=small_foundation().clock.now(), actor="a", model=model, **more))
    assert text.digest == model_digest(model)
    assert json.loads(text.body)["model"] == text.digest
    assert text.model is model


def test_a_market_model_comes_back():
    model = small_foundation().model
    again = model_from(model_bytes(model), model_digest(model))
    for name in ARRAYS:
        array = getattr(again, name)
        assert array.tobytes() == getattr(model, name).tobytes(), name
        assert array.dtype == getattr(model, name).dtype
        assert not array.flags.writeable
    assert np.array_equal(again.matrix.dates, model.matrix.dates)
    assert again.matrix.values.tobytes() == model.matrix.values.tobytes()
    for name in ("symbols", "columns", "coverage", "asset_classes", "as_of", "source", "is_sample"):
        assert getattr(again.matrix, name) == getattr(model.matrix, name), name
    for name in ("cluster", "cluster_sign", "scenario_ids", "market_volatility_ratio", "columns"):
        assert getattr(again, name) == getattr(model, name), name


@pytest.mark.parametrize("seed", range(3))
def test_a_damaged_market_model_is_found(seed):
    model, chance = small_foundation().model, random.Random(seed)
    whole, digest = model_bytes(model), model_digest(model)
    for _ in range(150):
        data = bytearray(whole)
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        try:
            again = model_from(bytes(data), digest)
        except StoreCorrupt:
            continue
        assert model_digest(again) == digest  # the bit stood in nothing that is read


@pytest.mark.parametrize("data", [b"", b"PK", b"x" * 400])
def test_what_is_no_market_model_is_told(data):
    with pytest.raises(StoreCorrupt, match="market model"):
        model_from(data, "0" * 64)


def test_the_chain_says_where_each_field_ends():
    """Moving a letter from one field to the next changes the hash."""
    one = link(START, 1, "2020", "Kind", "actor", "body")
    others = {
        link(START, 1, "2020", "Kin", "dactor", "body"),
        link(START, 1, "2020", "Kind", "acto", "rbody"),
        link(START, 1, "2020", "Kind", 'actor","', "body"),
        link(START, 12, "020", "Kind", "actor", "body"),
        link(b"\1" * 32, 1, "2020", "Kind", "actor", "body"),
    }
    assert one not in others
    assert len(others) == 5
