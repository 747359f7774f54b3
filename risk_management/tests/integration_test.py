"""The self-test: drives every limit of a configuration to its breach, on a copy, and reports what can't fire.

`risk selftest` runs it on a user's own settings. Each limit is met by an order exactly at it, which its
check must let pass, and by one just above, which it must cut or refuse under its own code. Every alert
rule is driven over its threshold and back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import pairwise
from typing import NamedTuple

from risk_management.alerts.risk_alerts import settled_rules
from risk_management.clock import ManualClock
from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.emergency import EmergencyRow, step
from risk_management.core.emergency_rows import emergency_rows
from risk_management.core.foundation import Foundation, lay_foundation
from risk_management.core.order_desk import OrderTicket
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.errors import InvalidRequest, RiskError
from risk_management.model.emergency import EmergencyMemory
from risk_management.model.events import BotChanged, EquityReported, InstrumentDefined, VarHaltChanged
from risk_management.model.instrument import ContractKind, Instrument
from risk_management.model.market import HistoryKind
from risk_management.model.money import SCALE, TOLERANCE
from risk_management.model.portfolio import Bot, BotRecord, Scope, TradingMode
from risk_management.model.trade import Finding, TradeDecision
from risk_management.tests.rule_probes import CANARY, fired_in_scenes, probed_rule

__all__ = ["IntegrationResults", "Outcome", "run_full_integration_test"]

STEP = 1.0
"""Money by which an order stands above its limit."""
BOT = "selftest"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One probe: its name, whether it held, and what was seen."""

    name: str
    passed: bool
    detail: str


@dataclass(frozen=True, slots=True)
class IntegrationResults:
    """All probes.

    Parameters
    ----------
    outcomes : tuple of Outcome
    """

    outcomes: tuple[Outcome, ...]

    @property
    def total(self) -> int:
        """Number of probes."""
        return len(self.outcomes)

    @property
    def passed(self) -> int:
        """Number of probes that held."""
        return sum(1 for outcome in self.outcomes if outcome.passed)

    @property
    def failures(self) -> tuple[Outcome, ...]:
        """The probes that did not hold: a limit that can't fire, or one that fires too early."""
        return tuple(outcome for outcome in self.outcomes if not outcome.passed)


class Lab:
    """A manager of its own on shared prices, with what probes need to set a scene."""

    def __init__(self, foundation: Foundation) -> None:
        # limits are tested as of the newest prices; how old those are is no limit's affair
        clock = ManualClock(foundation.preparation.matrix.as_of)
        self.clock = clock
        self.manager = AdvancedRiskManager.on(replace(foundation, clock=clock))
        self.config = self.manager.config
        self.equity = self.config.portfolio_value
        matrix = foundation.model.matrix
        fresh = [
            s
            for s in matrix.symbols
            if matrix.coverage[s].kind is not HistoryKind.STAND_IN and not matrix.coverage[s].stale
        ]
        kinds = foundation.instruments
        limits = self.config.portfolio_limits
        wanted = [s for s in fresh if not limits.allow_symbols or s in limits.allow_symbols]
        fresh = [s for s in wanted if s not in limits.deny_symbols] or fresh
        self.names = [s for s in fresh if kinds[s].asset_class == "equity"] or fresh
        self.funds = [s for s in fresh if kinds[s].asset_class == "index_fund"]
        for bot in (BOT, "another"):
            self.manager.register_bot(bot)

    @property
    def stock(self) -> str:
        """A single name with a history."""
        return self.names[0]

    def hold(self, symbol: str, money: float, **facts: object) -> None:
        """A position that exists already."""
        self.manager.add_position(symbol, money, 100.0, **facts)  # type: ignore[arg-type]

    def price(self, symbol: str, price: float) -> None:
        """A fresh quote."""
        self.manager.update_prices({symbol: price}, source="selftest")

    def define(self, symbol: str, **facts: object) -> None:
        """An instrument of its own kind."""
        known = self.manager.state.instruments.get(symbol, Instrument(symbol))
        changed = replace(known, **facts)  # type: ignore[arg-type]
        self.manager.book.apply(InstrumentDefined(at=self.clock.now(), actor=BOT, instrument=changed))

    def ask(
        self, size: float, symbol: str | None = None, action: str = "buy", **more: object
    ) -> TradeDecision:
        """A plain question."""
        return self.manager.evaluate_trade(symbol or self.stock, action, size, **more)  # type: ignore[arg-type]


