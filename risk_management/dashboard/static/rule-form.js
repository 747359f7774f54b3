// A rule as a form: all that it shows is as the rule has it, and what it doesn't show stays as it was.
import { html, useState } from "./ui.js";
import { send } from "./api.js";
import { close, toast } from "./dialog.js";
import { capital, words as spoken } from "./format.js";
import { Badge } from "./parts.js";
import { callMe, routeLike, session } from "./session.js";

export const KINDS = { info: "info", warning: "warning", critical: "bad", emergency: "emergency" };

// Who hears of a rule: those that it names, else those of the routes.
export function toldBy(rule) {
  const named = (list) => list.filter((one) => one !== "log" && one !== "memory").join(", ");
  if (named(rule.channels)) return named(rule.channels);
  return `by the routes: ${named(rule.told_by ?? []) || "nobody beside this page and the log"}`;
}

const COMPARED = /^\s*(\w+)\s*(>=|<=|>|<)\s*(-?\d+(?:\.\d+)?)\s*$/;

// What is wrong with a release beside its condition; empty where nothing is, or where it can't be told.
export function clash(condition, release, old) {
  if (!release.trim()) return "";
  const fires = COMPARED.exec(condition), ends = COMPARED.exec(release);
  if (!fires || !ends) return old !== undefined && condition !== old ? `It still ends only when ${release}, which was written for the old condition.` : "";
  if (fires[1] !== ends[1]) return `It fires by ${spoken(fires[1])} and ends by ${spoken(ends[1])}: is that meant?`;
  if (fires[2][0] === ends[2][0]) return `It fires when ${condition} and would end only when ${release}, which is the same way: it may never end.`;
  const level = Number(fires[3]), back = Number(ends[3]);
  if (fires[2][0] === ">" ? back > level : back < level) return `It fires when ${condition}, and ${release} holds there already: the two contradict each other.`;
  return "";
}

// What the form doesn't show; whether it is on, what it means, what was done and what to do the server keeps.
const KEPT = ["rule_id", "cooldown", "repeat", "scope"];
const KINDS_OF_ALERT = ["portfolio_heat", "drawdown", "correlation", "var_breach", "position_limit", "volatility_spike", "system_error", "data_quality"];
const CHANNELS = ["telegram", "email", "discord", "slack", "webhook"];

