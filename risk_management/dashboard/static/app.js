// The shell: vital signs on top, a view below, and what is the same everywhere.
import { html, render, useEffect, useState, useRef } from "./ui.js";
import { version } from "./api.js";
import { useLive, useSecond } from "./data.js";
import { Dialogs, Toasts, close, open } from "./dialog.js";
import { isQuiet, live, start } from "./live.js";
import { theme, turn } from "./look.js";
import { address, go, say, usePlace, zoneOf } from "./place.js";
import { look, onSession, session } from "./session.js";
import { signIn, Who } from "./signin.js";
import { verdict } from "./verdict.js";
import { Vitals } from "./vitals.js";
import { Empty, Fault } from "./parts.js";
import { Help } from "./help.js";
import { Act, dangers } from "./actions.js";

// The name of a view, its heading, the key that goes there, the module that draws it.
const VIEWS = [
  ["overview", "Overview", "o", () => import("./view-overview.js")],
  ["limits", "Limits", "l", () => import("./view-limits.js")],
  ["heatmap", "Positions", "p", () => import("./view-positions.js")],
  ["var", "VaR", "v", () => import("./view-var.js")],
  ["stress", "Stress", "s", () => import("./view-stress.js")],
  ["correlation", "Correlation", "c", () => import("./view-correlation.js")],
  ["alerts", "Alerts", "a", () => import("./view-alerts.js")],
  ["bots", "Bots", "b", () => import("./view-bots.js")],
  ["whatif", "What if", "w", () => import("./view-whatif.js")],
  ["audit", "Audit", "t", () => import("./view-audit.js")],
];
// Other words that people write for a view.
const ALIASES = { positions: "heatmap", position: "heatmap", "what-if": "whatif", "what_if": "whatif", alert: "alerts", bot: "bots", limit: "limits", journal: "audit", home: "overview", correlations: "correlation" };
const viewOf = (name) => VIEWS.find(([one]) => one === (ALIASES[name] ?? name));
// Those that a phone's bar shows at once; the rest stand behind its last entry.
const FIRST = ["overview", "limits", "heatmap", "alerts"];
const loaded = {};

function useView(name) {
  const [state, set] = useState({ view: loaded[name], problem: null });
  useEffect(() => {
    let gone = false;
    const entry = VIEWS.find(([view]) => view === name) ?? VIEWS[0];
    if (loaded[entry[0]]) { set({ view: loaded[entry[0]], problem: null }); return undefined; }
    entry[3]().then((module) => { loaded[entry[0]] = module.default; if (!gone) set({ view: module.default, problem: null }); })
      .catch(() => { if (!gone) set({ view: null, problem: { message: "This part of the page could not be loaded; reload it.", code: "" } }); });
    return () => { gone = true; };
  }, [name]);
  return loaded[name] ? { view: loaded[name], problem: null } : state;
}

const isTyping = (event) => event.target.closest?.("input, textarea, select, [contenteditable]");

function useKeys() {
  const pending = useRef(false);
  useEffect(() => {
    const pressed = (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event) || document.querySelector("dialog[open]")) return;
      if (event.key === "?") { event.preventDefault(); open({ title: "Keys", kind: "wide", body: html`<${Help} views=${VIEWS} />` }); return; }
      if (pending.current) {
        pending.current = false;
        const found = VIEWS.find(([, , key]) => key === event.key);
        if (found) { event.preventDefault(); go(found[0]); }
        return;
      }
      if (event.key === "g") { pending.current = true; setTimeout(() => { pending.current = false; }, 1500); }
      else if (event.key === "d") turn();
      else if (event.key === "u") say({ tz: zoneOf(usedWords()) === "utc" ? "local" : null });
      else if (event.key === "h") dangers.halt();
      else if (event.key === "r") dangers.reduce();
      else if (event.key === "e") dangers.resume();
    };
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  }, []);
}
const usedWords = () => Object.fromEntries(new URLSearchParams(location.hash.split("?")[1] ?? ""));

function Nav({ here, words, alerts }) {
  const link = ([name, heading, key]) => html`<a href=${address(name, { tz: words.tz })} aria-current=${here === name ? "page" : undefined} aria-keyshortcuts=${`g ${key}`}>${heading}
    ${name === "alerts" && alerts > 0 && html`<span class="count" aria-label=${`${alerts} active`}>${alerts}</span>`}</a>`;
  const rare = VIEWS.find(([name]) => name === here && !FIRST.includes(name));
  const all = () => open({ title: "All views", body: html`<ul class="views">${VIEWS.map((one) => html`<li key=${one[0]} onClick=${close}>${link(one)}</li>`)}</ul>` });
  return html`<nav aria-label="Views"><ul>${VIEWS.map((one) => html`<li key=${one[0]} class=${FIRST.includes(one[0]) ? "" : "rare"}>${link(one)}</li>`)}
    <li class="phone"><button type="button" class=${rare ? "here" : ""} aria-haspopup="dialog" onClick=${all}>${rare ? rare[1] : "More"}<span aria-hidden="true"> ▴</span></button></li></ul></nav>`;
}

