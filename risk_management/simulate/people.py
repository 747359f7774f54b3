"""The people behind the engine: they reconcile, let go on what was stopped, and do all that operators do."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Final

from risk_management.clock import ManualClock
from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.errors import InvalidRequest
from risk_management.model.events import CashKind
from risk_management.model.money import SCALE, to_ledger
from risk_management.model.portfolio import Hold, Scope, TradingMode
from risk_management.simulate.bots import SimulatedBot
from risk_management.simulate.broker import Broker
from risk_management.simulate.faults import Faults
from risk_management.simulate.feed import Feed
from risk_management.simulate.invariants import Invariants
from risk_management.simulate.machine import Agenda
from risk_management.simulate.market import Market
from risk_management.simulate.outcome import Tally
from risk_management.simulate.process import NoAnswer, Process
from risk_management.simulate.truth import Truth

__all__ = ["People"]

ACTOR: Final = "operator ann"
RECONCILE_EVERY: Final = 30.0
LOOK_EVERY: Final = 30.0
PATIENCE: Final = 120.0
"""Seconds for which people look at a stop before they let go on."""
LONG: Final = 600.0
"""Seconds after which a difference to the broker is settled by hand."""
QUIET: Final = 5.0


class People:
    """Operators with their chores, and with the mischief that is theirs.

    Parameters
    ----------
    machine : ManualClock
    agenda : Agenda
    process : Process
    broker : Broker
    market : Market
    feed : Feed
    truth : Truth
    invariants : Invariants
    bots : sequence of SimulatedBot
    faults : Faults
    tally : Tally
    """

    def __init__(  # noqa: PLR0913, PLR0917 - people know everybody
        self,
        machine: ManualClock,
        agenda: Agenda,
        process: Process,
        broker: Broker,
        market: Market,
        feed: Feed,
        truth: Truth,
        invariants: Invariants,
        bots: Sequence[SimulatedBot],
        faults: Faults,
        tally: Tally,
    ) -> None:
        self._machine, self._agenda, self._process = machine, agenda, process
        self._broker, self._market, self._feed, self._truth = broker, market, feed, truth
        self._invariants, self._bots, self._tally = invariants, bots, tally
        self._since: dict[tuple[str, ...], float] = {}
        self._flows = 0
        self.kept_flows: set[str] = set()
        """Deposits and withdrawals that are on disk."""
        self.wants_stop = False
        """A stop was asked for and is not released yet."""
        faults.schedule("operator.stop", self._stop)
        faults.schedule("operator.bot_disabled", self._disable)
        faults.schedule("operator.settings", self._settings)
        faults.schedule("operator.cash", self._cash)
        faults.schedule("operator.restart", lambda rnd: process.stop(rnd.uniform(1.0, 20.0)))
        faults.schedule("feed.split", self._split)
        faults.schedule("bot.runaway", self._run_away)
        self._agenda.after(RECONCILE_EVERY, self._reconcile_again)
        self._agenda.after(LOOK_EVERY, self._look_again)

    def insist(
        self, act: Callable[[AdvancedRiskManager], object], then: Callable[[], None] | None = None
    ) -> None:
        """Do something at the engine, again and again until it was done and is on disk."""
        try:
            self._process.call(act)
        except NoAnswer:
            self._agenda.after(3.0, lambda: self.insist(act, then))
            return
        if then is not None:
            then()

    # -- chores -------------------------------------------------------------------------------------

    def reconcile(self, *, settle: bool = False) -> None:
        """Hold the account against the broker."""
        broker = self._broker
        units = {symbol: held / SCALE for symbol, held in broker.units.items() if held}
        cash, orders = broker.cash / SCALE, sorted(broker.orders)
        try:
            found = self._process.call(
                lambda engine: engine.reconcile(
                    units, cash=cash, open_orders=orders, settle=settle, actor=ACTOR
                )
            )
        except NoAnswer:
            return
        did = self._tally.did
        did["reconciliations"] += 1
        did["differences adopted"] += len(found.adopted)
        did["approvals settled by the broker's word"] += len(found.settled)

    def _reconcile_again(self) -> None:
        self.reconcile()
        self._agenda.after(RECONCILE_EVERY, self._reconcile_again)

    def _look_again(self) -> None:
        self.look_after()
        self._agenda.after(LOOK_EVERY, self._look_again)

    def look_after(self) -> None:
        """Let go on what has been stopped for a while and was looked at."""
        if self._process.needs_restart:
            self._tally.did["restarts because the store contradicted itself"] += 1
            self._process.stop(QUIET)
            return
        engine = self._process.engine
        if engine is None:
            return
        stopped: dict[tuple[str, ...], Callable[[], None]] = {}
        for hold in engine.state.holds.values():
            wait = LONG if hold.cause == "reconciliation" else PATIENCE
            act = self._remedy(hold)
            if act is not None:
                stopped[(f"{wait:g}", *hold.key)] = act
        for bot in engine.state.bots.values():
            if not bot.enabled and bot.disabled_reason != "drill":
                stopped[f"{PATIENCE:g}", "bot", bot.name] = lambda name=bot.name: self._enable(name)  # type: ignore[misc]
        now = self._machine.monotonic()
        self._since = {key: self._since.get(key, now) for key in stopped}
        for key, act in stopped.items():
            if now - self._since[key] >= float(key[0]):
                act()

    def _remedy(self, hold: Hold) -> Callable[[], None] | None:
        """What a person does about a hold; None where it ends by itself or is meant."""
        if hold.cause == "reconciliation":
            return lambda: self.reconcile(settle=True)
        if not hold.latched:
            return None
        if hold.scope is Scope.PORTFOLIO:
            return None if self.wants_stop else self._release  # a release ends every stop of the portfolio
        return lambda: self._let_go(hold)

    def _let_go(self, hold: Hold) -> None:
        self._tally.did[f"let go: {hold.cause}"] += 1
        mode, scope, name = TradingMode.ACTIVE, hold.scope, hold.name
        self._try(lambda engine: engine.set_mode(mode, "looked at", scope=scope, name=name, actor=ACTOR))

    def _release(self) -> None:
        self._try(lambda engine: engine.release_emergency(ACTOR, "looked at"))

    def _enable(self, name: str) -> None:
        self._tally.did["bots enabled again"] += 1
        self._try(lambda engine: engine.set_bot_enabled(name, enabled=True))

    def _try(self, act: Callable[[AdvancedRiskManager], object]) -> None:
        try:
            self._process.call(act)
        except NoAnswer:
            return

    # -- mischief -----------------------------------------------------------------------------------

    def _stop(self, rnd: random.Random) -> bool:
        if self.wants_stop:
            return False
        self.wants_stop = True

        def stop(engine: AdvancedRiskManager) -> None:
            engine.emergency_stop("drill", actor=ACTOR)
            self._invariants.is_stopped = True

        wait = rnd.uniform(20.0, 120.0)
        self.insist(stop, lambda: self._agenda.after(wait, self.end_stop))
        return True

    def end_stop(self) -> None:
        """Release the stop, once that can be written."""
        engine = self._process.engine
        if engine is None or engine.book.outage:
            self._agenda.after(QUIET, self.end_stop)
            return

        def release(running: AdvancedRiskManager) -> None:
            self._invariants.is_stopped = False
            running.release_emergency(ACTOR, "the drill is over")

        def over() -> None:
            self.wants_stop = False

        self.insist(release, over)

    def _disable(self, rnd: random.Random) -> None:
        name = rnd.choice(self._bots).name
        self.insist(lambda engine: engine.set_bot_enabled(name, enabled=False, reason="drill"))
        self._agenda.after(
            rnd.uniform(30.0, 200.0),
            lambda: self.insist(lambda engine: engine.set_bot_enabled(name, enabled=True)),
        )

    def _settings(self, rnd: random.Random) -> None:
        """Other limits, tighter or wider; what is held already stays."""
        base: RiskManagementConfig = self._process.config
        limits = {
            "max_gross_exposure": rnd.choice((0.8, 0.9, 1.0)),
            "max_net_exposure": rnd.choice((0.6, 0.8)),
            "max_single_position": rnd.choice((0.08, 0.12, 0.15)),
            "max_strategy_exposure": rnd.choice((0.3, 0.45, 0.6)),
        }
        self._process.config = base.update(portfolio_limits=limits)
        self.insist(lambda engine: engine.reconfigure(self._process.config))

    def _cash(self, rnd: random.Random) -> None:
        """A deposit or a withdrawal, at the broker first."""
        amount = rnd.choice((20_000.0, 5_000.0, -5_000.0, -20_000.0))
        self._truth.flow(amount)
        self._broker.cash += to_ledger(amount)
        self._flows += 1
        self._tell_flow(f"FLOW{self._flows}", amount)

    def _tell_flow(self, name: str, amount: float) -> None:
        """Tell the engine until the audit trail shows it: cash has no id, and must not be booked twice."""
        if name in self.kept_flows:
            return
        engine = self._process.engine
        if engine is not None and not engine.book.outage:
            kind = CashKind.DEPOSIT if amount > 0.0 else CashKind.WITHDRAWAL
            self._try(lambda running: running.record_cash(kind, abs(amount), symbol=name))
        self._agenda.after(QUIET, lambda: self._tell_flow(name, amount))

    def _run_away(self, rnd: random.Random) -> None:
        rnd.choice(self._bots).run_away(rnd.uniform(20.0, 60.0))

    def _split(self, rnd: random.Random) -> bool:
        symbol = rnd.choice(self._market.symbols)
        price = self._market.prices[symbol]
        ratios = [ratio for ratio in (2.0, 3.0, 10.0, 0.5, 0.1) if 5.0 < price / ratio < 5_000.0]
        if not ratios:
            return False
        self._split_once_quiet(symbol, rnd.choice(ratios))
        return True

    def _split_once_quiet(self, symbol: str, ratio: float) -> None:
        """The exchange halts the name; once nothing is on its way everybody counts in new units."""
        is_quiet = self._broker.close_for_trading(symbol)
        engine = self._process.engine
        if not is_quiet or engine is None or engine.book.outage or self._feed.is_wild(symbol):
            self._agenda.after(QUIET, lambda: self._split_once_quiet(symbol, ratio))
            return
        try:
            self._process.call(lambda running: running.record_split(symbol, ratio))
        except NoAnswer:
            self._agenda.after(QUIET, lambda: self._was_it_split(symbol, ratio))
            return
        except InvalidRequest:
            self._broker.open_for_trading(symbol)
            raise
        self._follow_split(symbol, ratio)

    def _was_it_split(self, symbol: str, ratio: float) -> None:
        """Nobody answered: a person reads the audit trail before doing it twice."""
        engine = self._process.engine
        if engine is None:
            self._agenda.after(QUIET, lambda: self._was_it_split(symbol, ratio))
            return
        quote = engine.state.quotes.get(symbol)
        before = self._market.prices[symbol]
        if quote is not None and abs(quote.price * ratio / before - 1.0) < abs(quote.price / before - 1.0):
            self._follow_split(symbol, ratio)
        else:
            self._split_once_quiet(symbol, ratio)

    def _follow_split(self, symbol: str, ratio: float) -> None:
        self._market.split(symbol, ratio)
        self._broker.split(symbol, ratio)
        self._feed.forget_old()
        self._broker.open_for_trading(symbol)
