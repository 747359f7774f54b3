// Am I safe, what is wrong, what has the system done, what can I do.
import { html } from "./ui.js";
import { Controls, dangers, Act } from "./actions.js";
import { told, outcome, TOLD } from "./activity.js";
import { Closing } from "./closing.js";
import { useAsked } from "./data.js";
import { amount, capital, clock, money, percent, time, whom, words as spoken } from "./format.js";
import { canFlatten, flatten, ROUTE } from "./flatten.js";
import { FiguresOf, useFigures } from "./figures.js";
import { Badge, Bar, Empty, Fault, Panel } from "./parts.js";
import { address } from "./place.js";
import { Outcome, why } from "./why.js";
import { wrongs } from "./verdict.js";

const SIGN = { bad: "bad", warning: "warning", unknown: "unknown" };

function Wrong({ pulse, tz }) {
  const all = wrongs(pulse);
  return html`<section class="answer" aria-labelledby="q-wrong"><h2 id="q-wrong">What is wrong</h2>
    ${all.length === 0 ? html`<p class="calm"><${Badge} kind="ok">Nothing<//> Every limit, feed and bot is as it should be.</p>`
      : html`<ul class="list">${all.slice(0, 6).map((one) => html`<li key=${one.text}><${Badge} kind=${SIGN[one.level]}>${{ bad: "Act", warning: "Watch", unknown: "Old" }[one.level]}<//> <a class="clamp" title=${one.text} href=${one.to === "feeds" ? "#feeds" : address(one.to, tz)} onClick=${one.to === "feeds" ? (event) => { event.preventDefault(); document.querySelector("#feeds button").click(); scrollTo(0, 0); } : undefined}>${one.text}</a></li>`)}
      ${all.length > 6 && html`<li class="dim">and ${all.length - 6} more</li>`}</ul>`}</section>`;
}

