// Am I safe? One word and one sentence, from what is known; what is not known is never safe.
import { amount, capital, percent, span, whom, words } from "./format.js";
import { ageOf } from "./live.js";
import { place, zoneOf } from "./place.js";
import { said } from "./told.js";

const named = (row) => capital(words(row.name)) + (row.about ? ` (${row.about})` : "");
const LEVELS = ["bad", "unknown", "warning"];
const RANK = { info: 0, warning: 1, critical: 2, emergency: 3 };

// Feeds with something stale in them, each as a sentence.
export const staleFeeds = (pulse) => (pulse?.feeds ?? []).filter((feed) => feed.stale.length)
  .map((feed) => feed.stale.includes("all")
    ? `${feed.name}: ${span(ageOf(feed.newest))} old, allowed ${span(feed.allowed)}`
    : `${feed.name}: no fresh price of ${feed.stale.slice(0, 4).join(", ")}${feed.stale.length > 4 ? ` and ${feed.stale.length - 4} more` : ""}`);

// Who is held or off, and why: one line each, with what alerts say of the same left out.
function stopped(pulse) {
  const lines = new Map();
  const add = (key, text, reason, names) => {
    const known = lines.get(key) ?? { text, reasons: new Set(), names };
    if (reason) known.reasons.add(reason);
    lines.set(key, known);
  };
  for (const [name, reason] of Object.entries(pulse.bots.disabled)) add(`bot ${name}`, `${name} is off`, reason, [name]);
  for (const hold of pulse.holds) {
    if (hold.scope === "portfolio") continue;
    const who = hold.scope === "bot" ? hold.name : whom(hold.scope, hold.name);
    add(`${hold.scope} ${hold.name}`, hold.mode === "halted" ? `${who} may neither open nor close` : `${who} may only close`, hold.reason, [hold.name]);
  }
  return [...lines.values()];
}

const isAbout = (alert) => ({ names, reasons }) => names.some((name) => alert.bot === name || alert.rule_id.endsWith(`:${name}`)) || [...reasons].some((reason) => alert.message.includes(reason));

// Rules that say of a limit what its own line says; a severe one stays where that line is mild.
const OF_LIMITS = { limit_use: () => true, heat: (row) => row.name === "heat", drawdown: (row) => row.name === "drawdown", daily_loss: (row) => row.name === "daily_loss", weekly_loss: (row) => row.name === "weekly_loss" };
const isOf = (alert, row) => Boolean(OF_LIMITS[alert.rule_id.replace(/_(warning|critical)$/, "")]?.(row)) && (RANK[alert.severity] < 2 || row.level === "breached");

// A mild rule beside the severe one of the same matter.
const matter = (alert) => [alert.rule_id.replace(/^emergency:/, "").replace(/_(warning|critical|emergency|yellow|red)$/, ""), alert.bot, alert.strategy, alert.symbol].join("|");
const isMilder = (alert, other) => RANK[alert.severity] < RANK[other.severity] && matter(alert) === matter(other);

