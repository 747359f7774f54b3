// What the journal says, in sentences; what only keeps time is left out.
import { capital, money, signed, whom, words } from "./format.js";

export const TOLD = ["HoldSet", "HoldReleased", "BotChanged", "ConfigChanged", "Noted", "EquityReported", "VarHaltChanged", "DrawdownAdjusted", "BreaksSeen", "ClockStepped", "EngineStarted", "SplitApplied", "CashMoved", "LiquidationStarted", "LiquidationStopped", "LiquidationEnded", "RuleChanged", "SilenceSet", "SilenceEnded"];
const UNIT = 1e8;
const NAMED = 3;

// Where two sets of settings differ: [name, here, there].
function differing(here, there, path = "") {
  if (JSON.stringify(here) === JSON.stringify(there)) return [];
  const isGroup = (one) => one !== null && typeof one === "object" && !Array.isArray(one);
  if (!isGroup(here) || !isGroup(there)) return [[path, here, there]];
  return [...new Set([...Object.keys(here), ...Object.keys(there)])].flatMap((key) => differing(here[key], there[key], path ? `${path}.${key}` : key));
}

function settings(said) {
  if (!said.given) return `Settings as this process was started with (${said.digest.slice(0, 8)})`;
  const all = differing(JSON.parse(said.given), JSON.parse(said.config));
  const short = (value) => (value === null || value === undefined ? "not set" : typeof value === "object" ? "another" : String(value));
  const named = all.slice(0, NAMED).map(([name, before, now]) => `${name} ${short(now)}, started with ${short(before)}`).join("; ");
  return `Settings changed while running: ${named}${all.length > NAMED ? `; and ${all.length - NAMED} more` : ""}`;
}

const SAYS = {
  HoldSet: ({ hold }) => [`${capital(whom(hold.scope, hold.name))} set to ${hold.mode} (${words(hold.cause)}): ${hold.reason}`, hold.mode === "halted" ? "bad" : "warning"],
  HoldReleased: (said) => [`${capital(whom(said.scope, said.name))} released from ${words(said.cause)}: ${said.reason}`, "ok"],
  BotChanged: ({ bot }) => [bot.enabled ? `Bot ${bot.name} registered, changed or enabled` : `Bot ${bot.name} disabled: ${bot.disabled_reason}`, bot.enabled ? "info" : "warning"],
  ConfigChanged: (said) => [settings(said), "info"],
  Noted: (said) => [`${words(said.code)}: ${said.text}`, said.code === "REFUSED" ? "warning" : "info"],
  EquityReported: (said) => [`Equity reported: ${money(said.equity)}`, "info"],
  VarHaltChanged: (said) => [said.halted ? "VaR stands near its limit: what increases it is stopped" : "VaR is low enough again: what increases it passes", said.halted ? "warning" : "ok"],
  DrawdownAdjusted: (said) => [`Drawdown rules adjusted: ${said.reason}`, "warning"],
  BreaksSeen: (said) => [said.breaks.length ? `The broker tells other positions in ${said.account_id}: ${said.breaks.length} differences` : `The broker's positions in ${said.account_id} agree`, said.breaks.length ? "warning" : "ok"],
  ClockStepped: (said) => (said.seconds ? [`The wall clock stepped by ${said.seconds} s: prices count as old until new ones come`, "warning"]
    : ["Started: prices from before count as old until new ones come", "info"]),
  EngineStarted: (said) => [`Started on ${said.host} (${said.software})`, "info"],
  SplitApplied: (said) => [`Split of ${said.symbol}, ${said.ratio} for 1`, "info"],
  CashMoved: (said) => [`${capital(words(said.kind))} ${signed(said.amount / UNIT)} in ${said.account_id}`, "info"],
  TradeDecided: ({ decision }) => [`${decision.action} ${decision.symbol} for ${decision.bot_name || "the account"}: asked ${money(decision.requested_size)}, ${outcome(decision) === "refused" ? "refused" : `given ${money(decision.recommended_size)}`}`, { approved: "ok", cut: "warning", refused: "bad" }[outcome(decision)]],
  Filled: (said) => [`${said.quantity > 0 ? "Bought" : "Sold"} ${money(Math.abs(said.cost) / UNIT)} of ${said.key[1]} for ${said.key[3]}`, "info"],
  ReservationClosed: (said) => [`Approval ${said.request_id} ended: ${words(said.status)}${said.reason ? `, ${said.reason}` : ""}`, "info"],
  PositionAdded: (said) => [`Position taken over: ${said.key[1]}, ${money(said.cost / UNIT)}`, "info"],
  InstrumentDefined: ({ instrument }) => [`Instrument ${instrument.symbol} defined`, "info"],
  LiquidationStarted: ({ liquidation }) => [`Closing ${liquidation.scope} began: ${liquidation.reason}`, "warning"],
  LiquidationStepSent: (said) => [`${said.orders.length} orders to close were sent`, "info"],
  LiquidationStepDone: (said) => [`${said.results.length} orders to close came back`, "info"],
  LiquidationStopped: (said) => [`A person ends a closing: ${said.reason}`, "warning"],
  LiquidationEnded: (said) => [`Closing ended: ${words(said.outcome)}`, "ok"],
  AlertTold: ({ alert }) => [`Alert: ${alert.message}`, alert.severity === "info" || alert.severity === "warning" ? "warning" : "bad"],
  AlertNoted: ({ alert }) => [`Alert taken on or over: ${alert.message}`, "info"],
  RuleChanged: (said) => [said.rule ? `Rule ${said.rule_id} added or changed${said.reason ? `: ${said.reason}` : ""}` : `Rule ${said.rule_id} taken out`, "info"],
  SilenceSet: ({ silence }) => [`Quiet about ${[silence.rule_id, silence.alert_type, silence.bot, silence.symbol].filter(Boolean).join(", ")} until ${silence.until}: ${silence.reason}`, "warning"],
  SilenceEnded: () => ["A silence was ended", "ok"],
  ModelRefreshed: () => ["Market model refreshed", "info"],
  QuotesReceived: (said) => [`${said.quotes.length} prices`, "info"],
};

export function outcome(decision) {
  if (!decision.approved) return "refused";
  return decision.recommended_size < decision.requested_size - 1e-6 ? "cut" : "approved";
}

export function told(entry) {
  const say = SAYS[entry.kind];
  if (!say) return [words(entry.kind.replace(/([a-z])([A-Z])/g, "$1 $2").toLowerCase()), "info"];
  try { return say(entry.body); } catch { return [entry.kind, "info"]; }
}
