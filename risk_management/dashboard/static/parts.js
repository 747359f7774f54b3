// Small pieces that every view is made of.
import { html, useEffect, useRef, useState } from "./ui.js";
import { csv, percent, together } from "./format.js";

const SIGNS = { ok: "✓", good: "✓", warning: "!", critical: "‼", breached: "✕", full: "–", bad: "✕", unknown: "?", info: "i", emergency: "✕", quiet: "–" };

// A state in words with a sign: colour is never alone.
export const Badge = ({ kind = "info", children, title }) =>
  html`<span class=${`badge ${kind}`} title=${title}><span aria-hidden="true" class="sign">${SIGNS[kind] ?? "•"}</span>${children}</span>`;

export const Empty = ({ title, children }) => html`<div class="empty"><p class="empty-title">${title}</p><div>${children}</div></div>`;

export function Fault({ problem, again }) {
  if (!problem) return null;
  const help = {
    UNAUTHENTICATED: "Sign in: the link that “risk serve” prints, or a token.",
    NO_STORE: "This book is kept in memory alone. Name a store (RISK_STORE) and what happens is kept.",
    NO_ANSWER: "Look whether the process runs; this page goes on by itself when it is back.",
    OVERLOADED: "It is busy; this page asks again by itself.",
  }[problem.code];
  return html`<div class="fault" role="alert">
    <p><strong>${problem.message}</strong></p>${help && html`<p>${help}</p>`}
    ${again && html`<button type="button" class="quiet" onClick=${again}>Ask again</button>`}</div>`;
}

function save(name, text, kind) {
  const url = URL.createObjectURL(new Blob([text], { type: kind }));
  const link = Object.assign(document.createElement("a"), { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 5000);
}

// A panel: its heading, what its numbers lean on, and its content to take away.
export function Panel({ id, title, note, leans, rows, data, png, wide, tools, children }) {
  const [open, set] = useState(false);
  useEffect(() => {
    if (!open) return undefined;
    const away = (event) => { if (event.type === "keydown" ? event.key === "Escape" : !event.target.closest?.(`#take-${id}`)) set(false); };
    addEventListener("keydown", away);
    addEventListener("pointerdown", away);
    return () => { removeEventListener("keydown", away); removeEventListener("pointerdown", away); };
  }, [open, id]);
  const take = (text, kind, mime) => () => { save(`risk-${id}.${kind}`, text(), mime); set(false); };
  const can = rows || data || png;
  return html`<section class=${`panel ${wide ? "wide" : ""}`} aria-labelledby=${`h-${id}`} data-panel=${id}>
    <header><div><h2 id=${`h-${id}`}>${title}</h2>${note && html`<p class="note">${note}</p>`}</div>
      <div class="tools">${tools}
      ${can && html`<div class="menu" id=${`take-${id}`}>
        <button type="button" class="icon" aria-haspopup="true" aria-expanded=${open} aria-label=${`Take ${title} away`} onClick=${() => set(!open)}>⤓</button>
        ${open && html`<div class="sheet" role="menu">
          ${rows && html`<button type="button" role="menuitem" onClick=${take(() => csv(rows()), "csv", "text/csv")}>CSV</button>`}
          ${data && html`<button type="button" role="menuitem" onClick=${take(() => JSON.stringify(data(), null, 2), "json", "application/json")}>JSON</button>`}
          ${png && html`<button type="button" role="menuitem" onClick=${() => { png(); set(false); }}>PNG</button>`}
        </div>`}</div>`}</div></header>
    ${children}
    ${leans?.length > 0 && html`<p class="leans"><span>Leans on</span> ${together(leans)}</p>`}
  </section>`;
}

// How much of a limit is used: the warning at 80 %, the limit itself, and what lies beyond.
export function Bar({ use, level, label }) {
  const known = use !== null && use !== undefined;
  const shown = known ? Math.min(1.25, Math.max(0, use)) / 1.25 : 0;
  return html`<div class=${`bar ${level ?? "ok"}`} role="meter" aria-valuemin="0" aria-valuemax="100"
      aria-valuenow=${known ? Math.round(100 * Math.min(use, 1)) : undefined} aria-label=${label} aria-valuetext=${known ? `${percent(use, 0)} used` : "not known"}>
    <span class="fill" style=${{ transform: `scaleX(${shown})` }}></span><span class="mark warn"></span><span class="mark limit"></span></div>`;
}

// A table that scrolls by itself when it is wider than the screen. A column is [name, heading, cell, class].
export function Table({ columns, rows, keyOf, caption, selected, onRow }) {
  const box = useRef(null);
  const [isWider, set] = useState(false);
  useEffect(() => {
    const shown = box.current;
    const look = new ResizeObserver(() => set(shown.scrollWidth > shown.clientWidth + 1));
    look.observe(shown);
    look.observe(shown.firstElementChild);
    return () => look.disconnect();
  }, []);
  return html`${isWider && html`<p class="wider">More to the right: swipe the table →</p>`}<div class="scroll" ref=${box} tabindex="0" role="region" aria-label=${caption}><table><caption class="hidden">${caption}</caption>
    <thead><tr>${columns.map(([name, heading, , kind]) => html`<th key=${name} scope="col" class=${kind}>${heading}</th>`)}</tr></thead>
    <tbody>${rows.map((row, number) => html`<tr key=${keyOf ? keyOf(row) : number} class=${`${onRow ? "can" : ""} ${selected?.(row) ? "chosen" : ""}`} onClick=${onRow && (() => onRow(row))}>
      ${columns.map(([name, , cell, kind]) => html`<td key=${name} class=${kind}>${cell(row)}</td>`)}</tr>`)}</tbody></table></div>`;
}

export const Ranges = ({ value, onPick, choices = ["1d", "1w", "1m", "3m", "all"] }) => html`<div class="ranges" role="group" aria-label="Range">
  ${choices.map((one) => html`<button type="button" key=${one} aria-pressed=${value === one} onClick=${() => onPick(one)}>${one}</button>`)}</div>`;

const DAYS = { "1d": 1, "1w": 7, "1m": 31, "3m": 92 };
// Where a range begins, counted from the newest moment; null for all of it.
export const begins = (range, newest) => (DAYS[range] ? new Date(Date.parse(newest) - DAYS[range] * 86400e3).toISOString() : null);