// A new rule, or one that is changed: `rule` is that one as it stands.
export function RuleForm({ metrics, again, rule }) {
  const [condition, set] = useState(rule?.condition ?? "portfolio_heat > 80");
  const [release, setRelease] = useState(rule?.release ?? "");
  const unnamed = session().who?.is_named === false;
  const against = clash(condition, release, rule?.condition);
  const [tried, setTried] = useState(null);
  const [problem, wrong] = useState(null);
  const tries = routeLike(/^POST \/rules\/(try|test|check)/);
  const trial = async () => { try { setTried(await send("POST", tries.split(" ")[1].slice(1), { condition, scope: rule?.scope ?? "portfolio" })); wrong(null); } catch (refused) { wrong(refused); setTried(null); } };
  const submit = async (event) => {
    event.preventDefault();
    const form = new FormData(event.target);
    try {
      if (unnamed && form.get("person").trim()) await callMe(form.get("person").trim());
      const unseen = (rule?.channels ?? []).filter((one) => !CHANNELS.includes(one));
      const said = { name: form.get("name").trim(), condition, alert_type: form.get("alert_type"), severity: form.get("severity"), channels: [...form.getAll("channels"), ...unseen],
        message: form.get("message").replace(/\s+/g, " ").trim(), release: release.trim(), hold: Number(form.get("hold")), reason: form.get("reason").trim() };
      if (rule) await send("PUT", `rules/${encodeURIComponent(rule.rule_id)}`, { ...Object.fromEntries(KEPT.map((name) => [name, rule[name]])), ...said });
      else await send("POST", "rules", { rule_id: form.get("rule_id").trim(), ...said });
      close(); toast(rule ? "The rule is watched as it is now." : "The rule is watched from now on.", "good"); again();
    } catch (refused) { wrong(refused); }
  };
  return html`<form class="ticket" onSubmit=${submit}>
    <label>Condition<input value=${condition} onInput=${(event) => { set(event.target.value); setTried(null); }} maxlength="256" required class="code" list="metric-words" spellcheck="false" autofocus /></label>
    <datalist id="metric-words">${Object.keys(metrics).map((name) => html`<option key=${name} value=${name} />`)}</datalist>
    ${tries && html`<div class="buttons left"><button type="button" class="quiet" onClick=${trial}>Try it on the book as it is</button></div>`}
    ${tried && html`<div class="tried" role="status">${tried.results.slice(0, 8).map((one) => html`<p key=${one.subject}><${Badge} kind=${one.holds === null ? "unknown" : one.holds ? "warning" : "ok"}>${one.holds === null ? "can't be said now" : one.holds ? "would fire now" : "would not fire now"}<//> <span class="dim">${one.subject && `${one.subject}: `}${Object.entries(one.values).map(([name, value]) => `${spoken(name)} is ${value === null ? "not known" : Number(value.toPrecision(4))}`).join(", ")}</span></p>`)}</div>`}
    ${rule && rule.scope !== "portfolio" && html`<p class="dim">Judged for each ${rule.scope}.</p>`}
    <div class="pair"><label>Over when, if that is more than its end<input name="release" value=${release} onInput=${(event) => setRelease(event.target.value)} maxlength="256" class="code" spellcheck="false" placeholder="portfolio_heat < 70" /></label><label>Must hold for, in seconds<input name="hold" type="number" min="0" step="any" required defaultValue=${rule?.hold ?? 0} /></label></div>
    ${against && html`<p class="wrong" role="status">${against}</p>`}
    <label>What it says; if empty, its numbers<textarea name="message" maxlength="1000" rows="2" placeholder="Heat is {portfolio_heat}" defaultValue=${rule?.message ?? ""} /></label>
    ${rule?.message && condition !== rule.condition && html`<p class="dim">The sentence was written for the old condition: does it name an old number?</p>`}
    ${problem && html`<p class="wrong" role="alert">${problem.message}</p>`}
    <div class="pair"><label>Id<input name="rule_id" required maxlength="64" pattern="[A-Za-z0-9_.:@\\-]+" placeholder="heat_at_night" defaultValue=${rule?.rule_id ?? ""} readonly=${Boolean(rule)} /></label><label>Name<input name="name" required maxlength="100" placeholder="Heat at night" defaultValue=${rule?.name ?? ""} /></label></div>
    <div class="pair"><label>About<select name="alert_type">${KINDS_OF_ALERT.map((one) => html`<option key=${one} value=${one} selected=${one === (rule?.alert_type ?? "portfolio_heat")}>${capital(spoken(one))}</option>`)}</select></label>
      <label>How bad<select name="severity">${Object.keys(KINDS).map((one) => html`<option key=${one} value=${one} selected=${one === (rule?.severity ?? "warning")}>${capital(one)}</option>`)}</select></label></div>
    <fieldset><legend>Told by, beside this page and the log</legend><p class="dim">None ticked: ${rule && !rule.channels.some((one) => CHANNELS.includes(one) || one.startsWith("url:")) ? toldBy(rule) : "by the routes"}.</p>${CHANNELS.map((one) => html`<label class="check" key=${one}><input type="checkbox" name="channels" value=${one} defaultChecked=${rule?.channels.includes(one)} /> ${capital(one)}</label>`)}</fieldset>
    <label>Why, for the audit trail<input name="reason" required maxlength="200" autocomplete="off" /></label>
    ${unnamed && html`<label>Your name, for the audit trail (else it says “${session().who.name}”)<input name="person" maxlength="40" autocomplete="name" /></label>`}
    <div class="buttons"><button type="button" class="quiet" onClick=${close}>Leave it</button><button type="submit" class="main">${rule ? "Keep it so" : "Watch it"}</button></div></form>`;
}