// In sight on every view: the way to stop, or that all is stopped.
function Halt({ mode, words }) {
  if (!mode) return null;
  if (mode === "halted") return html`<a class="halted" href=${address("overview", { tz: words.tz })}>Halted</a>`;
  return html`<${Act} small kind="danger" route="POST /emergency-stop" run=${dangers.halt}>Halt …<//>`;
}

function Top({ words, mode }) {
  const [look_, set] = useState(theme());
  const utc = zoneOf(words) === "utc";
  return html`<header class="top"><a class="skip" href="#main" onClick=${(event) => { event.preventDefault(); document.getElementById("main").focus(); }}>Skip to the view</a>
    <a class="mark" href=${address("overview", { tz: words.tz })}><img src=${`${document.documentElement.dataset.static}icon.svg`} alt="" width="26" height="26" /><span>Risk</span></a>
    <div class="top-tools"><${Halt} mode=${mode} words=${words} />
      <button type="button" class="quiet" aria-pressed=${!utc} onClick=${() => say({ tz: utc ? "local" : null })} title="Times in UTC or in the zone of this machine (u)">${utc ? "UTC" : "Local"}</button>
      <button type="button" class="icon" aria-label=${look_ === "dark" ? "Light theme" : "Dark theme"} title="Dark or light (d)" onClick=${() => { turn(); set(theme()); }}>◐</button>
      <button type="button" class="icon" aria-label="Keys and help" title="Keys (?)" onClick=${() => open({ title: "Keys", kind: "wide", body: html`<${Help} views=${VIEWS} />` })}>?</button>
      <${Who} /></div></header>`;
}

function App() {
  const { view: name, words } = usePlace();
  const state = useLive();
  useSecond();
  const [, turned] = useState(0);
  const main = useRef(null);
  useEffect(() => onSession(() => turned((n) => n + 1)), []);
  useKeys();
  const found = viewOf(name), known = found ?? VIEWS[0];
  const { view: View, problem } = useView(known[0]);
  const first = useRef(true);
  useEffect(() => {
    document.title = `${known[1]} · Risk`;
    if (first.current) first.current = false; else { main.current?.focus({ preventScroll: true }); scrollTo(0, 0); }
    close();
  }, [known[0]]);
  const quiet = isQuiet();
  const said = verdict(state, quiet && state.pulse !== null);
  useEffect(() => { document.documentElement.dataset.verdict = said.level; }, [said.level]);
  const newer = state.pulse?.page && state.pulse.page !== version;
  const denied = !state.pulse && state.problem?.status === 401;
  return html`<${Top} words=${words} mode=${state.pulse?.status.mode} />
    <${Nav} here=${known[0]} words=${words} alerts=${state.pulse?.alerts_active ?? 0} />
    <div class="body">
      <${Vitals} state=${state} said=${said} quiet=${quiet} words=${words} />
      ${newer && html`<p class="banner">A newer version of this page is served. <button type="button" class="quiet" onClick=${() => location.reload()}>Load it</button></p>`}
      <main id="main" tabindex="-1" ref=${main} aria-label=${known[1]}>
        <h1 class="hidden">${known[1]}</h1>
        ${!found && html`<p class="banner">There is no view called “${name}”; this is the overview.</p>`}
        ${denied ? html`<section class="panel"><${Empty} title="You are not signed in.">Open the link that “risk serve” prints, or sign in with a token.<p class="buttons middle"><button type="button" class="main" onClick=${signIn}>Sign in with a token</button></p><//></section>` : null}
        ${problem && html`<${Fault} problem=${problem} />`}
        ${View && state.pulse && html`<${View} words=${words} pulse=${state.pulse} zone=${zoneOf(words)} quiet=${quiet} who=${session().who} />`}
      </main>
      <footer><p>${state.pulse && html`${state.pulse.environment} book · state ${state.pulse.state_version} · ${state.pulse.data.source}${state.pulse.store.kept ? "" : " · kept in memory alone"}`}</p></footer>
    </div>
    <${Dialogs} /><${Toasts} />`;
}

render(html`<${App} />`, Object.assign(document.getElementById("app"), { textContent: "" }));
look().then(() => start());
if (live().pulse === null) setTimeout(() => { if (!live().pulse) look(); }, 10000);
