// One row of vital signs on every view, with the verdict before it and the age of all that it stands on.
import { html, useState } from "./ui.js";
import { amount, capital, clock, money, number, percent, signed, span, time, together, words as spoken } from "./format.js";
import { ageOf } from "./live.js";
import { address } from "./place.js";
import { Badge } from "./parts.js";

const MODES = { active: "ok", reducing: "warning", halted: "bad" };

// The mode as it is for the bots: a book that is active while each of them is held or off lets nobody open.
function modeOf({ status, bots }) {
  if (status.mode === "active" && bots.known > 0 && bots.may_open === 0) return { word: "Held", kind: "warning", more: "no bot may open", level: "warning" };
  const more = !status.new_trades_allowed ? "nothing opens" : bots.may_open < bots.known ? `${bots.may_open} of ${bots.known} may open` : "trades pass";
  return { word: capital(status.mode), kind: MODES[status.mode], more, level: status.mode === "active" ? (status.new_trades_allowed ? "" : "warning") : MODES[status.mode] };
}
const ALL_WORD = "Everything";

function Vital({ name, value, more, level, title, to }) {
  return html`<div class=${`vital ${level ?? ""}`} title=${title}><dt>${name}</dt><dd>${to ? html`<a href=${to}>${value}</a>` : value}</dd>${more && html`<dd class="more">${more}</dd>`}</div>`;
}

const grade = (value, warn, bad) => (value === null || value === undefined ? "unknown" : value >= bad ? "bad" : value >= warn ? "warning" : "");

// "single_name (AAPL)" as "AAPL, single name": what drives it first, since the line is short.
function driver(text) {
  if (!text || text === "nothing") return "of 100";
  const found = /^(\S+) \((.+)\)$/.exec(text);
  return found ? `${found[2]}, ${spoken(found[1])}` : spoken(text);
}

export function Vitals({ state, said, quiet, words }) {
  const { pulse } = state;
  const tz = { tz: words.tz };
  const zone = words.tz === "local" ? "local" : "utc";
  if (!pulse) return html`<section class="vitals unknown" aria-label="Vital signs"><${Verdict} said=${said} /></section>`;
  const s = pulse.status, day = pulse.day, mode = modeOf(pulse);
  return html`<section class=${`vitals ${said.level} ${quiet ? "old" : ""}`} aria-label="Vital signs">
    <${Verdict} said=${said} />
    <dl>
      <${Vital} name="Equity" value=${money(s.equity)} more=${html`<span class=${day.pnl < 0 ? "down" : "up"}>${signed(day.pnl)} today</span>`} level=${s.equity === null ? "unknown" : ""} title=${`In ${pulse.currency}; today began ${day.began}`} />
      <${Vital} name="Score" value=${number(s.score)} more=${driver(s.score_driver)} level=${grade(s.score, 80, 95)} title="Largest use of any hard limit, of 100; higher is worse" to=${address("limits", tz)} />
      <${Vital} name="Heat" value=${number(s.portfolio_heat)} more="of 100" level=${grade(s.portfolio_heat, 60, 95)} title="Open risk over its budget" to=${address("heatmap", tz)} />
      <${Vital} name="Drawdown" value=${percent(s.drawdown)} more=${pulse.drawdown?.next_tier_at ? `next at ${percent(pulse.drawdown.next_tier_at, 0)}` : pulse.drawdown?.tier_name} level=${s.position_multiplier === 0 ? "bad" : s.position_multiplier < 1 ? "warning" : s.drawdown === null ? "unknown" : ""} title="Fall from the high-water mark" />
      <${Vital} name="VaR used" value=${percent(s.var_utilization, 0)} more=${`${percent(pulse.metrics.var_95, 2)} a day`} level=${grade(s.var_utilization, 0.8, 0.95)} title="One-day VaR at 95 % over its limit" to=${address("var", tz)} />
      <${Vital} name="Size" value=${s.position_multiplier === null ? "–" : `×${number(s.position_multiplier, 2)}`} more="new trades" level=${s.position_multiplier === 0 ? "bad" : s.position_multiplier < 1 ? "warning" : ""} title="Position multiplier of the drawdown" />
      <${Vital} name="Mode" value=${html`<${Badge} kind=${mode.kind}>${mode.word}<//>`} more=${mode.more} level=${mode.level} title="Of the portfolio, and who of the bots may open a position" to=${mode.word === "Held" ? address("bots", tz) : undefined} />
    </dl>
    <${Feeds} state=${state} quiet=${quiet} zone=${zone} />
  </section>`;
}

function Verdict({ said }) {
  const signs = { good: "✓", warning: "!", bad: "✕", unknown: "?" };
  return html`<div class=${`verdict ${said.level}`} role="status"><span class="verdict-sign" aria-hidden="true">${signs[said.level]}</span>
    <p><strong>${said.word}</strong><span>${said.text}</span></p></div>`;
}

// Every feed with its age; more on a click. No green on old data.
function Feeds({ state, quiet, zone }) {
  const [open, set] = useState(false);
  const { pulse } = state;
  const old = pulse.feeds.filter((feed) => feed.stale.length);
  const heardAgo = (performance.now() - state.heard) / 1000;
  const way = { live: "Live", asking: "Asking every 2 s", connecting: "Connecting" }[state.way];
  return html`<div class="feeds" id="feeds"><button type="button" class="quiet" aria-expanded=${open} onClick=${() => set(!open)}>
    ${quiet ? html`<${Badge} kind="unknown">STALE<//> last heard ${span(heardAgo)} ago` : html`<span class="pulse" aria-hidden="true"></span>${way}`}
    ${pulse.feeds.map((feed) => html`<span class="feed" key=${feed.kind + feed.name}>${feed.name} ${feed.stale.length ? html`<${Badge} kind="unknown">STALE<//>` : html`<span class="age">${span(ageOf(feed.newest))}</span>`}</span>`)}
    ${pulse.data.leans_on.length > 0 && html`<span class="feed lean">${pulse.data.leans_on.length === 1 ? pulse.data.leans_on[0] : `${pulse.data.leans_on.length} things lean on stand-ins`}</span>`}
    ${old.length > 0 && html`<span class="hidden">${old.length} feeds are stale</span>`}</button>
    ${open && html`<div class="feed-list"><table><caption class="hidden">Age of every feed</caption><thead><tr><th scope="col">Feed</th><th scope="col" class="n">Names</th><th scope="col" class="n">Newest</th><th scope="col" class="n">Age</th><th scope="col" class="n">Allowed</th><th scope="col">Stale</th></tr></thead><tbody>
      <tr><td>this page</td><td class="n"></td><td class="n">${clock(pulse.now, zone)}</td><td class="n">${span(heardAgo)}</td><td class="n">20 s</td><td>${quiet ? ALL_WORD : "none"}</td></tr>
      ${pulse.feeds.map((feed) => html`<tr key=${feed.kind + feed.name}><td>${feed.name}</td><td class="n">${feed.symbols}</td><td class="n">${time(feed.newest, zone)}</td><td class="n">${span(ageOf(feed.newest))}</td><td class="n">${amount(feed.allowed, "seconds")}</td><td>${feed.stale.length ? (feed.stale.includes("all") ? ALL_WORD : feed.stale.join(", ")) : "none"}</td></tr>`)}
    </tbody></table>${pulse.data.leans_on.length > 0 && html`<p class="leans"><span>Leans on</span> ${together(pulse.data.leans_on)}</p>`}</div>`}</div>`;
}
