// A figure of the server, shown by plotly.js, which is loaded with the first view that draws.
import { html, useEffect, useRef, useState } from "./ui.js";
import { plotlyAt } from "./api.js";
import { useAsked } from "./data.js";
import { theme, onTheme } from "./look.js";
import { Fault } from "./parts.js";

let loading = null;
const settings = { displaylogo: false, showSendToCloud: false, responsive: true, displayModeBar: false };

function plotly() {
  loading ??= new Promise((done, failed) => {
    const script = Object.assign(document.createElement("script"), { src: plotlyAt, onload: () => done(window.Plotly) });
    script.onerror = () => { loading = null; failed(new Error("plotly.js could not be loaded")); };
    document.head.append(script);
  });
  return loading;
}

plotly().catch(() => {}); // while the view asks for its numbers; who draws tells what failed

export function useTheme() {
  const [name, set] = useState(theme());
  useEffect(() => onTheme(set), []);
  return name;
}

// `since` cuts the time axes; `onPick` is told the point that is clicked; `take` gets a function that saves a PNG.
export function Chart({ name, label, height = 320, every = 1000, since, onPick, take, told, state, query = "" }) {
  const box = useRef(null);
  const look = useTheme();
  const { data, problem, again } = useAsked(`figures/${encodeURIComponent(name)}?theme=${look}${query}`, state === undefined ? { every } : { follow: false, state });
  const [failed, setFailed] = useState(null);
  const picked = useRef(onPick);
  picked.current = onPick;
  useEffect(() => {
    if (!data) return undefined;
    told?.(data.layout.meta);
    let gone = false;
    plotly().then(async (Plotly) => {
      if (gone || !box.current) return;
      const layout = { ...data.layout, uirevision: "kept", autosize: true, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)" };
      delete layout.width;
      if (matchMedia("(prefers-reduced-motion: reduce)").matches) delete layout.transition;
      if (since !== undefined) for (const key of Object.keys(layout)) {
        if (/^xaxis\d*$/.test(key) && layout[key].type !== "category") layout[key] = { ...layout[key], ...(since ? { range: [since, null], autorange: "max" } : { autorange: true }) };
      }
      const fresh = !box.current.data;
      await Plotly.react(box.current, data.data, layout, settings);
      if (fresh && box.current) box.current.on("plotly_click", (event) => picked.current?.(event.points[0]));
      if (box.current && fresh) box.current.dataset.drawnAt = Math.round(performance.now()); // read by bench.viewers
      box.current?.setAttribute("data-drawn", name);
    }).catch((error) => { if (!gone) setFailed(error); });
    return () => { gone = true; };
  }, [data, since]);
  useEffect(() => () => { if (box.current?.data) window.Plotly.purge(box.current); }, []);
  if (take) take.current = () => {
    const { layout } = box.current, margin = { ...layout.margin, t: (layout.margin?.t ?? 40) + 40 };
    const ground = getComputedStyle(document.documentElement).getPropertyValue("--panel").trim();
    const title = { text: data.layout.meta?.finding ?? label, x: 0.02, xanchor: "left", font: { size: 15 } };
    window.Plotly.downloadImage({ data: box.current.data, layout: { ...layout, title, margin, paper_bgcolor: ground, plot_bgcolor: ground, height: (layout.height ?? height) + 40 } }, { format: "png", scale: 2, filename: `risk-${name}`, width: box.current.clientWidth, height: (layout.height ?? height) + 40 });
  };
  const tall = data?.layout?.height ?? height;
  return html`<div class="chart" style=${{ minHeight: `${tall}px` }}>
    ${(problem || failed) && !data && html`<${Fault} problem=${problem ?? { message: failed.message }} again=${again} />`}
    ${!data && !problem && html`<div class="waiting" aria-hidden="true"></div>`}
    <div ref=${box} role="img" aria-label=${label} class="plot"></div></div>`;
}