class Seen(NamedTuple):
    """A check's finding and the opening size that it was asked about."""

    finding: Finding
    asked: float

    @property
    def passes(self) -> bool:
        """Whether the check let all of it through; the tolerance is the ledger's."""
        return self.finding.cap + TOLERANCE >= self.asked


Probe = Callable[[Lab], tuple[Seen, Seen]]
"""Sets a scene and returns what a check says exactly at its limit and just above it."""


def _found(decision: TradeDecision, check: str) -> Seen:
    finding = next((f for f in decision.findings if f.check == check), None)
    if finding is None:
        raise InvalidRequest("NOT_WIRED", check, f"no check called {check} looks at an order")
    closing = 0.0 if decision.opening_size else decision.closing_size
    return Seen(finding, decision.requested_size - closing)


def _at_and_above(
    lab: Lab, check: str, size: float, symbol: str | None = None, action: str = "buy", **more: object
) -> tuple[Seen, Seen]:
    above = _found(lab.ask(size + STEP, symbol, action, **more), check)
    if size <= 0.0:  # a limit of nothing has no order exactly at it
        return Seen(above.finding, 0.0), above
    return _found(lab.ask(size, symbol, action, **more), check), above


def _single(check: str, fraction: Callable[[RiskManagementConfig], float]) -> Probe:
    """A limit that one order meets alone."""

    def probe(lab: Lab) -> tuple[Seen, Seen]:
        return _at_and_above(lab, check, fraction(lab.config) * lab.equity)

    return probe


def _beside(check: str, fraction: Callable[[RiskManagementConfig], float], **facts: object) -> Probe:
    """A limit on a sum: most of it is held in another name, the order brings the rest."""

    def probe(lab: Lab) -> tuple[Seen, Seen]:
        whole = fraction(lab.config) * lab.equity
        lab.hold(lab.names[-1], 0.9 * whole, **facts)
        return _at_and_above(lab, check, 0.1 * whole, strategy=str(facts.get("strategy", "")))

    return probe


def _index_fund(lab: Lab) -> tuple[Seen, Seen]:
    symbol = lab.funds[0] if lab.funds else lab.stock
    lab.define(symbol, asset_class="index_fund")
    limit = lab.config.portfolio_limits.max_index_fund_position
    return _at_and_above(lab, "single_name", limit * lab.equity, symbol)


def _coin(symbol: str, fraction: Callable[[RiskManagementConfig], float]) -> Probe:
    def probe(lab: Lab) -> tuple[Seen, Seen]:
        lab.define(symbol, asset_class="crypto")
        lab.price(symbol, 100.0)
        return _at_and_above(lab, "single_name", fraction(lab.config) * lab.equity, symbol)

    return probe


def _sector(lab: Lab) -> tuple[Seen, Seen]:
    lab.define(lab.stock, sector="selftest")
    return _at_and_above(lab, "sector", lab.config.portfolio_limits.max_sector_exposure * lab.equity)


def _unknown_sector(lab: Lab) -> tuple[Seen, Seen]:
    whole = lab.config.portfolio_limits.max_sector_exposure * lab.equity
    for symbol in (lab.stock, lab.names[-1]):
        lab.define(symbol, sector="unknown")
    if lab.names[-1] != lab.stock:
        lab.hold(lab.names[-1], 0.5 * whole)
        whole *= 0.5
    return _at_and_above(lab, "sector", whole)


def _bot(lab: Lab) -> tuple[Seen, Seen]:
    config = lab.config
    limit = config.bot_config.max_exposure * config.bot_config.probation_share * lab.equity
    return _at_and_above(lab, "bot_exposure", limit, bot_name=BOT)


