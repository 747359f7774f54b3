// What fires, what was told, by which rule; rules are tried before they are kept.
import { html } from "./ui.js";
import { send } from "./api.js";
import { Act, act } from "./actions.js";
import { useAsked } from "./data.js";
import { open } from "./dialog.js";
import { capital, firstOf, span, time, words as spoken } from "./format.js";
import { ageOf } from "./live.js";
import { Badge, begins, Empty, Fault, Panel, Ranges, Table } from "./parts.js";
import { say } from "./place.js";
import { KINDS, RuleForm, toldBy } from "./rule-form.js";
import { exists, routeLike, taken, whyNot } from "./session.js";
import { said } from "./told.js";

const SILENCES = [["1800", "30 minutes"], ["3600", "an hour"], ["14400", "4 hours"], ["28800", "8 hours"]];
const ACKNOWLEDGE = /^POST .*acknowledge/, SILENCE = /^POST .*silence/, RESOLVE = /^POST .*alerts.*resolve/;
const named = (route, alert) => route.split(" ")[1].slice(1).replace(/\{(\w+)\}/, (_, name) => encodeURIComponent(/alert/.test(name) || route.includes("/alerts/") ? alert.alert_id : alert.rule_id));

function acknowledge(alert) {
  const route = routeLike(ACKNOWLEDGE);
  act(route, "Acknowledge", {
    label: "Acknowledge", done: "Acknowledged.", does: [`Note that you have seen “${alert.message}”.`, "Stop repeating it."], still: ["It stays on this page until its cause is over.", "It is told again when it comes back."],
    run: (reason) => send("POST", named(route, alert), taken(route, { reason, comment: reason, alert_id: alert.alert_id })),
  });
}

function resolve(alert) {
  const route = routeLike(RESOLVE);
  act(route, "Resolve", {
    label: "Resolve", done: "Resolved.", does: [`Say that “${alert.message}” is over, to all who heard of it.`], still: ["Where its cause goes on it comes back.", "Stops and holds stay as they are."],
    run: (reason) => send("POST", named(route, alert), taken(route, { reason, comment: reason, alert_id: alert.alert_id })),
  });
}

function silence(alert) {
  const route = routeLike(SILENCE);
  let seconds = SILENCES[0][0];
  act(route, "Silence", {
    label: "Silence", done: "Silenced.", does: [`Keep every channel quiet about ${alert.name} for a while.`], still: ["It is watched and shown here all the same; what still holds at the end is told then.", "Limits and stops act as before."],
    extra: html`<label>For<select onChange=${(event) => { seconds = event.target.value; }}>${SILENCES.map(([value, text]) => html`<option key=${value} value=${value}>${text}</option>`)}</select></label>`,
    run: (reason) => send("POST", named(route, alert), taken(route, { seconds: Number(seconds), reason, rule_id: alert.rule_id })),
  });
}

const UNSILENCE = "DELETE /silences/{silence_id}";
const endSilence = (one, again) => act(UNSILENCE, "End a silence", {
  label: "End it", done: "It is over.", reasonless: true, does: ["Tell again of what it kept quiet, if that still holds."],
  run: async () => { const said = await send("DELETE", `silences/${encodeURIComponent(one.silence_id)}`); again(); return said; },
});

const removeRule = (rule, again) => act("DELETE /rules/{rule_id}", `Watch “${rule.name}” no more`, {
  danger: true, word: rule.rule_id, label: "Take it out", done: "The rule is out.", reasonless: true, does: [`Watch ${rule.condition} no more; what it fires now is resolved.`], still: ["Limits and stops act as before.", "Other rules go on."],
  run: async () => { const said = await send("DELETE", `rules/${encodeURIComponent(rule.rule_id)}`); again(); return said; },
});

function Silences({ zone }) {
  const { data, again } = useAsked("silences");
  if (!data?.silences.length) return null;
  return html`<${Panel} wide id="silences" title="Silences" note="Watched and shown all the same; nobody is told" rows=${() => data.silences} data=${() => data.silences}>
    <ul class="list">${data.silences.map((one) => html`<li key=${one.silence_id}><${Badge} kind="warning">Quiet<//> <span><strong>${[one.rule_id, one.alert_type, one.bot, one.symbol].filter(Boolean).join(", ")}</strong> until ${time(one.until, zone)}, by ${one.by}: ${one.reason}</span> <${Act} small route=${UNSILENCE} run=${() => endSilence(one, again)}>End it<//></li>`)}</ul><//>`;
}

