// Every limit: what is used, where it warns, where it ends, what is left.
import { html } from "./ui.js";
import { useAsked } from "./data.js";
import { amount, capital, percent, words as spoken } from "./format.js";
import { Badge, Bar, Empty, Panel, Table } from "./parts.js";

const LEVELS = { ok: "fine", full: "full", warning: "near", critical: "close", breached: "over" };

export default function Limits({ pulse }) {
  const { data } = useAsked("bots");
  const rows = pulse.limits;
  const columns = [
    ["name", "Limit", (row) => html`<strong>${capital(spoken(row.name))}</strong>${row.about && html` <em>${row.about}${row.breach ? `, its maximum is ${amount(row.breach, row.unit)}` : ""}</em>`}`],
    ["level", "", (row) => html`<${Badge} kind=${row.strain === null ? "unknown" : row.level}>${row.strain === null ? "not known" : LEVELS[row.level]}<//>`],
    ["bar", "Headroom", (row) => html`<${Bar} use=${row.use} level=${row.level} label=${spoken(row.name)} />`, "wide-bar"],
    ["use", "Use", (row) => percent(row.use, 0), "n"], ["used", "Used", (row) => amount(row.used, row.unit), "n"],
    ["limit", "Limit", (row) => amount(row.limit, row.unit), "n"], ["room", "Room", (row) => amount(row.room, row.unit), "n"],
    ["hard", "Kind", (row) => (row.hard ? "hard" : "soft")],
  ];
  const bots = (data?.bots ?? []).map((bot) => ({ name: bot.name, is_off: !bot.enabled, ...bot.limits }));
  return html`<div class="grid">
    <${Panel} wide id="all-limits" title="Headroom of every limit" note="The nearest to a breach first. What a bot has on probation, by its record or in a drawdown it may fill: full is no breach. A soft limit slows, a hard one stops and makes the score." rows=${() => rows} data=${() => rows} leans=${pulse.data.leans_on}>
      ${rows.length ? html`<${Table} caption="Limits" columns=${columns} rows=${rows} keyOf=${(row) => row.name + row.subject} />` : html`<${Empty} title="No limit can be measured">Equity is not known.<//>`}<//>
    <${Panel} wide id="bot-limits" title="What each bot may hold" note="At full confidence, before the portfolio's own limits" rows=${() => bots} data=${() => bots}>
      ${bots.length ? html`<${Table} caption="Limits of bots" keyOf=${(row) => row.name} rows=${bots} columns=${[
        ["name", "Bot", (row) => html`<strong>${row.name}</strong>${row.on_probation && html` <em>on probation, ${row.trades_until_full} trades to go</em>`}${row.is_off && html` <em>off: it opens nothing</em>`}`],
        ["bar", "Headroom", (row) => html`<${Bar} use=${row.use} level=${row.level} label=${row.name} />`, "wide-bar"],
        ["used", "Used", (row) => amount(row.used, "money"), "n"], ["limit", "Limit", (row) => amount(row.limit, "money"), "n"], ["room", "Room", (row) => amount(row.room, "money"), "n"],
      ]} />` : html`<${Empty} title="No bot is registered">risk token create --bot NAME registers one.<//>`}<//></div>`;
}