def _kelly(lab: Lab) -> tuple[Seen, Seen]:
    returns = tuple(0.02 if n % 5 else -0.03 for n in range(lab.config.kelly_config.min_trades))
    record = BotRecord(returns, len(returns), 0, kelly_bound=0.8)
    bot = Bot(BOT, "", lab.clock.now(), record=record)
    lab.manager.book.apply(BotChanged(at=lab.clock.now(), actor=BOT, bot=bot))
    settings = lab.config.kelly_config
    least = settings.test_share * lab.config.bot_config.max_exposure
    limit = max(0.8 * settings.default_kelly_fraction, least) * lab.equity
    return _at_and_above(lab, "kelly", limit, bot_name=BOT)


def _leverage(lab: Lab) -> tuple[Seen, Seen]:
    limit = lab.config.portfolio_limits.max_leverage
    lab.manager.record_cash("deposit", 1000.0, account_id="second")
    if lab.names[-1] != lab.stock and limit > 1.0:
        lab.hold(lab.names[-1], (limit - 1.0) * 1000.0, account_id="second")
        limit = 1.0
    return _at_and_above(lab, "leverage", limit * 1000.0, account_id="second")


def _positions(lab: Lab) -> tuple[Seen, Seen]:
    for number in range(lab.config.portfolio_limits.max_positions - 1):
        lab.hold(f"HELD{number}", 1.0)
    at = lab.ask(100.0)
    lab.hold("ONEMORE", 1.0)
    return _found(at, "position_count"), _found(lab.ask(100.0), "position_count")


def _cash(lab: Lab) -> tuple[Seen, Seen]:
    return _at_and_above(lab, "cash", (1.0 - lab.config.portfolio_limits.min_cash) * lab.equity)


def _heat(lab: Lab) -> tuple[Seen, Seen]:
    budget = lab.config.heat_config.max_open_risk * lab.equity
    rate = lab.manager.state.model.stop_free_risk[lab.manager.state.model.columns[lab.stock]]
    return _at_and_above(lab, "heat", budget / float(rate))


def _risk_per_trade(lab: Lab) -> tuple[Seen, Seen]:
    budget = lab.config.portfolio_limits.max_risk_per_trade * lab.equity
    rate = lab.manager.state.model.stop_free_risk[lab.manager.state.model.columns[lab.stock]]
    return _at_and_above(lab, "risk_per_trade", budget / float(rate))


def _tail(check: str, fraction: Callable[[RiskManagementConfig], float]) -> Probe:
    def probe(lab: Lab) -> tuple[Seen, Seen]:
        unit = _found(lab.ask(100.0), check).finding.measured * lab.equity / 100.0
        return _at_and_above(lab, check, fraction(lab.config) * lab.equity / unit)

    return probe


def _budget(lab: Lab) -> tuple[Seen, Seen]:
    """Half of a budget that is half of the portfolio's limit, of a strategy that holds nothing yet."""
    total = 0.5 * lab.config.var_config.daily_es_limit
    lab.manager.allocate_risk_budget(total, "equal", "es", ["selftest", "another"])
    unit = _found(lab.ask(100.0, strategy="selftest"), "budget").finding.measured * lab.equity / 100.0
    return _at_and_above(lab, "budget", 0.5 * total * lab.equity / unit, strategy="selftest")


def _var_halt(lab: Lab) -> tuple[Seen, Seen]:
    lab.hold(lab.stock, 1000.0)
    lab.manager.book.apply(VarHaltChanged(at=lab.clock.now(), actor=BOT, halted=True))
    hedge = lab.ask(500.0, action="sell")
    return _found(hedge, "var"), _found(lab.ask(500.0), "var")


def _order_quantity(lab: Lab) -> tuple[Seen, Seen]:
    limit = lab.config.order_config.max_order_quantity
    price = 1000.0 / limit
    lab.price(lab.stock, price)
    at, above = lab.ask(1000.0), lab.ask(1001.0)
    return _found(at, "order_quantity"), _found(above, "order_quantity")


def _volume_share(lab: Lab) -> tuple[Seen, Seen]:
    lab.price(lab.stock, 10.0)
    lab.define(lab.stock, average_daily_volume=10_000.0)
    return _at_and_above(lab, "volume_share", lab.config.order_config.max_volume_share * 100_000.0)


def _collar(lab: Lab) -> tuple[Seen, Seen]:
    lab.price(lab.stock, 100.0)
    collar = lab.config.order_config.price_collar
    at = lab.ask(100.0, price=100.0 * (1.0 + collar))
    above = lab.ask(100.0, price=100.0 * (1.0 + collar) + 0.01)
    return _found(at, "price_collar"), _found(above, "price_collar")


