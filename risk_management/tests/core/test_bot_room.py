"""What a rule sees of a bot is what the gate gives it."""

from __future__ import annotations

import pytest

from risk_management.core.bot_room import may_hold
from risk_management.core.order_desk import OrderTicket
from risk_management.core.subject_metrics import subject_metrics
from risk_management.integration.dashboard_integration import RiskDashboardAPI
from risk_management.market_data.positions_file import PositionRow
from risk_management.model.amend import amended


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


def test_a_bot_that_fills_its_probation_is_full_and_alarms_nobody(make_manager):
    manager, _ = make_manager(bot_config={"probation_share": 0.5})
    manager.register_bot("a", max_position_size=400.0)
    manager.update_prices({"KO": 60.0})
    manager.add_position("KO", 200.0, 60.0, "s", bot_name="a", risk_amount=10.0)
    seen = manager.assess_overall_risk()
    (row,) = [use for use in seen.limits if use.name == "bot" and use.subject == "a"]
    assert (row.use, row.level, row.strain) == (pytest.approx(1.0), "full", pytest.approx(0.5))
    assert row.room == pytest.approx(0.0, abs=1e-9)
    assert not [text for text in seen.alerts if "limit" in text]


@pytest.mark.parametrize(
    ("held", "level"), [(300.0, "full"), (330.0, "warning"), (390.0, "critical"), (410.0, "breached")]
)
def test_beyond_the_whole_of_its_maximum_it_is_a_breach(make_manager, held, level):
    manager, _ = make_manager(bot_config={"probation_share": 0.5})
    manager.register_bot("a", max_position_size=400.0)
    manager.update_prices({"KO": 60.0})
    manager.add_position("KO", held, 60.0, "s", bot_name="a", risk_amount=10.0)
    (row,) = [use for use in manager.assess_overall_risk().limits if use.name == "bot" and use.subject == "a"]
    assert row.level == level


def test_what_belongs_to_nobodys_bot_has_no_limit_of_a_bot(make_manager):
    manager, _ = make_manager()
    manager.update_prices({"KO": 60.0})
    manager.reconcile({"KO": 60.0}, cash=6400.0, settle=True)
    seen = manager.assess_overall_risk()
    assert [use.subject for use in seen.limits if use.name == "bot"] == []


def test_a_drawdown_and_a_record_leave_the_room_that_the_gate_leaves(make_manager):
    manager, _ = make_manager(bot_config={"probation_share": 1.0})
    manager.register_bot("a", max_position_size=400.0)
    manager.update_prices({"KO": 60.0})
    manager.add_position("KO", 100.0, 60.0, "s", bot_name="a", risk_amount=10.0)
    state = manager.state
    record = amended(state.bots["a"].record, closed_trades=60, kelly_bound=0.0)
    bot = amended(state.bots["a"], record=record)
    config = manager.config
    proven = config.kelly_config.test_share * 400.0
    assert may_hold("a", bot, config, 10_000.0) == pytest.approx(proven)
    assert may_hold("a", state.bots["a"], config, 10_000.0, 0.5) == pytest.approx(200.0)
    assert may_hold("a", state.bots["a"], config, 10_000.0, 0.0) == 0.0


@pytest.mark.parametrize("mark", [10_000.0, 10_600.0, 11_000.0, 12_000.0])
@pytest.mark.parametrize("share", [0.5, 1.0])
def test_limits_bots_and_the_gate_give_one_number(make_manager, mark, share):
    manager, _ = make_manager(bot_config={"probation_share": share})
    manager.register_bot("a", max_position_size=1000.0)
    manager.update_prices({"KO": 60.0})
    row = PositionRow("KO", 300.0, 60.0, "s", bot="a")
    manager.import_positions([row], high_water_mark=mark)
    (use,) = [use for use in manager.assess_overall_risk().limits if use.name == "bot"]
    card = next(bot for bot in RiskDashboardAPI(manager).bots()["bots"] if bot["name"] == "a")["limits"]
    given = manager.request_trade(OrderTicket("KO", "buy", 5_000.0, "s", "a", risk_amount=10.0)).findings
    (gate,) = [finding for finding in given if finding.check == "bot_exposure"]
    equity = manager.state.equity
    assert max(0.0, use.room * equity) == pytest.approx(card["room"], abs=1e-6)
    assert gate.cap == pytest.approx(card["room"], abs=1e-6)
