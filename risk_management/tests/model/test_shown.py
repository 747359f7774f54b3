"""Answers as people see them: without the noise of binary fractions, which the values keep."""

from __future__ import annotations

from risk_management.integration.trade_response import TradeResponse
from risk_management.model.trade import Execution, PaperTrade


def test_noise_is_not_shown_and_not_lost():
    done = Execution("r", "x", booked=1200.0000006, quantity=6.6666667, remaining=2.5e-7)
    assert repr(done).startswith(
        "Execution(request_id='r', execution_id='x', booked=1200.0, quantity=6.6667, remaining=2.5e-07, "
    )
    assert done.booked == 1200.0000006
    answer = TradeResponse(
        "r",
        approved=True,
        recommended_size=99.9999998767616,
        requested_size=100.0,
        rejection_reasons=(),
        explanation="",
    )
    assert "recommended_size=100.0," in repr(answer)
    assert answer.recommended_size == 99.9999998767616
    assert "decision" not in repr(answer)
    assert "executed_price=None" in repr(PaperTrade("r", "accepted", 1.0, 0.0, None, 0.0))