def _duplicate(lab: Lab) -> tuple[Seen, Seen]:
    ticket = OrderTicket(lab.stock, "buy", 50.0, bot_name=BOT)
    first = lab.manager.request_trade(ticket)
    again = lab.manager.request_trade(ticket)
    lab.clock.advance(lab.config.order_config.duplicate_window)
    late = lab.manager.request_trade(ticket)
    name = "duplicate_intent"
    passed = _found(first, name) if _found(late, name).passes else _found(late, name)
    return passed, _found(again, name)


def _rate(lab: Lab) -> tuple[Seen, Seen]:
    limit = lab.config.order_config.max_orders_per_minute
    last = None
    for number in range(limit):
        last = lab.manager.request_trade(OrderTicket(lab.stock, "buy", 50.0 + number, bot_name=BOT))
    above = lab.manager.request_trade(OrderTicket(lab.stock, "buy", 49.0, bot_name=BOT))
    assert last is not None
    return _found(last, "rate"), _found(above, "rate")


def _total_rate(lab: Lab) -> tuple[Seen, Seen]:
    settings = lab.config.order_config
    last = None
    for number in range(settings.max_orders_per_minute_total):
        bot = f"{BOT}{number // settings.max_orders_per_minute}"
        last = lab.manager.request_trade(OrderTicket(lab.stock, "buy", 50.0 + number, bot_name=bot))
    above = lab.manager.request_trade(OrderTicket(lab.stock, "buy", 49.0, bot_name="another"))
    assert last is not None
    return _found(last, "rate"), _found(above, "rate")


def _min_trade(lab: Lab) -> tuple[Seen, Seen]:
    least = lab.config.order_config.min_trade_size
    passed = lab.ask(max(least, 1.0))
    below = lab.ask(0.5 * least) if least > 0.0 else passed
    found = [f for f in below.findings if f.check == "min_trade_size"]
    free = Seen(passed.findings[0], 0.0)
    return free, Seen(found[0], least) if found else free


def _short(lab: Lab) -> tuple[Seen, Seen]:
    lab.define(lab.names[-1], shortable=False)
    return _found(lab.ask(100.0), "instrument"), _found(lab.ask(100.0, lab.names[-1], "sell"), "instrument")


def _contract(lab: Lab) -> tuple[Seen, Seen]:
    at = _found(lab.ask(100.0), "instrument")
    lab.define(lab.stock, kind=ContractKind.OPTION)
    return at, _found(lab.ask(100.0), "instrument")


def _deny(lab: Lab) -> tuple[Seen, Seen]:
    at = _found(lab.ask(100.0), "symbol_lists")
    banned = lab.config.update(portfolio_limits={"allow_symbols": (), "deny_symbols": (lab.stock,)})
    lab.manager.reconfigure(banned)
    return at, _found(lab.ask(100.0), "symbol_lists")


def _stale(lab: Lab) -> tuple[Seen, Seen]:
    lab.price(lab.stock, 100.0)
    kind = lab.manager.state.instruments[lab.stock].asset_class
    ages = lab.config.market_data_config.quote_age
    lab.clock.advance(ages.get(kind, ages.get("other", 60.0)))
    at = _found(lab.ask(100.0), "data_quality")
    lab.clock.advance(1.0)
    return at, _found(lab.ask(100.0), "data_quality")


def _unpriced(lab: Lab) -> tuple[Seen, Seen]:
    return _found(lab.ask(100.0), "data_quality"), _found(lab.ask(100.0, "NEVERSEEN"), "data_quality")


def _quarantine(lab: Lab) -> tuple[Seen, Seen]:
    at = _found(lab.ask(100.0), "data_quality")
    jump = lab.equity * (1.0 - 2.0 * lab.config.drawdown_config.quarantine_jump)
    lab.manager.book.apply(EquityReported(at=lab.clock.now(), actor=BOT, equity=jump))
    return at, _found(lab.ask(100.0), "data_quality")


