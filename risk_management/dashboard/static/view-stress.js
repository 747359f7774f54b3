// What the book would lose in every scenario, in one of one's own, and what would break a limit.
import { html, useState } from "./ui.js";
import { send } from "./api.js";
import { useAsked } from "./data.js";
import { capital, money, number, percent, signed, words as spoken } from "./format.js";
import { FiguresOf, useFigures } from "./figures.js";
import { Badge, Empty, Fault, Panel, Table } from "./parts.js";
import { say } from "./place.js";
import { exists, whyNot } from "./session.js";

const LIMITS = ["drawdown", "daily_loss", "var", "leverage", "liquidation"];
const Passed = ({ row }) => (row.critical ? html`<${Badge} kind="bad">critical<//>` : row.passed ? html`<${Badge} kind="ok">within<//>` : html`<${Badge} kind="bad">over<//>`);

function Parts({ row }) {
  const parts = Object.entries(row.by_symbol).map(([symbol, pnl]) => ({ symbol, pnl, ...row.basis?.[symbol] })).sort((x, y) => x.pnl - y.pnl);
  return html`${parts.length ? html`<${Table} caption="Parts" rows=${parts} keyOf=${(one) => one.symbol} columns=${[["symbol", "Name", (one) => html`<strong>${one.symbol}</strong>`], ["pnl", "Profit", (one) => html`<span class=${one.pnl < 0 ? "down" : "up"}>${signed(one.pnl)}</span>`, "n"], ["basis", "Stands on", (one) => html`<em>${one.note || spoken(one.kind ?? "")}</em>`]]} />` : html`<p class="dim">Nothing is held.</p>`}`;
}

function Chosen({ row }) {
  return html`<${Panel} id="scenario" title=${row.name} note=${`${capital(spoken(row.kind))}, ${row.horizon_days} trading days; it ${row.effect === "shown only" ? "is shown only" : row.effect}`} data=${() => row} leans=${[...row.leans_on, ...row.notes]} tools=${html`<button type="button" class="quiet small" onClick=${() => say({ scenario: null })}>Close</button>`}>
    <p class="big ${row.portfolio_pnl < 0 ? "down" : "up"}">${signed(row.portfolio_pnl)} <em>${percent(row.portfolio_pnl_pct)} of equity, limit ${percent(row.limit, 0)}</em></p>
    <${Parts} row=${row} />
    ${row.sources.length > 0 && html`<details><summary>Where the figures come from</summary><ul class="sources">${row.sources.map((one) => html`<li key=${one.figure}>${one.figure}<br /><em>${one.citation}</em></li>`)}</ul></details>`}<//>`;
}

const Worst = ({ row, title }) => html`<div><dt>${title}</dt><dd><button type="button" class="link" onClick=${() => say({ scenario: row.scenario_id })}>${row.name}</button>
  <span class="big down">${money(-row.portfolio_pnl)} <em>${percent(-row.portfolio_pnl_pct)} of equity, ${row.effect === "shown only" ? "shown only" : `allowed ${percent(row.limit, 0)}`}; ${row.horizon_days === 1 ? "in a day" : `in ${row.horizon_days} trading days`}</em></span></dd></div>`;

function Own() {
  const [result, set] = useState(null);
  const [problem, wrong] = useState(null);
  const [lines, setLines] = useState([["", ""]]);
  const why = whyNot("POST /stress/own");
  const submit = async (event) => {
    event.preventDefault();
    const form = new FormData(event.target);
    const market = form.get("market").trim();
    const shocks = Object.fromEntries(lines.filter(([name, move]) => name.trim() && String(move).trim()).map(([name, move]) => [name.trim(), Number(move) / 100]));
    try {
      set(await send("POST", "stress/own", { name: form.get("name").trim() || "my scenario", shocks, ...(market ? { market: Number(market) / 100 } : {}) }));
      wrong(null);
    } catch (refused) { wrong(refused); set(null); }
  };
  const change = (number_, place, value) => setLines((old) => old.map((line, i) => (i === number_ ? line.map((cell, j) => (j === place ? value : cell)) : line)));
  return html`<${Panel} id="own" title="A scenario of your own" note="Nothing is changed by asking" data=${result && (() => result)}>
    <form class="ticket" onSubmit=${submit}><label>Name<input name="name" maxlength="60" placeholder="rates up" /></label>
      <label>Market moves by, % <input name="market" type="number" step="any" min="-100" max="10000" placeholder="-10" /></label>
      ${lines.map(([name, move], i) => html`<div class="pair" key=${i}><label>Symbol, sector or class<input value=${name} onInput=${(event) => change(i, 0, event.target.value)} placeholder="AAPL" /></label><label>Moves by, %<input type="number" step="any" min="-100" max="10000" value=${move} onInput=${(event) => change(i, 1, event.target.value)} placeholder="-25" /></label></div>`)}
      <div class="buttons"><button type="button" class="quiet" onClick=${() => setLines((old) => [...old, ["", ""]])}>One more name</button><button type="submit" class="main" aria-disabled=${why ? "true" : undefined} title=${why || undefined}>Try it</button></div></form>
    ${why && html`<p class="dim">${why}</p>`}${problem && html`<p class="wrong" role="alert">${problem.message}</p>`}
    ${result && html`<div aria-live="polite"><p class="big ${result.portfolio_pnl < 0 ? "down" : "up"}">${signed(result.portfolio_pnl)} <em>${percent(result.portfolio_pnl_pct)} of equity</em></p><${Parts} row=${result} /></div>`}<//>`;
}