export default function Alerts({ words, zone, pulse }) {
  const { data, problem, again } = useAsked("alerts");
  if (!data) return problem ? html`<${Fault} problem=${problem} again=${again} />` : html`<div class="waiting tall"></div>`;
  const range = words.range ?? "all", since = begins(range, data.as_of);
  const history = data.history.filter((alert) => (!since || alert.at >= since) && (!words.severity || alert.severity === words.severity));
  const ruleForm = (route, rule) => () => { if (whyNot(route)) return act(route, "", {}); open({ title: rule ? `Rule “${rule.name}”` : "A rule", kind: "wide", body: html`<${RuleForm} metrics=${pulse.metrics} again=${again} rule=${rule} />` }); };
  return html`<div class="grid">
    <${Panel} wide id="active" title="Firing now" note=${data.enabled ? "The most severe first" : "Alerts are switched off in the settings"} rows=${() => data.active} data=${() => data.active}>
      ${data.active.length ? html`<ul class="alerts">${data.active.map((alert) => html`<li key=${alert.alert_id} class=${`${alert.severity} ${alert.silenced ? "silenced" : ""}`}><div><${Badge} kind=${KINDS[alert.severity]}>${capital(alert.severity)}<//> ${alert.silenced && html`<${Badge} kind="quiet">Silenced<//> `}<strong>${said(alert, pulse.now, zone)}</strong>${firstOf(alert.message)[1] && html`<p class="advice">${firstOf(alert.message)[1]}</p>`}
        <p class="dim">${alert.name} · since ${time(alert.first_at, zone)}, ${span(ageOf(alert.first_at))} · seen ${alert.count === 1 ? "once" : `${alert.count} times`} · told by ${alert.channels.join(", ")}${alert.acknowledged_by ? ` · acknowledged by ${alert.acknowledged_by}${alert.comment ? `: ${alert.comment}` : ""}` : ""}${alert.silenced ? ` · quiet until ${time(alert.silenced.until, zone)}, by ${alert.silenced.by}: ${alert.silenced.reason}` : ""}</p></div>
        <div class="buttons">${!alert.acknowledged_by && routeLike(ACKNOWLEDGE) && html`<${Act} small route=${routeLike(ACKNOWLEDGE)} run=${() => acknowledge(alert)}>Acknowledge<//>`}${alert.raised && !alert.rule_id.startsWith("alert_storm:") && routeLike(RESOLVE) && html`<${Act} small route=${routeLike(RESOLVE)} run=${() => resolve(alert)}>Resolve<//>`}${alert.silenced ? html`<${Act} small route=${UNSILENCE} run=${() => endSilence(alert.silenced, again)}>Unsilence<//>` : routeLike(SILENCE) && html`<${Act} small route=${routeLike(SILENCE)} run=${() => silence(alert)}>Silence<//>`}</div></li>`)}</ul>`
        : html`<${Empty} title="Nothing fires">${data.rules.length} rules watch the book at every assessment.<//>`}<//>
    ${exists("GET /silences") && html`<${Silences} zone=${zone} />`}
    ${(data.warnings.length > 0 || data.undelivered.length > 0) && html`<${Panel} wide id="delivery" title="What can't be heard" note="Rules without a channel, and messages that nobody got" rows=${() => data.undelivered}>
      <ul class="list">${data.warnings.map((text) => html`<li key=${text}><${Badge} kind="warning">Not heard<//> ${text}</li>`)}${data.undelivered.map((one) => html`<li key=${one.alert_id + one.channel}><${Badge} kind="bad">Not delivered<//> ${one.channel}: ${one.reason}</li>`)}</ul><//>`}
    <${Panel} wide id="history" title="History" note=${`${history.length} told, the newest first`} rows=${() => history} data=${() => history} tools=${html`<${Ranges} value=${range} onPick=${(one) => say({ range: one === "all" ? null : one })} />`}>
      ${history.length ? html`<${Table} caption="History of alerts" rows=${history.slice(0, Number(words.shown) || 25)} keyOf=${(row) => row.alert_id + row.at + row.state} columns=${[["at", "At", (row) => html`<time>${time(row.at, zone)}</time>`], ["severity", "", (row) => html`<${Badge} kind=${row.state === "resolved" ? "ok" : KINDS[row.severity]}>${row.state === "resolved" ? "Resolved" : capital(row.severity)}<//>`], ["message", "What", (row) => row.message, "text"], ["state", "Is", (row) => spoken(row.state)], ["channels", "Told by", (row) => row.channels.join(", ")]]} />${history.length > (Number(words.shown) || 25) && html`<p class="more-link"><button type="button" class="quiet" onClick=${() => say({ shown: (Number(words.shown) || 25) + 100 })}>Older ones</button></p>`}` : html`<${Empty} title="Nothing was told">No alert in this range.<//>`}<//>
    <${Panel} wide id="rules" title="Rules" note="Over the words of the vocabulary; the worse ones win" rows=${() => data.rules} data=${() => data.rules} tools=${html`<${Act} small kind="main" route="POST /rules" run=${ruleForm("POST /rules")}>New rule<//>`}>
      <${Table} caption="Rules" rows=${data.rules} keyOf=${(row) => row.rule_id} columns=${[["name", "Rule", (row) => html`<strong>${row.name}</strong>`], ["condition", "Fires when", (row) => html`<code>${row.condition}</code>`], ["severity", "", (row) => html`<${Badge} kind=${KINDS[row.severity]}>${capital(row.severity)}<//>`], ["channels", "Told by", toldBy], ["on", "", (row) => html`${row.enabled ? "" : html`<em>off</em>`}<${Act} small route="PUT /rules/{rule_id}" run=${ruleForm("PUT /rules/{rule_id}", row)}>Edit<//> ${exists("DELETE /rules/{rule_id}") && html`<${Act} small route="DELETE /rules/{rule_id}" run=${() => removeRule(row, again)}>Take out<//>`}`, "n"]]} /><//></div>`;
}