def _bot_off(lab: Lab) -> tuple[Seen, Seen]:
    lab.manager.register_bot(BOT)
    at = _found(lab.ask(100.0, bot_name=BOT), "bot")
    lab.manager.set_bot_enabled(BOT, enabled=False)
    return at, _found(lab.ask(100.0, bot_name=BOT), "bot")


def _mode(mode: TradingMode) -> Probe:
    def probe(lab: Lab) -> tuple[Seen, Seen]:
        at = _found(lab.ask(100.0), "mode")
        lab.manager.set_mode(mode, "selftest", scope=Scope.SYMBOL, name=lab.stock)
        return at, _found(lab.ask(100.0), "mode")

    return probe


def _drawdown(lab: Lab) -> tuple[Seen, Seen]:
    level, _ = lab.config.drawdown_config.tier_levels()[0]
    at = _found(lab.ask(100.0), "drawdown")
    lab.manager.record_cash("fee", -level * lab.equity)
    return at, _found(lab.ask(100.0), "drawdown")


def _confidence(lab: Lab) -> tuple[Seen, Seen]:
    full = lab.config.bot_config.full_confidence
    at = lab.ask(100.0, confidence=full)
    return _found(at, "confidence"), _found(lab.ask(100.0, confidence=max(0.0, full - 0.01)), "confidence")


def _self_match(lab: Lab) -> tuple[Seen, Seen]:
    lab.manager.reconfigure(lab.config.update(order_config={"self_match": "deny"}))
    at = _found(lab.ask(50.0, action="buy", bot_name="another"), "self_match")
    lab.manager.request_trade(OrderTicket(lab.stock, "buy", 50.0, bot_name=BOT))
    return at, _found(lab.ask(50.0, action="sell", bot_name="another"), "self_match")


_PROBES: dict[str, Probe] = {
    "mode reducing": _mode(TradingMode.REDUCING),
    "mode halted": _mode(TradingMode.HALTED),
    "disabled bot": _bot_off,
    "deny list": _deny,
    "contract kind": _contract,
    "shorts": _short,
    "stale price": _stale,
    "no price": _unpriced,
    "quarantined equity": _quarantine,
    "price collar": _collar,
    "order size": _single("order_size", lambda c: c.order_config.max_order_size),
    "order quantity": _order_quantity,
    "share of volume": _volume_share,
    "smallest trade": _min_trade,
    "duplicate intent": _duplicate,
    "orders a minute, one bot": _rate,
    "orders a minute, all bots": _total_rate,
    "single name": _single("single_name", lambda c: c.portfolio_limits.max_single_position),
    "index fund": _index_fund,
    "coin": _coin("SELFTESTCOIN", lambda c: c.portfolio_limits.max_coin_position),
    "major coin": _coin("BTC", lambda c: c.portfolio_limits.max_major_coin_position),
    "sector": _sector,
    "unknown sector": _unknown_sector,
    "cluster": _single("cluster", lambda c: c.portfolio_limits.max_cluster_exposure),
    "strategy": _beside("strategy", lambda c: c.portfolio_limits.max_strategy_exposure, strategy="selftest"),
    "bot": _bot,
    "kelly": _kelly,
    "gross": _beside("gross", lambda c: c.portfolio_limits.max_gross_exposure),
    "net": _beside("net", lambda c: c.portfolio_limits.max_net_exposure),
    "leverage of an account": _leverage,
    "number of positions": _positions,
    "cash": _cash,
    "heat": _heat,
    "risk per trade": _risk_per_trade,
    "var": _tail("var", lambda c: c.var_config.daily_var_limit),
    "var halt": _var_halt,
    "expected shortfall": _tail("expected_shortfall", lambda c: c.var_config.daily_es_limit),
    "risk budget of a strategy": _budget,
    "stress": _tail("stress", lambda c: c.stress_config.max_stress_loss),
    "drawdown tier": _drawdown,
    "confidence": _confidence,
    "self match": _self_match,
}