function Reverse() {
  const [result, set] = useState(null);
  const [problem, wrong] = useState(null);
  const why = whyNot("POST /stress/reverse");
  const submit = async (event) => {
    event.preventDefault();
    const form = new FormData(event.target);
    try { set(await send("POST", "stress/reverse", { limit: form.get("limit"), horizon_days: Number(form.get("days")) })); wrong(null); } catch (refused) { wrong(refused); set(null); }
  };
  const moves = Object.entries(result?.moves ?? {}).map(([symbol, move]) => ({ symbol, move, part: result.contributions[symbol] }));
  return html`<${Panel} id="reverse" title="What would break a limit" note="The most plausible move of what is held" data=${result && (() => result)} rows=${result && (() => moves)}>
    <form class="ticket row" onSubmit=${submit}><label>Limit<select name="limit">${LIMITS.map((one) => html`<option key=${one} value=${one}>${capital(spoken(one))}</option>`)}</select></label><label>Within, days<input name="days" type="number" min="1" max="250" defaultValue="1" required /></label>
      <button type="submit" class="main" aria-disabled=${why ? "true" : undefined} title=${why || undefined}>Search</button></form>
    ${why && html`<p class="dim">${why}</p>`}${problem && html`<p class="wrong" role="alert">${problem.message}</p>`}
    ${result && html`<div aria-live="polite"><p class="lead">${result.explanation.split("\n")[0]}</p>
      ${moves.length > 0 && html`<${Table} caption="Moves" rows=${moves.slice(0, 12)} keyOf=${(row) => row.symbol} columns=${[["symbol", "Name", (row) => html`<strong>${row.symbol}</strong>`], ["move", "Moves by", (row) => signed(row.move, percent), "n"], ["part", "Costs", (row) => money(row.part), "n"]]} />`}
      ${result.worst_days !== null && html`<p class="dim">${result.worst_days} of ${number(result.observations)} past days would have done it at present volatility.</p>`}</div>`}<//>`;
}

export default function Stress({ words }) {
  const figures = useFigures();
  const { data, problem, again } = useAsked("stress", { every: 6000 });
  if (!data) return problem ? html`<${Fault} problem=${problem} again=${again} />` : html`<div class="waiting tall"><p role="status">Every scenario is computed …</p></div>`;
  const { suite } = data, rows = data.scenarios;
  const chosen = rows.find((row) => row.scenario_id === words.scenario);
  const worst = rows.find((row) => row.scenario_id === suite.worst_case_scenario);
  const gate = worst && rows.find((row) => row.use === "gate" && row.portfolio_pnl < 0);
  const pick = (point) => { const row = rows.find((one) => [point.y, point.label, ...(Array.isArray(point.customdata) ? point.customdata : [point.customdata])].some((word) => word === one.name || word === one.scenario_id)); if (row) say({ scenario: row.scenario_id }); };
  return html`<div class="grid">
    <section class="answer strip">${worst ? html`<p class="lead"><${Badge} kind=${suite.passed ? "ok" : "bad"}>${suite.scenarios_passed} of ${suite.scenarios_tested} within<//>${data.currency} and share of equity that each would cost now.</p>
      <dl class="facts columns two">${gate && html`<${Worst} row=${gate} title="Worst that stops trades" />`}${worst !== gate && html`<${Worst} row=${worst} title="Worst of all" />`}</dl>` : html`<p class="lead">Nothing is held: no scenario costs anything.</p>`}</section>
    ${suite.worst_case_scenario && html`<${FiguresOf} of=${{ view: "stress", version: data.state_version }} names=${["stress", "reverse_stress"]} figures=${figures} leans=${data.data.leans_on} onPick=${pick} every=${6000} rows=${() => rows.map(({ basis, sources, by_symbol, ...row }) => row)} data=${() => data} height=${460} />`}
    ${chosen && html`<${Chosen} row=${chosen} />`}
    ${exists("POST /stress/own") && html`<${Own} />`}${exists("POST /stress/reverse") && html`<${Reverse} />`}
    <${Panel} wide id="scenarios" title="All scenarios" note=${`The largest loss first. Scenarios of one to ten days stop trades that would lose more than ${percent(data.limits.max_stress_loss, 0)} in them; whole crises are shown only, ${percent(data.limits.critical_loss, 0)} is critical`} rows=${() => rows.map(({ basis, sources, by_symbol, ...row }) => row)} data=${() => rows} leans=${data.data.leans_on}>
      ${rows.length ? html`<${Table} caption="Scenarios" rows=${rows} keyOf=${(row) => row.scenario_id} selected=${(row) => row === chosen} onRow=${(row) => say({ scenario: row.scenario_id })} columns=${[
        ["name", "Scenario", (row) => html`<button type="button" class="link" onClick=${(event) => { event.stopPropagation(); say({ scenario: row.scenario_id }); }}>${row.name}</button>`], ["state", "", (row) => html`<${Passed} row=${row} />`],
        ["pnl", "Profit", (row) => html`<span class=${row.portfolio_pnl < 0 ? "down" : "up"}>${signed(row.portfolio_pnl)}</span>`, "n"], ["pct", "of equity", (row) => signed(row.portfolio_pnl_pct, percent), "n"], ["limit", "Allowed", (row) => percent(row.limit, 0), "n"], ["days", "Days", (row) => number(row.horizon_days), "n"], ["effect", "It", (row) => row.effect]]} />`
        : html`<${Empty} title="No scenario">None had ended by this day of the replay.<//>`}<//></div>`;
}
