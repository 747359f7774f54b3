// Every position with its weight, profit and risk; a click on one goes into it.
import { html } from "./ui.js";
import { Act } from "./actions.js";
import { useAsked } from "./data.js";
import { DASH, money, number, percent, signed, time, words as spoken } from "./format.js";
import { Closing } from "./closing.js";
import { canFlatten, flatten, ROUTE } from "./flatten.js";
import { FiguresOf, useFigures } from "./figures.js";
import { Badge, Empty, Fault, Panel, Table } from "./parts.js";
import { say } from "./place.js";

const tone = (value) => (value < 0 ? "down" : value > 0 ? "up" : "");
const GROUPS = ["symbol", "sector", "strategy", "bot", "account"];

function Chosen({ row, zone }) {
  const fact = (name, value) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`;
  return html`<${Panel} id="chosen" title=${`${row.symbol}, ${row.side}`} note=${`${row.bot} · ${row.strategy || "no strategy"} · ${row.account}`} data=${() => row}
      tools=${html`${canFlatten() && html`<${Act} small kind="danger" route=${ROUTE} run=${() => flatten(`symbol:${row.symbol}`, row.symbol)}>Close it all<//>`}<button type="button" class="quiet small" onClick=${() => say({ symbol: null })}>Back</button>`}>
    <dl class="facts columns">${fact("Value", money(row.value))}${fact("Weight", percent(row.weight))}${fact("Profit", html`<span class=${tone(row.pnl)}>${signed(row.pnl)} (${signed(row.pnl_pct, percent)})</span>`)}
      ${fact("Risk", money(row.risk))}${fact("Quantity", number(row.quantity, 4))}${fact("Entry", money(row.entry_price, 2))}${fact("Price", row.price === null ? DASH : money(row.price, 2))}${fact("Price of", time(row.price_time, zone))}
      ${fact("Stop", row.has_stop ? (row.stop_verified ? "stands at the broker" : "not verified") : "none")}${fact("Sector", row.sector)}${fact("Class", spoken(row.asset_class))}${fact("Cluster", row.cluster)}${fact("Opened", time(row.opened_at, zone))}
      ${fact("History", row.has_history ? "its own" : html`<${Badge} kind="unknown">stand-in<//>`)}</dl><//>`;
}

export default function Positions({ words, zone }) {
  const figures = useFigures();
  const { data, problem, again } = useAsked("heatmap");
  if (!data) return problem ? html`<${Fault} problem=${problem} again=${again} />` : html`<div class="waiting tall"></div>`;
  const rows = data.positions, leans = data.data.leans_on;
  const group = GROUPS.includes(words.group) ? words.group : "sector";
  const chosen = rows.filter((row) => row.symbol === words.symbol);
  const shares = Object.entries(data.groups[group] ?? {}).sort((a, b) => Math.abs(b[1]) - Math.abs(a[1]));
  const widest = Math.max(...shares.map(([, share]) => Math.abs(share)), 1e-9);
  const pick = (point) => { const symbol = rows.find((row) => row.symbol === point.label || point.customdata?.includes?.(row.symbol) || String(point.id ?? "").includes(row.symbol))?.symbol; if (symbol) say({ symbol }); };
  return html`<div class="grid"><${Closing} zone=${zone} />
    ${rows.length > 0 && html`<${FiguresOf} of=${{ view: "heatmap", version: data.state_version }} names=${["positions", "heat"]} figures=${figures} leans=${leans} onPick=${pick} rows=${() => rows} data=${() => data} height=${380} />`}
    ${chosen.map((row) => html`<${Chosen} key=${row.symbol + row.bot} row=${row} zone=${zone} />`)}
    <${Panel} wide id="positions" title="Positions" note=${`Largest ${data.largest_position || DASH}; like ${number(data.effective_names, 1)} equal positions`} rows=${() => rows} data=${() => rows} leans=${leans}>
      ${rows.length ? html`<${Table} caption="Positions" rows=${rows} keyOf=${(row) => [row.account, row.symbol, row.strategy, row.bot].join("|")} selected=${(row) => row.symbol === words.symbol} onRow=${(row) => say({ symbol: row.symbol })} columns=${[
        ["symbol", "Symbol", (row) => html`<button type="button" class="link" onClick=${(event) => { event.stopPropagation(); say({ symbol: row.symbol }); }}>${row.symbol}</button> ${row.side === "short" ? html`<em>short</em>` : ""}<em class="phone">${row.bot}</em>`],
        ["value", "Value", (row) => money(row.value), "n"], ["weight", "Weight", (row) => percent(row.weight), "n"],
        ["pnl", "Profit", (row) => html`<span class=${tone(row.pnl)}>${signed(row.pnl)}</span>`, "n"], ["pnl_pct", "%", (row) => html`<span class=${tone(row.pnl)}>${signed(row.pnl_pct, percent)}</span>`, "n"],
        ["risk", "Risk", (row) => money(row.risk), "n"], ["stop", "Stop", (row) => (row.has_stop ? (row.stop_verified ? "at the broker" : html`<${Badge} kind="warning">unverified<//>`) : html`<em>none</em>`)],
        ["sector", "Sector", (row) => row.sector || html`<em>unknown</em>`], ["strategy", "Strategy", (row) => (row.strategy ? spoken(row.strategy) : html`<em>none</em>`)], ["bot", "Bot", (row) => row.bot],
      ]} />` : html`<${Empty} title="Nothing is held">A position shows here when an approved order was filled.<//>`}<//>
    <${Panel} id="groups" title="Shares of equity" rows=${() => shares.map(([name, share]) => ({ name, share }))} data=${() => data.groups}
      tools=${html`<div class="ranges" role="group" aria-label="Grouped by">${GROUPS.map((one) => html`<button type="button" key=${one} aria-pressed=${one === group} onClick=${() => say({ group: one })}>${one}</button>`)}</div>`}>
      ${shares.length ? html`<ul class="shares">${shares.map(([name, share]) => html`<li key=${name}><span>${name || DASH}</span><span class="share"><span style=${{ transform: `scaleX(${Math.abs(share) / widest})` }} class=${share < 0 ? "short" : ""}></span></span><span class="n">${percent(share)}</span></li>`)}</ul>` : html`<${Empty} title="No shares">Nothing is held.<//>`}<//>
    <${Panel} id="approved" title="Approved, not filled" note="Counted at their worst until they are reported" rows=${() => data.reservations} data=${() => data.reservations}>
      ${data.reservations.length ? html`<${Table} caption="Approvals" rows=${data.reservations} keyOf=${(row) => row.request_id} columns=${[["symbol", "Order", (row) => html`<strong>${row.side} ${row.symbol}</strong>`], ["bot", "Bot", (row) => row.bot], ["opening", "Opens", (row) => money(row.opening), "n"], ["closing", "Closes", (row) => money(row.closing), "n"], ["status", "Is", (row) => spoken(row.status)], ["until", "Valid until", (row) => time(row.valid_until, zone)]]} />`
        : html`<${Empty} title="None">Every approval was filled, cancelled or reported.<//>`}<//></div>`;
}
