// What a bad day costs: by every method, by part, and whether the forecast held.
import { html } from "./ui.js";
import { useAsked } from "./data.js";
import { capital, money, number, percent, words as spoken } from "./format.js";
import { FiguresOf, useFigures } from "./figures.js";
import { Badge, Bar, Empty, Fault, Panel, Table } from "./parts.js";
import { say } from "./place.js";

const ZONES = { green: "ok", yellow: "warning", red: "bad" };
const PARTS = ["symbol", "strategy", "bot", "sector"];

export default function Var({ words, pulse }) {
  const figures = useFigures();
  const { data, problem, again } = useAsked("var", { every: 6000 });
  if (!data) return problem ? html`<${Fault} problem=${problem} again=${again} />` : html`<div class="waiting tall"><p role="status">Ten methods are computed; this may take a few seconds …</p></div>`;
  const rows = Object.entries(data.total_var).map(([key, one]) => ({ key, ...one }));
  const confidences = [...new Set(rows.map((row) => row.confidence))].sort(), horizons = [...new Set(rows.map((row) => row.horizon))].sort((x, y) => x - y);
  const confidence = confidences.includes(Number(words.confidence)) ? Number(words.confidence) : data.headline.confidence;
  const horizon = horizons.includes(Number(words.days)) ? Number(words.days) : data.headline.horizon;
  const shown = rows.filter((row) => row.confidence === confidence && row.horizon === horizon);
  const part = PARTS.includes(words.by) ? words.by : "symbol";
  const leans = [...data.data.leans_on, ...data.notes];
  const choose = (name, values, value, write) => html`<div class="ranges" role="group" aria-label=${name}>${values.map((one) => html`<button type="button" key=${one} aria-pressed=${one === value} onClick=${() => write(one)}>${name === "Confidence" ? percent(one, one * 100 % 1 ? 1 : 0) : name === "Days" ? `${one} d` : one}</button>`)}</div>`;
  return html`<div class="grid">
    <section class="answer strip"><p class="lead">${pulse.positions ? data.explanation.split("\n")[0] : "Nothing is held: nothing can be lost."}</p>
      <ul class="headroom">${data.gate.limits.map((row) => html`<li key=${row.name}><span class="what">${capital(spoken(row.name))}<em>${row.hard ? "hard" : "soft"} limit${data.pending ? html`, with ${data.pending === 1 ? "the approved order" : `the ${data.pending} approved orders`} at the worst` : ""}</em></span><${Bar} use=${row.use} level=${row.level} label=${spoken(row.name)} /><span class="n">${percent(row.used, 2)} <em>of ${percent(row.limit, 2)}</em></span></li>`)}</ul></section>
    <${FiguresOf} of=${{ view: "var", version: data.state_version }} names=${["var_methods", "distribution", "var_components", "var_backtest"]} figures=${figures} leans=${leans} every=${6000} rows=${() => rows} data=${() => data} />
    <${Panel} wide id="methods" title="By method, side by side" note=${`The gate uses ${spoken(data.gate.method)}`} rows=${() => rows} data=${() => data.total_var} leans=${leans}
        tools=${html`${choose("Confidence", confidences, confidence, (one) => say({ confidence: one }))}${choose("Days", horizons, horizon, (one) => say({ days: one }))}`}>
      <${Table} caption="VaR by method" rows=${shown} keyOf=${(row) => row.key} selected=${(row) => row.method === data.gate.method} columns=${[
        ["method", "Method", (row) => html`<strong>${capital(spoken(row.method))}</strong>`], ["var", "VaR", (row) => money(row.var_value), "n"], ["pct", "of equity", (row) => percent(row.var_pct, 2), "n"], ["es", "Expected shortfall", (row) => money(row.es_value), "n"],
        ["window", "Days seen", (row) => number(row.observations), "n"], ["se", "± 1 SE", (row) => money(row.standard_error), "n"], ["coverage", "Covers", (row) => percent(row.coverage, 0), "n"],
        ["status", "", (row) => (row.status === "ok" ? html`<em>${row.horizon_rule === "square_root_of_time" ? "root of time" : ""}</em>` : html`<${Badge} kind="unknown">${row.note || spoken(row.status)}<//>`)]]} /><//>
    <${Panel} id="components" title="Where it comes from" note="Shares of VaR; they sum to the whole" rows=${() => data.components[part]} data=${() => data.components} tools=${choose("By", PARTS, part, (one) => say({ by: one }))}>
      ${data.components[part].length ? html`<${Table} caption="Components" rows=${data.components[part].slice(0, 20)} keyOf=${(row) => row.name} columns=${[["name", "Part", (row) => html`<strong>${row.name || "–"}</strong>`], ["share", "Share", (row) => percent(row.share, 0), "n"], ["component", "VaR", (row) => money(row.component_var), "n"], ["incremental", "Without it", (row) => html`${money(-row.incremental_var)}`, "n"], ["exposure", "Exposure", (row) => money(row.exposure), "n"]]} />` : html`<${Empty} title="No parts">Nothing is held.<//>`}<//>
    <${Panel} id="backtest" title="Did the forecast hold?" note=${`${data.backtest.days} days of this book`} rows=${() => data.backtest.outcomes} data=${() => data.backtest}>
      <p><${Badge} kind=${ZONES[data.backtest.zone] ?? "info"}>${data.backtest.zone} zone<//> ${data.backtest.exceptions} losses passed the VaR that was forecast for their day; it counts ×${number(data.backtest.multiplier, 2)} against its limits.</p>
      ${data.backtest.outcomes.length ? html`<${Table} caption="Exceptions" rows=${data.backtest.outcomes.filter((one) => -one.actual > one.var && one.var > 0).slice(-8).reverse()} keyOf=${(row) => row.day} columns=${[["day", "Day", (row) => row.day], ["var", "Forecast", (row) => percent(row.var, 2), "n"], ["actual", "Loss", (row) => percent(-row.actual, 2), "n"]]} />` : html`<${Empty} title="No day is over yet">Each trading day is held against the forecast made before it.<//>`}<//></div>`;
}
