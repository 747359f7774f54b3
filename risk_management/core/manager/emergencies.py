"""Stops, releases and liquidations."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

from risk_management.alerts.risk_alerts import AlertSeverity, AlertType
from risk_management.core.accounts import broker_account
from risk_management.core.entry import checked_name
from risk_management.core.liquidation.desk import alert_keys
from risk_management.core.liquidation.plan import plan_liquidation
from risk_management.core.manager._inside import Inside, library_actor
from risk_management.core.protocol import Stopped
from risk_management.model.broker import MarketState
from risk_management.model.liquidation import EVERYTHING, Liquidation, LiquidationPlan, LiquidationScope
from risk_management.model.portfolio import EMERGENCY_STOP

if TYPE_CHECKING:
    pass

__all__ = ["Emergencies"]

RELEASED = (
    "emergency_stop",
    "emergency:emergency_drawdown",
    "emergency:system_error",
    "system_error",
    "ledger",
)
"""Alerts that a release ends also where the hold was gone before they were raised."""

logger = logging.getLogger(__name__)


class Emergencies(Inside):
    """What a person or the system does when it must stop."""

    def emergency_stop(self, reason: str, *, actor: str = "") -> bool:
        """Stop all trading at once: entries are cancelled, protective orders stay, a person releases.

        Returns
        -------
        bool
            Whether it is on disk. Where the store can't be written the stop holds all the same, and a
            restart comes back in it.
        """
        return self.stop_everything(reason, actor=actor).durable

    def stop_everything(self, reason: str, *, actor: str = "") -> Stopped:
        """`emergency_stop` with the entries that it cancelled."""
        who = actor or library_actor()
        reason = str(reason)  # nothing that is said may keep the stop from working
        done = self.protocol.stop(EMERGENCY_STOP, who, reason)
        text = f"all trading stopped by {who}: {reason}; {done.explain()}; release with a reason"
        if not done.durable:
            text += f"; it holds, but the store can't be written: {self.book.outage}"
        self._alert(
            AlertType.SYSTEM_ERROR, AlertSeverity.EMERGENCY, text, "emergency_stop", f"{who}: {reason}"
        )
        return done

    def release_emergency(self, actor: str, reason: str) -> tuple[str, ...]:
        """Release every latched stop of the portfolio; a name and a reason are kept.

        Returns
        -------
        tuple of str
            What was released, in words; empty when nothing was stopped.

        Raises
        ------
        InvalidRequest
            Without an actor or a reason.
        """
        checked_name(actor, "actor")
        checked_name(reason, "reason")
        before = self.state.holds
        said = self.protocol.release(actor, reason)
        self.desk.failed_in_a_row = 0
        for text in said:
            logger.warning("released by %s (%s): %s", actor, reason, text)
        for held, hold in before.items():
            if held not in self.state.holds:
                self._end_alerts(hold)
        for key in RELEASED:
            self.alert_manager.resolve(key, self.clock.now())
        return said

    def plan_liquidation(
        self, scope: LiquidationScope | str = EVERYTHING, *, markets: Mapping[str, MarketState] | None = None
    ) -> LiquidationPlan:
        """How a part of the book would be closed now: orders in sequence, cost, time, risk after each step.

        Nothing is sent and nothing changes.

        Parameters
        ----------
        scope : LiquidationScope or str
            Such as ``everything``, ``bot:RSI2``, ``cluster:SPY``, ``gross:0.5`` (of equity), ``var:0.01``.
        markets : Mapping of str to MarketState, optional
            By symbol, as a broker tells them; one that is not named is taken as open.

        Raises
        ------
        InvalidRequest
            The scope names nobody that is known.
        """
        wanted = scope if isinstance(scope, LiquidationScope) else LiquidationScope.of(scope)
        state, config = self.state, self.config
        served = broker_account(config) if self.protocol.closing.has_broker else None
        if markets is None and self.tell_markets is not None:
            hedge = config.liquidation_config.hedge_symbol
            held = {key.symbol for key in state.positions if key.account_id == served}
            markets = self.tell_markets(held | ({hedge} - {""}))
        return plan_liquidation(state, config, wanted, markets or {}, self.clock.now(), served=served)

    def liquidate(
        self, scope: LiquidationScope | str, reason: str, *, plan_id: str = "", actor: str = ""
    ) -> Liquidation:
        """Close a part of the book: at the broker step by step, or without one at the marks at once.

        What is closed already is not begun twice: the one that goes on is given back.

        Parameters
        ----------
        scope : LiquidationScope or str
            As in `plan_liquidation`.
        reason : str
        plan_id : str
            Of the plan that was seen: positions that are others by now begin nothing.
        actor : str, optional

        Raises
        ------
        InvalidRequest
            ``PLAN_CHANGED``, or the scope names nobody that is known.
        """
        wanted = scope if isinstance(scope, LiquidationScope) else LiquidationScope.of(scope)
        who = actor or library_actor()
        checked_name(reason, "reason")
        before = self.state.liquidations
        one = self.protocol.closing.liquidate(wanted, reason, who, plan_id=plan_id)
        if one.liquidation_id in before:
            return one
        text = f"{who} closes {wanted}: {reason}" + (f"; {one.outcome}" if one.outcome else "")
        key = f"liquidation:{one.liquidation_id}"
        self._alert(AlertType.SYSTEM_ERROR, AlertSeverity.EMERGENCY, text, key)
        if not one.is_open:  # without a broker it is over already: told, and nothing that lasts
            self.alert_manager.resolve(key, self.clock.now())
        return one

    def end_liquidation(self, liquidation_id: str, *, actor: str, reason: str) -> Liquidation:
        """End a liquidation: nothing more is sent, its working orders are cancelled, then its hold goes.

        What is still held stays; an emergency row whose liquidation a person ended begins it again only when
        it comes up anew.

        Parameters
        ----------
        liquidation_id : str
        actor, reason : str
            Kept in the journal.

        Returns
        -------
        Liquidation
            `ended_at` is None while orders are still being cancelled at the broker. One that has ended
            before is given back as it is.

        Raises
        ------
        InvalidRequest
            ``UNKNOWN_LIQUIDATION``, or without an actor or a reason.
        """
        checked_name(actor, "actor")
        checked_name(reason, "reason")
        was_open = liquidation_id in {o.liquidation_id for o in self.state.liquidations.values() if o.is_open}
        one = self.protocol.closing.stop(liquidation_id, actor, reason)
        if was_open:
            logger.warning("%s ends the liquidation %s of %s: %s", actor, liquidation_id, one.scope, reason)
        if not one.is_open:
            for key in alert_keys(one):
                self.alert_manager.resolve(key, self.clock.now())
        return one

    def _deactivate_emergency_mode(self, reason: str) -> tuple[str, ...]:
        """Release the emergency in the name of whoever runs this process."""
        return self.release_emergency(library_actor(), reason)

    def report_system_error(self, reason: str) -> None:
        """An invariant does not hold: all trading stops."""
        self.protocol.stop("system_error", "system", reason)
        self._alert(AlertType.SYSTEM_ERROR, AlertSeverity.EMERGENCY, reason, "system_error", reason)