// What is wrong, the worst first: {level, text, to}.
export function wrongs(pulse) {
  const found = [];
  const { status } = pulse;
  const held = stopped(pulse), zone = zoneOf(place().words);
  const severe = (one) => pulse.alerts.some((alert) => RANK[alert.severity] >= 2 && !alert.acknowledged_by && isAbout(alert)(one));
  const limits = pulse.limits.filter((row) => ["breached", "critical", "warning"].includes(row.level));
  const alerts = pulse.alerts.filter((alert) => !held.some(isAbout(alert)) && !pulse.alerts.some((other) => isMilder(alert, other)) && !limits.some((row) => isOf(alert, row)));
  const line = (one) => ({ level: severe(one) ? "bad" : "warning", text: `${one.text}${one.reasons.size ? `: ${[...one.reasons].join("; ")}` : ""}`, to: "bots" });
  const lines = held.map(line);
  if (pulse.store.outage) found.push({ level: "bad", text: `The store can't be written: ${pulse.store.outage}. Nothing opens.`, to: "audit" });
  if (status.mode === "halted") found.push({ level: "bad", text: "All trading is halted: bots can neither open nor close.", to: "overview" });
  for (const row of pulse.limits) {
    if (row.level === "breached") found.push({ level: "bad", text: `${named(row)} is over its limit: ${amount(row.used, row.unit)} of ${amount(row.limit, row.unit)}.`, to: "limits" });
  }
  if (pulse.unpriced.length) found.push({ level: "unknown", text: `Equity is unknown: no price of ${pulse.unpriced.join(", ")}.`, to: "heatmap" });
  for (const text of staleFeeds(pulse)) found.push({ level: "unknown", text: `Old data – ${text}.`, to: "feeds" });
  found.push(...lines.filter((one) => one.level === "bad"));
  for (const alert of alerts) {
    if (RANK[alert.severity] >= 2) found.push({ level: alert.acknowledged_by ? "warning" : "bad", text: `${said(alert, pulse.now, zone)}${alert.acknowledged_by ? ` (acknowledged by ${alert.acknowledged_by})` : ""}`, to: "alerts" });
  }
  for (const row of pulse.limits) {
    if (row.level === "critical" || row.level === "warning") found.push({ level: "warning", text: `${named(row)} is near its limit: ${amount(row.used, row.unit)} of ${amount(row.limit, row.unit)}.`, to: "limits" });
  }
  if (status.mode === "reducing") found.push({ level: "warning", text: "Only closing passes: the book is reducing.", to: "overview" });
  found.push(...lines.filter((one) => one.level === "warning"));
  for (const alert of alerts) if (RANK[alert.severity] === 1) found.push({ level: "warning", text: said(alert, pulse.now, zone), to: "alerts" });
  // an order within each level is the one above
  return found.sort((a, b) => LEVELS.indexOf(a.level) - LEVELS.indexOf(b.level));
}

// {level, word, text}
export function verdict(state, quiet) {
  const { pulse, problem } = state;
  if (!pulse && problem?.status === 401) return { level: "unknown", word: "Not known", text: "Sign in to see how the book stands." };
  if (!pulse) return { level: "unknown", word: "Not known", text: problem?.message ?? "The risk system has not answered yet." };
  if (quiet) return { level: "unknown", word: "Not live", text: `Nothing heard for ${span((performance.now() - state.heard) / 1000)}: what is shown may be old.${problem ? ` ${problem.message}` : ""}` };
  const all = wrongs(pulse);
  const { status } = pulse;
  const worst = all[0];
  if (status.mode === "halted") return { level: "bad", word: "Halted", text: status.blocked_by[0] ?? worst.text };
  if (all.some((one) => one.level === "bad")) return { level: "bad", word: "Act", text: all.find((one) => one.level === "bad").text };
  if (status.equity === null) return { level: "unknown", word: "Not known", text: worst?.text ?? "Equity is unknown." };
  if (all.some((one) => one.level === "unknown")) return { level: "unknown", word: "Not sure", text: all.find((one) => one.level === "unknown").text };
  if (!status.new_trades_allowed) return { level: "warning", word: "Holding", text: `New trades are stopped: ${status.blocked_by[0]}` };
  if (pulse.bots.known > 0 && pulse.bots.may_open === 0) return { level: "warning", word: "Holding", text: `No bot may open: ${pulse.bots.known === 1 ? "it is" : `all ${pulse.bots.known} are`} held or off.` };
  if (worst) return { level: "warning", word: "Watch", text: worst.text };
  const nearest = pulse.limits.find((row) => row.strain !== null);
  return { level: "good", word: "Safe", text: nearest && nearest.strain > 0 ? `No limit is breached. The nearest: ${named(nearest)}, ${percent(nearest.strain, 0)} used.` : "Nothing is at risk: no position is open." };
}
