"""What a rule sees of a bot is what the gate gives it."""

from __future__ import annotations

import pytest

from risk_management.core.order_desk import OrderTicket
from risk_management.core.subject_metrics import subject_metrics


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_a_bot_on_probation_has_the_room_that_the_gate_gives_it(make_manager, share):
    manager, clock = make_manager(bot_config={"probation_share": share})
    manager.register_bot("a", max_position_size=400.0)
    manager.update_prices({"KO": 60.0})
    manager.add_position("KO", 400.0 * share, 60.0, "s", bot_name="a", risk_amount=10.0)
    metrics = subject_metrics(manager.state, manager.config, clock.now())["bot"]["a"]
    assert metrics["bot_use"] == pytest.approx(1.0)
    refused = manager.request_trade(OrderTicket("KO", "buy", 100.0, "s", "a"))
    assert "BOT_PROBATION" in refused.rejection_reasons
