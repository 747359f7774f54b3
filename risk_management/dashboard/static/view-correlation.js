// What moves together: the matrix, the clusters, the pair that is looked at.
import { html } from "./ui.js";
import { useAsked } from "./data.js";
import { number, percent } from "./format.js";
import { Figure, FiguresOf, useFigures } from "./figures.js";
import { Badge, Empty, Fault, Panel, Table } from "./parts.js";
import { say } from "./place.js";

export default function Correlation({ words }) {
  const figures = useFigures();
  const { data, problem, again } = useAsked("correlation", { every: 3000 });
  if (!data) return problem ? html`<${Fault} problem=${problem} again=${again} />` : html`<div class="waiting tall"></div>`;
  const leans = [...data.data.leans_on, ...data.notes];
  const pairs = data.symbols.flatMap((a, i) => data.symbols.slice(i + 1).map((b, j) => ({ a, b, rho: data.matrix[i][i + 1 + j] }))).sort((x, y) => Math.abs(y.rho ?? 0) - Math.abs(x.rho ?? 0));
  const [a, b] = (words.pair ?? "").split("~");
  const chosen = pairs.find((pair) => (pair.a === a && pair.b === b) || (pair.a === b && pair.b === a));
  const pick = ({ customdata }) => { const [one, other] = String(customdata ?? "").split("~"); if (other && one !== other) say({ pair: `${one}~${other}` }); };
  if (data.symbols.length < 2) return html`<div class="panel"><${Empty} title="Nothing to compare">Correlations are shown of the names that are held; there are fewer than two.<//></div>`;
  return html`<div class="grid">
    <section class="answer strip"><dl class="facts columns"><div><dt>Largest pair</dt><dd>${data.max_pair?.join(" and ") ?? "–"}: ${number(data.max_pairwise_correlation, 2)}</dd></div><div><dt>Average</dt><dd>${number(data.average_correlation, 2)}</dd></div><div><dt>Bets in effect</dt><dd>${number(data.effective_bets, 1)}</dd></div><div><dt>Volatility against its median</dt><dd>×${number(data.volatility_ratio, 2)}</dd></div>
      <div><dt>Spike</dt><dd>${data.spike ? html`<${Badge} kind="bad">spike<//> <span class="plain">${data.spike.explanation}</span>` : html`<${Badge} kind="ok">none<//>`}</dd></div></dl></section>
    <${FiguresOf} of=${{ view: "correlation", version: data.state_version }} names=${["correlation"]} figures=${figures} leans=${leans} onPick=${pick} every=${5000} rows=${() => pairs} data=${() => data} height=${440} />
    ${chosen ? html`<${Figure} key=${`${chosen.a}~${chosen.b}`} figure=${{ name: "pair", title: `${chosen.a} and ${chosen.b} over time` }} query=${`&pair=${encodeURIComponent(`${chosen.a}~${chosen.b}`)}`} every=${5000} data=${() => chosen} height=${300} extra=${html`<button type="button" class="quiet small" onClick=${() => say({ pair: null })}>Close</button>`} />`
      : html`<${Panel} id="pair-hint" title="One pair over time"><${Empty} title="Pick a pair">A cell of the matrix, or a row of the pairs, shows how the two moved together over the years.<//><//>`}
    <${Panel} id="clusters" title="Clusters" note=${`Names that move as one, from ${data.limits.cluster_threshold} on; allowed are ${percent(data.limits.max_cluster_exposure, 0)} of equity in one`} rows=${() => data.clusters} data=${() => data.clusters}>
      <${Table} caption="Clusters" rows=${data.clusters} keyOf=${(row) => row.label} columns=${[["symbols", "Names", (row) => row.symbols.join(", ")], ["net", "Net", (row) => percent(row.net), "n"], ["gross", "Gross", (row) => percent(row.gross), "n"], ["max", "Largest", (row) => number(row.max_correlation, 2), "n"]]} /><//>
    <${Panel} id="pairs" title="Pairs" note="The strongest first" rows=${() => pairs} data=${() => pairs}>
      <${Table} caption="Pairs" rows=${pairs.slice(0, 15)} keyOf=${(row) => row.a + row.b} selected=${(row) => row === chosen} onRow=${(row) => say({ pair: `${row.a}~${row.b}` })} columns=${[["pair", "Pair", (row) => html`<button type="button" class="link" onClick=${(event) => { event.stopPropagation(); say({ pair: `${row.a}~${row.b}` }); }}>${row.a} – ${row.b}</button>`], ["rho", "Correlation", (row) => html`${number(row.rho, 2)} ${row.rho >= data.limits.warning_pair ? html`<${Badge} kind="warning">high<//>` : ""}`, "n"]]} /><//></div>`;
}
