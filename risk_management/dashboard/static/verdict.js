// Am I safe? One word and one sentence, from what is known; what is not known is never safe.
import { amount, percent, span, words } from "./format.js";
import { ageOf } from "./live.js";

const named = (row) => words(row.name) + (row.subject ? ` (${row.subject})` : "");
const RANK = { info: 0, warning: 1, critical: 2, emergency: 3 };

// Feeds with something stale in them, each as a sentence.
export const staleFeeds = (pulse) => (pulse?.feeds ?? []).filter((feed) => feed.stale.length)
  .map((feed) => feed.stale.includes("all")
    ? `${feed.name}: ${span(ageOf(feed.newest))} old, allowed ${span(feed.allowed)}`
    : `${feed.name}: no fresh price of ${feed.stale.slice(0, 4).join(", ")}${feed.stale.length > 4 ? ` and ${feed.stale.length - 4} more` : ""}`);

// What is wrong, the worst first: {level, text, to}.
export function wrongs(pulse) {
  const found = [];
  const { status } = pulse;
  if (pulse.store.outage) found.push({ level: "bad", text: `The store can't be written: ${pulse.store.outage}. Nothing opens.`, to: "audit" });
  if (status.mode === "halted") found.push({ level: "bad", text: "All trading is halted: bots can neither open nor close.", to: "overview" });
  for (const row of pulse.limits) {
    if (row.level === "breached") found.push({ level: "bad", text: `${named(row)} is over its limit: ${amount(row.used, row.unit)} of ${amount(row.limit, row.unit)}.`, to: "limits" });
  }
  if (pulse.unpriced.length) found.push({ level: "unknown", text: `Equity is unknown: no price of ${pulse.unpriced.join(", ")}.`, to: "heatmap" });
  for (const text of staleFeeds(pulse)) found.push({ level: "unknown", text: `Old data – ${text}.`, to: "feeds" });
  for (const alert of pulse.alerts) {
    if (RANK[alert.severity] >= 2) found.push({ level: alert.acknowledged_by ? "warning" : "bad", text: `${alert.message}${alert.acknowledged_by ? ` (acknowledged by ${alert.acknowledged_by})` : ""}`, to: "alerts" });
  }
  for (const row of pulse.limits) {
    if (row.level === "critical" || row.level === "warning") found.push({ level: "warning", text: `${named(row)} is near its limit: ${amount(row.used, row.unit)} of ${amount(row.limit, row.unit)}.`, to: "limits" });
  }
  if (status.mode === "reducing") found.push({ level: "warning", text: "Only closing passes: the book is reducing.", to: "overview" });
  for (const name of pulse.bots.disabled) found.push({ level: "warning", text: `Bot ${name} is disabled.`, to: "bots" });
  for (const alert of pulse.alerts) if (RANK[alert.severity] === 1) found.push({ level: "warning", text: alert.message, to: "alerts" });
  return found;
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
  if (worst) return { level: "warning", word: "Watch", text: worst.text };
  const nearest = pulse.limits.find((row) => row.use !== null);
  return { level: "good", word: "Safe", text: nearest && nearest.use > 0 ? `No limit is breached. The nearest is ${named(nearest)}, ${percent(nearest.use, 0)} used.` : "Nothing is at risk: no position is open." };
}