def run_full_integration_test(config: RiskManagementConfig | None = None) -> IntegrationResults:
    """Drive every limit, mode, emergency and alert rule on copies; nothing of the user's is touched.

    Parameters
    ----------
    config : RiskManagementConfig, optional
        The defaults without one.
    """
    # on copies: the store of the settings stays shut, and no comparison with their broker is waited for
    copy = (config or RiskManagementConfig()).update(store=None, broker_config={"name": None})
    foundation = lay_foundation(copy)
    outcomes = [_probed(name, probe, foundation) for name, probe in _PROBES.items()]
    outcomes += [_row(row, foundation) for row in emergency_rows(foundation.config)]
    outcomes += [_scene(name, scene, foundation) for name, scene in _SCENES.items()]
    outcomes += _rules(foundation)
    return IntegrationResults(tuple(outcomes))


def _probed(name: str, probe: Probe, foundation: Foundation) -> Outcome:
    try:
        at, above = probe(Lab(foundation))
    except RiskError as problem:
        return Outcome(name, passed=False, detail=f"can't be driven: {problem}")
    if not at.passes:
        return Outcome(name, passed=False, detail=f"fires too early: {at.finding.message}")
    if above.passes:
        return Outcome(name, passed=False, detail=f"can't fire: {above.asked:,.2f} passes beyond it")
    return Outcome(name, passed=True, detail=above.finding.message)


def _row(row: EmergencyRow, foundation: Foundation) -> Outcome:
    """An emergency row acts at its threshold after its confirmations, and not below."""
    name = f"emergency row {row.name}"
    day = foundation.clock.now().date()
    row = replace(row, subject=row.subject or BOT) if row.scope is not Scope.PORTFOLIO else row
    below = row.threshold - 1e-6 * max(1.0, abs(row.threshold))
    quiet = step([row], {row.word: below}, EmergencyMemory(), day)
    memory, acted_at = EmergencyMemory(), 0
    for number in range(1, row.confirmations + 1):
        result = step([row], {row.word: row.threshold}, memory, day + timedelta(days=number))
        memory = result.memory
        if result.acting and not acted_at:
            acted_at = number
    if quiet.acting or acted_at != row.confirmations:
        return Outcome(name, passed=False, detail="can't fire at its threshold, or fires below it")
    return Outcome(name, passed=True, detail=f"{row.action} at {row.metric} {row.threshold:g}")


def _rules(foundation: Foundation) -> list[Outcome]:
    """Every alert rule fires and ends: through the book where a scene reaches it, else by its metric."""
    config = foundation.config
    fired = fired_in_scenes(lambda: Lab(foundation), config)
    is_judged = CANARY.rule_id in fired
    said = (
        "an assessment fires them" if is_judged else "no assessment of a book fires a rule that always holds"
    )
    return [
        Outcome("alert rules are judged", is_judged, said),
        *(
            Outcome(f"alert rule {rule.rule_id}", *probed_rule(rule, fired.get(rule.rule_id)))
            for rule in settled_rules(config)
        ),
    ]


def _expect(condition: bool, text: str) -> None:
    if not condition:
        raise InvalidRequest("SELFTEST", "scene", text)


def _liquidation(lab: Lab) -> str:
    """A held position falls until the drawdown liquidates: flat, halted, released by name."""
    share = 0.9
    lab.hold(lab.stock, share * lab.equity, bot_name=BOT)
    lab.price(lab.stock, 100.0)
    fall = 1.0 - lab.config.emergency_config.liquidation_drawdown / share - 0.001
    lab.price(lab.stock, 100.0 * max(fall, 0.501))  # a far tick awaits its second one
    for _ in range(lab.config.emergency_config.confirmations):
        lab.price(lab.stock, 100.0 * max(fall, 0.501))
        lab.manager.assess_overall_risk(confirmed=False)
    state = lab.manager.state
    _expect(not state.positions, "positions are left after the liquidation")
    _expect(state.mode is TradingMode.HALTED, f"the mode is {state.mode} after the liquidation")
    refused = lab.manager.request_trade(OrderTicket(lab.stock, "buy", 100.0, bot_name=BOT))
    _expect(not refused.approved, "a bot was let in after the liquidation")
    said = lab.manager.release_emergency("selftest", "the test is over")
    halted = lab.manager.state.mode is TradingMode.HALTED
    _expect(bool(said) and not halted, "the release did not release")
    return "flat and halted; released by name"


