// The journal: what happened, who did it, and whether it is whole.
import { html, useEffect, useState } from "./ui.js";
import { get } from "./api.js";
import { told } from "./activity.js";
import { useAsked } from "./data.js";
import { open } from "./dialog.js";
import { time, words as spoken } from "./format.js";
import { Badge, begins, Empty, Fault, Panel, Ranges, Table } from "./parts.js";
import { say } from "./place.js";
import { why } from "./why.js";

const GROUPS = [["Acts and stops", "HoldSet,HoldReleased,BotChanged,ConfigChanged,Noted,DrawdownAdjusted,VarHaltChanged,EngineStarted,LiquidationStarted,LiquidationStopped,LiquidationEnded,RuleChanged,SilenceSet,SilenceEnded"], ["Decisions", "TradeDecided"], ["Fills and orders", "Filled,ReservationClosed,PositionAdded,LiquidationStepSent,LiquidationStepDone"], ["Alerts", "AlertTold,AlertNoted"], ["Money and breaks", "CashMoved,EquityReported,BreaksSeen,SplitApplied"], ["Everything", "all"]];

function Whole() {
  const [state, set] = useState({});
  const look = async () => { set({ busy: true }); try { set({ found: await get("audit/verify") }); } catch (problem) { set({ problem }); } };
  const { busy, found, problem } = state;
  return html`<span class="whole">${found && html`<${Badge} kind=${found.ok ? "ok" : "bad"}>${found.ok ? `whole, ${found.entries} entries` : `broken at ${found.first_bad}: ${found.problems[0]}`}<//>`}${problem && html`<${Badge} kind="unknown">${problem.message}<//>`}
    <button type="button" class="quiet small" disabled=${busy} onClick=${look}>${busy ? "Looking …" : "Is it whole?"}</button></span>`;
}

export default function Audit({ words, zone, pulse }) {
  const kinds = words.kinds ?? GROUPS[0][1], text = words.text ?? "";
  const query = new URLSearchParams({ ...(kinds === "all" ? {} : { kinds }), ...(text ? { text } : {}), limit: 100 }).toString();
  const { data, problem, again } = useAsked(`audit/search?${query}`, { every: 2000 });
  const [older, setOlder] = useState({ query, rows: [], next: null });
  useEffect(() => setOlder({ query, rows: [], next: null }), [query]);
  const since = begins(words.range ?? "all", pulse.as_of);
  const rows = [...(data?.entries ?? []), ...(older.query === query ? older.rows : [])].filter((row, at, all) => all.findIndex((one) => one.seq === row.seq) === at && (!since || row.at >= since));
  const next = older.rows.length ? older.next : data?.next;
  const more = async () => { const found = await get(`audit/search?${query}&before=${next}`); setOlder((old) => ({ query, rows: [...old.rows, ...found.entries], next: found.next })); };
  const detail = (row) => (row.kind === "TradeDecided" ? why(row.body.decision.request_id, zone) : open({ title: spoken(row.kind.replace(/([a-z])([A-Z])/g, "$1 $2")), kind: "wide", body: html`<p class="dim">Entry ${row.seq} · ${time(row.at, zone)} · ${row.actor} · ${row.hash.slice(0, 16)}</p><pre>${JSON.stringify(row.body, null, 2)}</pre>` }));
  return html`<div class="grid"><${Panel} wide id="audit" title="Audit trail" note="Append-only, each entry chained to the one before; a row tells more" rows=${() => rows.map(({ body, ...row }) => ({ ...row, body: JSON.stringify(body) }))} data=${() => rows} tools=${html`<${Whole} />`}>
    <form class="search" role="search" onSubmit=${(event) => { event.preventDefault(); say({ text: new FormData(event.target).get("text").trim() }); }}>
      <div class="ranges" role="group" aria-label="What">${GROUPS.map(([name, of]) => html`<button type="button" key=${name} aria-pressed=${of === kinds} onClick=${() => say({ kinds: of === GROUPS[0][1] ? null : of })}>${name}</button>`)}</div>
      <label class="grow"><span class="hidden">Search</span><input name="text" type="search" key=${text} defaultValue=${text} maxlength="100" placeholder="A name, symbol, reason …" /></label><button type="submit" class="quiet">Search</button>
      <${Ranges} value=${words.range ?? "all"} onPick=${(one) => say({ range: one === "all" ? null : one })} /></form>
    ${problem && !data ? html`<${Fault} problem=${problem} again=${again} />` : rows.length ? html`<${Table} caption="Journal" rows=${rows} keyOf=${(row) => row.seq} onRow=${detail} columns=${[["at", "At", (row) => html`<time>${time(row.at, zone)}</time>`], ["what", "What", (row) => { const [said, kind] = told(row); return html`<${Badge} kind=${kind}>${spoken(row.kind.replace(/([a-z])([A-Z])/g, "$1 $2").toLowerCase())}<//> <button type="button" class="link said" onClick=${(event) => { event.stopPropagation(); detail(row); }}>${said}</button>`; }, "text"], ["actor", "Who", (row) => row.actor], ["seq", "Entry", (row) => row.seq, "n"]]} />
      ${next && html`<p class="more-link"><button type="button" class="quiet" onClick=${more}>Older ones</button></p>`}` : data && html`<${Empty} title="Nothing found">No entry of this kind${text ? ` with “${text}”` : ""}.<//>`}<//></div>`;
}