function Doing({ pulse, entries, problem, zone }) {
  const wide = pulse.holds.filter((hold) => hold.scope === "portfolio"), narrow = pulse.holds.filter((hold) => hold.scope !== "portfolio");
  const told_ = (text) => wide.find((hold) => text.includes(hold.reason));  // a stop that is told above is not told again
  const holds = [...wide.filter((hold) => !pulse.status.blocked_by.some((text) => text.includes(hold.reason))), ...narrow.slice(0, 3)];
  return html`<section class="answer" aria-labelledby="q-done"><h2 id="q-done">What the system has done</h2>
    ${pulse.status.blocked_by.length > 0 && html`<div class="blocked"><strong>New trades are stopped</strong><ul>${pulse.status.blocked_by.map((text) => html`<li key=${text}>${capital(text)}${told_(text) && html` <em>by ${told_(text).actor}, ${time(told_(text).since, zone).slice(5, 16)}</em>`}</li>`)}</ul></div>`}
    ${holds.length > 0 && html`<ul class="list">${holds.map((hold) => html`<li key=${hold.scope + hold.name + hold.cause}><${Badge} kind=${hold.mode === "halted" ? "bad" : "warning"}>${capital(hold.mode)}<//> <span class="clamp" title=${hold.reason}><strong>${capital(whom(hold.scope, hold.name))}</strong>, by ${hold.actor} at ${clock(hold.since, zone)}: ${hold.reason}</span>
      ${hold.scope !== "portfolio" && html`<${Act} small route="POST /mode" run=${() => dangers.scope(hold.scope, hold.name)}>Let it trade<//>`}</li>`)}${narrow.length > 3 && html`<li class="dim">and ${narrow.length - 3} more</li>`}</ul>`}
    ${pulse.drawdown?.position_size_multiplier < 1 && html`<p>New positions stand at ×${pulse.drawdown.position_size_multiplier} of their size: the drawdown is ${percent(pulse.status.drawdown)}, in ${pulse.drawdown.tier_name}.</p>`}
    ${entries?.length ? html`<ol class="trail">${entries.slice(0, holds.length > 2 ? 3 : 6).map((entry) => { const [text, kind] = told(entry); return html`<li key=${entry.seq} class=${kind}><time>${time(entry.at, zone).slice(5, 16)}</time><span>${text}<em> · ${entry.actor}</em></span></li>`; })}</ol>`
      : problem ? html`<p class="dim">${problem.code === "NO_STORE" ? "This book keeps no journal; name a store and what happens is told here." : problem.status === 401 ? "Sign in to read what was done." : problem.message}</p>`
      : holds.length === 0 && html`<p class="calm"><${Badge} kind="ok">Nothing<//> No stop, cut or release was needed.</p>`}</section>`;
}

function Limits({ pulse, tz }) {
  const rows = pulse.limits.slice(0, 7);
  return html`<${Panel} id="limits" title="Nearest limits" note=${`${pulse.limits.length} limits; the darker end begins at 80 %`} rows=${() => pulse.limits} data=${() => pulse.limits} leans=${pulse.data.leans_on}>
    <ul class="headroom">${rows.map((row) => html`<li key=${row.name + row.subject}><span class="what">${capital(spoken(row.name))}${row.about && html`<em>${row.about}</em>`}</span>
      <${Bar} use=${row.use} level=${row.level} label=${spoken(row.name)} /><span class="n">${amount(row.used, row.unit)} <em>of ${amount(row.limit, row.unit)}</em></span></li>`)}</ul>
    <p class="more-link"><a href=${address("limits", tz)}>All limits</a></p><//>`;
}

function Decisions({ zone, tz }) {
  const { data, problem, again } = useAsked("audit/search?kinds=TradeDecided&limit=8");
  const rows = (data?.entries ?? []).map((entry) => ({ seq: entry.seq, at: entry.at, ...entry.body.decision }));
  return html`<${Panel} id="decisions" title="Latest decisions" note="A row tells why" rows=${() => rows.map(({ findings, ...row }) => row)} data=${() => rows}>
    ${problem && !data ? html`<${Fault} problem=${problem} again=${again} />` : data && rows.length === 0 ? html`<${Empty} title="No order was asked yet">Give a bot a token (risk token create --bot NAME), or <a href=${address("whatif", tz)}>try an order</a>: nothing is sent.<//>`
      : html`<ul class="decisions">${rows.map((row) => html`<li key=${row.seq}><button type="button" onClick=${() => why(row.request_id, zone)}>
        <time>${time(row.at, zone).slice(5, 16)}</time><${Outcome} of=${outcome(row)} /><span class="what"><strong>${row.action} ${row.symbol}</strong><em>${row.bot_name || "account"}</em></span>
        <span class="n">${money(row.recommended_size)} <em>of ${money(row.requested_size)}</em></span><span class="ask-why">why?</span></button></li>`)}</ul>`}<//>`;
}

export default function Overview({ pulse, zone, words }) {
  const tz = { tz: words.tz };
  const figures = useFigures();
  const { data, problem } = useAsked(`audit/search?kinds=${TOLD.join(",")}&limit=8`);
  const isEmpty = pulse.positions === 0 && pulse.pending === 0;
  return html`<${Closing} zone=${zone} /><div class="answers"><${Wrong} pulse=${pulse} tz=${tz} /><${Doing} pulse=${pulse} entries=${data?.entries} problem=${problem} zone=${zone} />
      <section class="answer" aria-labelledby="q-can"><h2 id="q-can">What you can do</h2><${Controls} status=${pulse.status}>${canFlatten() && pulse.positions > 0 && html`<${Act} route=${ROUTE} run=${() => flatten()}>Flatten …<//>`}<//>
        <dl class="facts"><div><dt>Held</dt><dd>${pulse.positions} positions, ${money(pulse.exposure)}</dd></div><div><dt>Approved, not filled</dt><dd>${pulse.pending}</dd></div>
          <div><dt>Cash</dt><dd>${money(pulse.metrics.cash)}</dd></div><div><dt>Worst stress, in 10 days</dt><dd>${percent(pulse.metrics.stress_loss)} of equity</dd></div></dl></section></div>
    ${isEmpty && html`<div class="panel hint"><${Empty} title="Nothing is held yet">Bots ask this system before each order, and what it approves shows here. To see it alive: risk demo --serve. To bring what you hold: risk token create --scope operate, then POST positions.<//></div>`}
    <div class="grid"><${Limits} pulse=${pulse} tz=${tz} /><${Decisions} zone=${zone} tz=${tz} />
      <${FiguresOf} names=${["equity", "drawdown", "decisions"]} figures=${figures} ranged newest=${pulse.as_of} leans=${pulse.data.leans_on} every=${2000} /></div>`;
}