def _var_breach(lab: Lab) -> str:
    """VaR reaches 95 % of its limit: what increases it is stopped, a hedge passes."""
    unit = _found(lab.ask(100.0), "var").finding.measured * lab.equity / 100.0
    use = lab.config.emergency_config.var_halt + 0.01
    lab.hold(lab.stock, use * lab.config.var_config.daily_var_limit * lab.equity / unit)
    lab.manager.assess_overall_risk()
    _expect(lab.manager.state.var_halted, "VaR above the halt level stopped nothing")
    _expect("VAR_HALT" in lab.ask(100.0).rejection_reasons, "an order that adds VaR was let in")
    _expect(lab.ask(100.0, action="sell").approved, "a sale that lowers VaR was refused")
    return "orders that add VaR are refused, sales pass"


def _system_error(lab: Lab) -> str:
    """Checks that fail: each refuses what opens, several in a row stop everything; closing passes."""

    def broken(_proposal: object) -> Finding:
        raise ZeroDivisionError("a check of the self-test")

    lab.hold(lab.stock, 500.0, bot_name=BOT)
    lab.manager.desk.checks = (*lab.manager.desk.checks, ("broken", broken))
    for _ in range(lab.config.emergency_config.max_check_errors):
        decision = lab.manager.request_trade(OrderTicket(lab.stock, "buy", 100.0, bot_name=BOT))
        _expect("CHECK_ERROR" in decision.rejection_reasons, "a failing check let an order in")
    closing = lab.manager.request_trade(OrderTicket(lab.stock, "sell", 500.0, bot_name=BOT))
    _expect(closing.approved, "a failing check kept a position from being closed")
    lab.manager.assess_overall_risk()
    _expect(lab.manager.state.mode is TradingMode.HALTED, "failing checks did not stop trading")
    return "refused, then halted; closing passed"


def _stop(lab: Lab) -> str:
    """The manual stop refuses bots at once and lets an operator close."""
    lab.hold(lab.stock, 500.0)
    lab.manager.emergency_stop("selftest")
    refused = lab.manager.request_trade(OrderTicket(lab.stock, "buy", 100.0, bot_name=BOT))
    _expect("HALTED" in refused.rejection_reasons, "a bot was let in after the stop")
    _expect(lab.ask(500.0, action="sell").approved, "the operator can't close after the stop")
    lab.manager.release_emergency("selftest", "the test is over")
    _expect(lab.manager.state.mode is TradingMode.ACTIVE, "the release did not release")
    return "bots refused, the operator closes, released by name"


def _runaway(lab: Lab) -> str:
    """A bot that keeps asking far beyond its rate is switched off; a person puts it back."""
    settings = lab.config.order_config
    most = int(settings.runaway_multiple * settings.max_orders_per_minute)
    for number in range(most + 1):
        enabled = BOT not in lab.manager.state.bots or lab.manager.state.bots[BOT].enabled
        _expect(enabled, f"the bot was switched off at its request {number} of {most}")
        lab.manager.request_trade(OrderTicket(lab.stock, "buy", 50.0 + number, bot_name=BOT))
    _expect(not lab.manager.state.bots[BOT].enabled, "a runaway bot was not switched off")
    lab.manager.set_bot_enabled(BOT, enabled=True)
    _expect(lab.manager.state.bots[BOT].enabled, "the bot could not be put back")
    return f"switched off after {most} requests in a minute; put back by a person"


def _drawdown_trim(lab: Lab) -> str:
    """At the no-entry tier the book is cut to the last tier's share of its gross limit."""
    share, config = 0.9, lab.config
    level = config.drawdown_config.max_portfolio_drawdown
    if level >= config.emergency_config.liquidation_drawdown:
        return "the no-entry tier is the liquidation's: everything is closed there"
    lab.hold(lab.stock, share * lab.equity, bot_name=BOT)
    lab.price(lab.stock, 100.0)
    fallen = 100.0 * (1.0 - level / share - 0.001)
    for _ in range(1 + config.emergency_config.confirmations):  # a far tick awaits its second one
        lab.price(lab.stock, fallen)
        lab.manager.assess_overall_risk(confirmed=False)
    state = lab.manager.state
    kept = [multiplier for _, multiplier in config.drawdown_config.tiers if multiplier > 0.0]
    gross = (state.totals.long + state.totals.short) / SCALE
    most = (kept[-1] if kept else 0.0) * config.portfolio_limits.max_gross_exposure * (state.equity or 0.0)
    _expect(gross <= most + 0.01, f"gross exposure is {gross:,.2f} after the trim, allowed are {most:,.2f}")
    return f"cut to {gross:,.2f}"


