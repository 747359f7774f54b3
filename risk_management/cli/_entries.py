"""Entries of the journal in one line for people: who did what, with money as money."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from risk_management.model.money import SCALE

__all__ = ["ROUTINE", "entry_line"]

ROUTINE: Final = ("Marked", "PeaksSeen", "EmergencyStepped")
"""Kinds that an engine writes at every look at the book: they tell a person nothing and bury the rest."""
MOST_NAMED: Final = 4
MOST: Final = 160
Body = Mapping[str, Any]


def entry_line(kind: str, body: object) -> str:
    """What an entry says, without its time and actor.

    Parameters
    ----------
    kind : str
    body : str
        JSON text, as the store has it; what somebody put there instead is shown as it is.
    """
    try:
        said = json.loads(str(body))
        text = _SENTENCES.get(kind, _plain)(said)
    except (ValueError, LookupError, TypeError, AttributeError):  # no engine wrote it
        text = str(body)
    return text if len(text) <= MOST else f"{text[:MOST]}..."


def _decided(said: Body) -> str:
    asked, answer = said["request"], said["decision"]
    order = f"{answer['symbol']} {answer['action']} {_money(answer['requested_size'])}"
    approved, codes = answer["approved"], ", ".join(answer["rejection_reasons"])
    if not approved:
        outcome = f"refused: {codes}"
    elif answer["rejection_reasons"] and not answer["shadow"]:
        outcome = f"cut to {_money(answer['recommended_size'])}: {codes}"
    else:
        outcome = "approved"
    kind = "" if asked["reserves"] else " (only asked)"
    return f"{order} -> {outcome}{kind}, {answer['request_id']}"


def _filled(said: Body) -> str:
    units = said["quantity"] / SCALE
    price = abs(said["cost"] / said["quantity"]) if said["quantity"] else 0.0
    fee = f", fee {_ledger(said['fee'])}" if said["fee"] else ""
    whole = "whole" if said["final"] else "in part"
    side = "bought" if units > 0.0 else "sold"
    traded = f"{side} {abs(units):,.8g} at {price:,.8g}, {_ledger(abs(said['cost']))}"
    return f"{said['key'][1]} {traded}{fee}, {whole}, {said['request_id']}"


def _closed(said: Body) -> str:
    return f"{said['request_id']} {said['status']}{_because(said)}"


def _added(said: Body) -> str:
    account, symbol, strategy, bot = said["key"]
    stop = f", at risk {_ledger(said['stop_risk'])}" if said["has_stop"] else ""
    whose = " ".join(part for part in (strategy, f"of {bot}", f"in {account}") if part)
    return f"{symbol} {said['quantity'] / SCALE:,.8g} units for {_ledger(said['cost'])}{stop}, {whose}"


def _quotes(said: Body) -> str:
    quotes = said["quotes"]
    named = ", ".join(f"{symbol} {quote[0]:,.8g}" for symbol, quote in quotes[:MOST_NAMED])
    more = len(quotes) - MOST_NAMED
    return f"{named}{f' and {more} more' if more > 0 else ''}"


def _bot(said: Body) -> str:
    bot = said["bot"]
    most = "" if bot["max_exposure"] is None else f", at most {_money(bot['max_exposure'])}"
    state = "may open" if bot["enabled"] else f"disabled: {bot['disabled_reason']}"
    return f"{bot['name']} {state}{most}"


def _hold(said: Body) -> str:
    hold = said["hold"]
    return f"{_scope(hold)} {hold['mode']} by {hold['cause']}{_because(hold)}"


def _released(said: Body) -> str:
    return f"{_scope(said)} no longer held by {said['cause']}{_because(said)}"


def _breaks(said: Body) -> str:
    found = said["breaks"]
    number = f"{len(found) or 'no'} open difference{'s' * (len(found) != 1)}"
    return f"account {said['account_id']} against its broker: {number}"


def _settings(said: Body) -> str:
    config = json.loads(said["config"])
    capital = f"{_money(config['portfolio_value'])} {config['base_currency']}"
    digest = f", digest {said['digest']}" if "digest" in said else ""
    return (
        f"level {config['risk_level']}, capital {capital}, "
        f"prices from {config['market_data_config']['source']}, {config['environment']}{digest}"
    )


def _budget(said: Body) -> str:
    budget = said["budget"]
    if budget is None:
        return f"no risk budget is in force{_because(said)}"
    kind = f"{budget['total']:.2%} of equity of {budget['measure']}, by {budget['method']}"
    return f"{kind}, over {len(budget['shares'])} strategies{_because(said)}"


def _alert(said: Body) -> str:
    alert = said["alert"]
    subject = next((alert[word] for word in ("bot", "strategy", "symbol") if alert.get(word)), "")
    key = f"{alert['rule_id']}[{subject}]" if subject else alert["rule_id"]
    return f"{alert['severity']} {alert['state']} {key}: {alert['message']}"


def _rule(said: Body) -> str:
    rule = said["rule"]
    return (
        f"{said['rule_id']} taken out" if rule is None else f"{said['rule_id']} watched: {rule['condition']}"
    )


def _silence(said: Body) -> str:
    one = said["silence"]
    named = ", ".join(one[word] for word in ("rule_id", "alert_type", "bot", "symbol") if one[word])
    return f"{named} until {one['until'][:16].replace('T', ' ')}{_because(one)}"


_SENTENCES: Final[Mapping[str, Callable[[Body], str]]] = {
    "BookOpened": _settings,
    "ConfigChanged": _settings,
    "EngineStarted": lambda said: f"process {said['pid']} on {said['host']}, version {said['software']}",
    "Noted": lambda said: f"{said['code']}: {said['text']}",
    "BreaksSeen": _breaks,
    "ClockStepped": lambda said: (
        f"the wall clock stepped by {said['seconds']:g} s"
        if said["seconds"]
        else "a start: prices from before it open nothing"
    ),
    "PositionAdded": _added,
    "QuotesReceived": _quotes,
    "RateReceived": lambda said: f"{said['currency']} {_first(said['rate']):,.8g}",
    "InstrumentDefined": lambda said: f"{_first(said['instrument'])}",
    "CashMoved": lambda said: f"{said['kind']} {_ledger(said['amount'])} in {said['account_id']}",
    "SplitApplied": lambda said: f"{said['symbol']} {said['ratio']:g} for 1",
    "BotChanged": _bot,
    "TradeDecided": _decided,
    "Filled": _filled,
    "ReservationClosed": _closed,
    "HoldSet": _hold,
    "HoldReleased": _released,
    "VarHaltChanged": lambda said: f"what increases VaR is {'stopped' if said['halted'] else 'free again'}",
    "ModelRefreshed": lambda said: f"market model {str(said['model'])[:12]}",
    "EquityReported": lambda said: f"the account is worth {_money(said['equity'])}",
    "DrawdownAdjusted": lambda said: f"{said['reason']}",
    "BudgetAllocated": _budget,
    "BudgetCut": lambda said: ", ".join(f"{name} to {share:.0%}" for name, share in said["cuts"]),
    "LiquidationStarted": lambda said: str(_first(said["liquidation"])),
    "LiquidationStepSent": lambda said: f"{said['liquidation_id']}: {len(said['orders'])} orders",
    "LiquidationStepDone": lambda said: f"{said['liquidation_id']}: {len(said['results'])} orders ended",
    "LiquidationStopped": lambda said: f"{said['liquidation_id']} is to end: {said['reason']}",
    "LiquidationEnded": lambda said: f"{said['liquidation_id']}: {said['outcome']}",
    "VarRecorded": lambda _said: "a trading day ended; its VaR was held against what came",
    "AlertTold": _alert,
    "AlertNoted": _alert,
    "RuleChanged": _rule,
    "SilenceSet": _silence,
    "Marked": lambda _said: "the book was looked at",
    "PeaksSeen": lambda said: f"new highest profits of {', '.join(name for name, _ in said['bots'])}",
    "EmergencyStepped": lambda said: (
        f"above their threshold: {', '.join(n for n, c in said['counts'] if c['above']) or 'none'}"
    ),
}


def _plain(said: Body) -> str:
    """The fields of a kind that has no sentence of its own."""
    return ", ".join(f"{name} {value}" for name, value in said.items() if name not in ("at", "actor"))


def _scope(said: Body) -> str:
    return f"{said['scope']} {said['name']}".strip()


def _because(said: Body) -> str:
    return f": {said['reason']}" if said["reason"] else ""


def _first(record: Any) -> Any:
    """The leading field of a record, which is written as a list or an object."""
    return record[0] if isinstance(record, Sequence) else next(iter(record.values()))


def _ledger(amount: int) -> str:
    return _money(amount / SCALE)


def _money(value: float) -> str:
    said = f"{value:,.2f}"
    return said.removesuffix(".00")
