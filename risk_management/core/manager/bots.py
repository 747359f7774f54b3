"""Bots and modes: who may trade, and what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from risk_management.core.bot_limits import check_tightens
from risk_management.core.entry import checked_bot, checked_name, checked_number
from risk_management.core.liquidation.desk import liquidations_over
from risk_management.core.manager._inside import Inside, library_actor
from risk_management.core.peaks import fresh_start
from risk_management.core.scopes import checked_scope
from risk_management.errors import InvalidRequest, shown
from risk_management.model.amend import amended
from risk_management.model.events import BotChanged, HoldReleased, HoldSet
from risk_management.model.portfolio import OPERATOR, Bot, Hold, Scope, TradingMode

if TYPE_CHECKING:
    pass

__all__ = ["BotsAndModes"]


class BotsAndModes(Inside):
    """Registration of bots, and the modes of every scope."""

    def register_bot(
        self,
        bot_name: str,
        strategy_type: str = "",
        max_position_size: float | None = None,
        kelly_fraction: float | None = None,
        *,
        actor: str = OPERATOR,
        may_loosen: bool = True,
    ) -> Bot:
        """Register a bot, or change the limits of a known one; its record is kept.

        Parameters
        ----------
        bot_name : str
        strategy_type : str
            Empty: as it is.
        max_position_size : float, optional
            Money. None: as it is; of a new bot `bot_config.max_exposure` of equity.
        kelly_fraction : float, optional
            0 to 1. None: as it is; of a new bot `kelly_config.default_kelly_fraction`.
        actor : str
        may_loosen : bool
            False refuses a limit that is looser than the one that holds now.

        Raises
        ------
        InvalidRequest
            A value that means nothing, or ``NOT_ALLOWED``; nothing was changed.
        """
        name = checked_bot(bot_name)
        strategy = checked_name(strategy_type, "strategy_type", empty=True)
        limit, share = max_position_size, kelly_fraction
        if limit is not None:
            limit = checked_number(limit, "max_position_size")
        if share is not None:
            share = checked_number(share, "kelly_fraction", zero=True, most=1.0)
        with self.book.lock:
            known = self.state.bots.get(name)
            old = known or Bot(name, "", self.clock.now())
            bot = amended(
                old,
                strategy=strategy or old.strategy,
                max_exposure=old.max_exposure if limit is None else limit,
                kelly_fraction=old.kelly_fraction if share is None else share,
            )
            if not may_loosen:
                check_tightens(self.config, self.state.equity, known, bot)
            self._apply_now(BotChanged, actor=actor, bot=bot)
        return bot

    def set_bot_enabled(
        self, bot_name: str, *, enabled: bool, reason: str = "", actor: str = ""
    ) -> tuple[str, ...]:
        """Enable or disable a bot. Disabled, its exits pass; its open entries are cancelled and returned.

        Raises
        ------
        InvalidRequest
            ``UNKNOWN_BOT``.
        """
        if not isinstance(enabled, bool):
            raise InvalidRequest("WRONG_TYPE", "enabled", f"enabled is True or False; got {shown(enabled)}")
        who = actor or library_actor()
        with self.book.lock:
            bot = self.state.bots.get(checked_name(bot_name, "bot_name"))
            if bot is None:
                known = ", ".join(self.state.bots) or "none"
                raise InvalidRequest(
                    "UNKNOWN_BOT", "bot_name", f"no bot is called {bot_name!r}; known: {known}"
                )
            record = amended(bot.record, forgiven=bot.record.closed_trades) if enabled else bot.record
            reason_kept = "" if enabled else reason
            changed = amended(bot, enabled=enabled, disabled_reason=reason_kept, record=record)
            self._apply_now(BotChanged, actor=who, bot=changed)
            if enabled:
                self.desk.put_back(bot.name)
                self.alert_manager.resolve(f"bot_off:{bot.name}", self.clock.now())
                if not bot.enabled:  # else the old peak would switch it off again at once
                    self.book.apply(fresh_start(self.state, self.clock.now(), who, bot=bot_name))
                return ()
            mine = [r for r in self.state.reservations.values() if r.key.bot == bot_name and r.opening > 0]
            self.desk.cancel_all(reason or "bot disabled", bot=bot_name, openings_only=True, actor=who)
            return tuple(r.request_id for r in mine)

    def set_mode(self, mode: TradingMode, reason: str, *, scope: Scope, name: str, actor: str = "") -> None:
        """Hold a portfolio, strategy, bot or symbol in a mode; ACTIVE ends what holds it.

        A strategy that lost too much is let go on by this, with its losses counted anew. The stops of the
        whole portfolio are ended by `release_emergency` alone. REDUCING takes the place of no HALTED that
        another person set: to loosen is a release, ACTIVE or `release_emergency`.

        Raises
        ------
        InvalidRequest
            ``UNKNOWN_BOT``, ``UNKNOWN_STRATEGY`` or ``UNKNOWN_SYMBOL``: nothing here goes by this name,
            and a stop of it would stop nobody; ``LIQUIDATION_GOES_ON``: what it would buy were sold again;
            ``HALTED``: another person holds it stricter.
        """
        who = actor or library_actor()
        now = self.clock.now()
        try:
            mode, scope = TradingMode(mode), Scope(scope)
        except ValueError as problem:
            raise InvalidRequest("INVALID_MODE", "mode", str(problem)) from None
        with self.book.lock:
            checked_scope(self.state, scope, name)
            if mode is TradingMode.ACTIVE:
                self._check_nothing_closes(scope, name)
                self._release(scope, name, who, reason)
                return
            self._check_not_laxer(mode, scope, name, who)
            hold = Hold(scope, name, OPERATOR, mode, who, reason, now, latched=scope is Scope.PORTFOLIO)
            self._apply_now(HoldSet, actor=who, hold=hold)

    def _check_not_laxer(self, mode: TradingMode, scope: Scope, name: str, who: str) -> None:
        """Raise where another person holds it stricter: people have one hold, and theirs would be gone."""
        known = self.state.holds.get((scope, name, OPERATOR))
        if known is not None and known.actor != who and known.mode.severity > mode.severity:
            what = f"{scope.value} {name}".rstrip()
            said = (
                f"{what} is {known.mode.value} by {known.actor}: {known.reason}; to loosen is a release: set "
                f"ACTIVE{' or release the emergency' if known.latched else ''} first; nothing was set"
            )
            raise InvalidRequest("HALTED", "mode", said)

    def _check_nothing_closes(self, scope: Scope, name: str) -> None:
        """Raise while a strategy, bot or symbol is being closed: that has to end before it may trade."""
        closing = () if scope is Scope.PORTFOLIO else liquidations_over(self.state, scope, name)
        if closing:
            one = closing[0]
            said = (
                f"the liquidation {one.liquidation_id} of {one.scope} goes on and would sell what is bought; "
                "let it finish, or end it first; nothing was set"
            )
            raise InvalidRequest("LIQUIDATION_GOES_ON", "mode", said)

    def _release(self, scope: Scope, name: str, actor: str, reason: str) -> None:
        """End an operator's hold; of a strategy, bot or symbol also those that the system set."""
        with self.book.lock:
            mine = [h for h in self.state.holds.values() if (h.scope, h.name) == (scope, name)]
            for hold in mine:
                if hold.cause == OPERATOR or scope is not Scope.PORTFOLIO:
                    self._apply_now(
                        HoldReleased, actor=actor, scope=scope, name=name, cause=hold.cause, reason=reason
                    )
                    self._end_alerts(hold)
            if scope is Scope.STRATEGY:
                self.book.apply(fresh_start(self.state, self.clock.now(), actor, strategy=name))
