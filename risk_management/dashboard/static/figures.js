// All figures that the server draws of one view, each in its panel, in the server's order.
import { html, useRef, useState } from "./ui.js";
import { Chart } from "./chart.js";
import { useAsked } from "./data.js";
import { begins, Panel, Ranges } from "./parts.js";
import { place, say } from "./place.js";

export function useFigures() {
  const { data } = useAsked("figures", { follow: false });
  return data?.figures ?? null;
}

// `figure` is one of `useFigures`; time charts get a range, which stands in the address. `of` is the view that
// stands beside it, {view, version}: a figure of the same view is then of the same state.
export function Figure({ figure, every, data, rows, height, onPick, leans, ranged, wide, newest, of, query, extra }) {
  const take = useRef(null);
  const [, turn] = useState(0);
  const [meta, told] = useState(null);
  const range = place().words.range ?? "all";
  const tools = extra ?? (ranged && html`<${Ranges} value=${range} onPick=${(one) => { say({ range: one === "all" ? null : one }); turn((n) => n + 1); }} />`);
  return html`<${Panel} id=${`figure-${figure.name}`} title=${figure.title} note=${meta?.units} leans=${meta ? null : leans} rows=${rows} data=${data} png=${() => take.current?.()} tools=${tools} wide=${wide}>
    <p class="finding">${meta?.finding ?? " "}</p>
    <${Chart} name=${figure.name} label=${figure.title} every=${every} height=${height} onPick=${onPick} take=${take} query=${query} state=${of && of.view === figure.view ? of.version : undefined} since=${ranged ? begins(range, newest) : undefined} told=${told} />
    ${meta?.notes?.length > 0 && html`<p class="leans">${meta.notes.join(" ")}</p>`}<//>`;
}

// Those of `names` that the server draws for whoever looks.
export const FiguresOf = ({ names, figures, ...rest }) =>
  names.map((name) => (figures ?? []).find((one) => one.name === name)).filter(Boolean).map((one) => html`<${Figure} key=${one.name} figure=${one} ...${rest} />`);
