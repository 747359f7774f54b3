// Why an order was approved, cut or refused: every check with its number, its limit and the size that would pass.
import { html } from "./ui.js";
import { useAsked } from "./data.js";
import { open } from "./dialog.js";
import { amount, capital, money, number, percent, time, together, words } from "./format.js";
import { Badge, Fault } from "./parts.js";

const OUTCOMES = { approved: "ok", cut: "warning", refused: "bad" };
export const Outcome = ({ of }) => html`<${Badge} kind=${OUTCOMES[of] ?? "info"}>${capital(of)}<//>`;

const BOUNDLESS = 1e11; // nobody's order: it bounds nothing
const known = (value) => value !== null && value !== undefined && value < BOUNDLESS;
const SIZES = ["DRAWDOWN_LIMIT", "SCALED_DOWN"];

// What it was held against: a limit; of a drawdown the tier, and the size that it leaves a new position.
function Against({ finding }) {
  if (!SIZES.includes(finding.code)) return html`<dt>Limit</dt><dd>${known(finding.limit) ? amount(finding.limit, finding.unit) : "–"}</dd>`;
  const size = finding.limit >= 1 ? "full size" : `size ×${number(finding.limit, 2)}`;
  if (!known(finding.tier)) return html`<dt>Leaves</dt><dd>${size}</dd>`;
  return html`<dt>${finding.limit >= 1 ? "First tier" : "Tier"}</dt><dd>${percent(finding.tier, 2)}<em class="under">${size}</em></dd>`;
}

function Row({ finding, isBinding, bites }) {
  return html`<li class=${bites ? "bites" : ""}><div title=${finding.code}><strong>${capital(words(finding.check))}</strong>${isBinding && html` <${Badge} kind="bad">binding<//>`}
    ${bites ? html`<p>${capital(finding.message)}.</p>` : null}</div>
    <dl><div><dt>Measured</dt><dd>${known(finding.measured) ? amount(finding.measured, finding.unit) : "–"}</dd></div>
      <div><${Against} finding=${finding} /></div>
      <div><dt>Would pass</dt><dd>${known(finding.cap) ? (finding.cap < 0.005 ? "nothing" : money(finding.cap)) : "any size"}</dd></div></dl></li>`;
}

export function Decision({ said, zone }) {
  const opening = said.requested_size - said.closing_size;
  const binding = said.binding?.code;
  const bites = (one) => (one.passed === undefined ? one.cap !== null && one.cap < opening - 1e-6 : !one.passed);
  const findings = said.findings ?? [];
  const held = findings.filter(bites).sort((a, b) => (b.code === binding) - (a.code === binding) || (a.cap ?? Infinity) - (b.cap ?? Infinity));
  // where nothing was left to judge, what is about the rest (the smallest order) was not reached
  const isUnreached = (one) => held.length > 0 && one.code === "MIN_TRADE_SIZE" && one.cap === 0;
  const passed = findings.filter((one) => !bites(one) && !isUnreached(one));
  const unreached = findings.filter((one) => !bites(one) && isUnreached(one));
  return html`<div class="why"><p class="lead"><${Outcome} of=${said.outcome} /> <strong>${said.action} ${said.symbol}</strong> for ${said.bot_name || "the account"}: asked ${money(said.requested_size)}, ${said.recommended_size > 0 ? `given ${money(said.recommended_size)}` : "nothing given"}${said.closing_size > 0 ? `, ${money(said.closing_size)} of it closes` : ""}.</p>
    <p class="dim">${time(said.decided_at, zone)} · ${said.request_id} · price ${said.price ?? "–"}${said.status ? ` · now ${said.status}` : ""}${said.shadow ? " · shadow mode: nothing was blocked" : ""}</p>
    ${held.length > 0 ? html`<h3>What held it back</h3><ul class="findings">${held.map((one) => html`<${Row} key=${one.check + one.subject} finding=${one} isBinding=${one.code === binding && one === held[0]} bites />`)}</ul>`
      : said.binding && !findings.length ? html`<ul class="findings"><${Row} finding=${said.binding} isBinding bites /></ul>` : html`<p>No check held it back.</p>`}
    ${passed.length > 0 && html`<details><summary>${passed.length} ${passed.length === 1 ? "check" : "checks"} passed${unreached.length ? `, ${unreached.length} not reached` : ""}</summary><ul class="findings quiet">${[...passed, ...unreached].map((one) => html`<${Row} key=${one.check + one.subject} finding=${one} />`)}</ul></details>`}
    ${said.leans_on?.length > 0 && html`<p class="leans"><span>Leans on</span> ${together(said.leans_on)}</p>`}</div>`;
}

function Asked({ id, zone }) {
  const { data, problem, again } = useAsked(`trades/${encodeURIComponent(id)}`, { follow: false });
  if (problem) return html`<${Fault} problem=${problem} again=${again} />`;
  return data ? html`<${Decision} said=${data} zone=${zone} />` : html`<p class="dim">Asking …</p>`;
}

export const why = (id, zone) => open({ title: "Why?", kind: "wide", body: html`<${Asked} key=${id} id=${id} zone=${zone} />` });