def _loss_of_a_day(lab: Lab) -> str:
    """A day's loss at its limit lets only closing pass."""
    limit = lab.config.drawdown_config.daily_loss_limit
    lab.hold(lab.stock, 500.0, bot_name=BOT)
    lab.manager.record_cash("fee", -limit * lab.equity)
    lab.manager.assess_overall_risk()
    refused = lab.ask(100.0, bot_name=BOT).rejection_reasons
    _expect(bool({"REDUCING", "HALTED"} & set(refused)), "an entry was let in after the loss")
    _expect(lab.ask(500.0, action="sell").approved, "a close was refused after the loss")
    return "entries refused, closing passed"


def _liquidation_plan(lab: Lab) -> str:
    """A plan closes all that is held, and VaR never rises on its way."""
    for symbol, share in zip(lab.names[:3], (0.3, -0.2, 0.1), strict=False):
        lab.hold(symbol, share * lab.equity)
    plan = lab.manager.plan_liquidation()
    seen = [plan.before.var, *(one.after.var for one in plan.steps)]
    rises = [new - old for old, new in pairwise(seen)]
    _expect(max(rises) <= 1e-6 * lab.equity, "VaR rises on the way of the liquidation")
    lab.manager.liquidate(plan.scope, "selftest", plan_id=plan.plan_id)
    _expect(not lab.manager.state.positions, "positions are left after the liquidation")
    return f"{len(plan.steps)} steps, flat"


def _silence(lab: Lab) -> str:
    """Who is watched and falls silent may only close, then nothing until a person puts it back."""
    settings = lab.config.heartbeat_config
    if settings.feeds == 0.0:
        return "feeds are not watched"
    lab.manager.heartbeat("feed", BOT)
    lab.clock.advance(settings.feeds)
    lab.manager.check_heartbeats()
    _expect(lab.manager.state.mode is TradingMode.ACTIVE, "a feed was held before its time")
    lab.clock.advance(0.5)
    lab.manager.check_heartbeats()
    _expect(lab.manager.state.mode is not TradingMode.ACTIVE, "a silent feed was not held")
    lab.clock.advance(settings.feeds * settings.halt_after)
    lab.manager.check_heartbeats()
    _expect(lab.manager.state.mode is TradingMode.HALTED, "a feed silent for long did not stop trading")
    lab.manager.release_emergency("selftest", "the test is over")
    return "closing only, then halted; released by name"


def _no_fills(lab: Lab) -> str:
    """A bot whose approved orders come to nothing in a row is switched off."""
    most = lab.config.bot_config.max_rejects_in_a_row
    if most == 0:
        return "rejects in a row are not counted"
    for number in range(most):
        _expect(lab.manager.state.bots[BOT].enabled, "the bot was switched off too early")
        lab.manager.desk.failures.not_filled(BOT, f"r{number}")
        lab.manager.assess_overall_risk()
    _expect(not lab.manager.state.bots[BOT].enabled, f"{most} rejects in a row switched nobody off")
    lab.manager.set_bot_enabled(BOT, enabled=True)
    lab.manager.assess_overall_risk()
    _expect(lab.manager.state.bots[BOT].enabled, "the bot could not be put back")
    return f"switched off after {most}; put back by a person"


_SCENES: dict[str, Callable[[Lab], str]] = {
    "drawdown trim": _drawdown_trim,
    "daily loss": _loss_of_a_day,
    "liquidation plan": _liquidation_plan,
    "dead man's switch": _silence,
    "orders that never fill": _no_fills,
    "runaway bot": _runaway,
    "liquidation at the emergency drawdown": _liquidation,
    "VaR halt": _var_breach,
    "system error": _system_error,
    "emergency stop and release": _stop,
}


def _scene(name: str, scene: Callable[[Lab], str], foundation: Foundation) -> Outcome:
    try:
        return Outcome(name, passed=True, detail=scene(Lab(foundation)))
    except RiskError as problem:
        return Outcome(name, passed=False, detail=str(problem))
