// A card a bot: what it may hold and holds, what it asked and got, and how to stop it.
import { html } from "./ui.js";
import { Act, dangers } from "./actions.js";
import { useAsked } from "./data.js";
import { ago, capital, ended, money, number, percent, signed, words as spoken } from "./format.js";
import { FiguresOf, useFigures } from "./figures.js";
import { ageOf } from "./live.js";
import { Badge, Bar, Empty, Fault, Panel } from "./parts.js";
import { address } from "./place.js";

const tone = (value) => (value < 0 ? "down" : value > 0 ? "up" : "");
const MODES = { active: "ok", reducing: "warning", halted: "bad" };

function Card({ bot, pulse, words, chosen }) {
  const { decisions: d, limits: l, profit: p } = bot;
  const asked = d.approved + d.cut + d.refused;
  const held = pulse.holds.filter((hold) => hold.scope === "bot" && hold.name === bot.name);
  const share = (count) => ({ flexGrow: asked ? count : 0 });
  return html`<article class=${`panel bot ${chosen ? "chosen" : ""}`} aria-labelledby=${`bot-${bot.name}`}><header><div><h2 id=${`bot-${bot.name}`}>${bot.name}</h2><p class="note">${spoken(bot.strategy || "no strategy")} · ${bot.last_seen ? `seen ${ago(ageOf(bot.last_seen))}` : "never seen"}</p></div>
      ${bot.enabled ? html`<${Badge} kind=${MODES[bot.mode]}>${capital(bot.mode)}<//>` : html`<${Badge} kind="bad">Disabled<//>`}</header>
    ${!bot.enabled && html`<p class="blocked">${ended(capital(bot.disabled_reason || "Disabled"))} Its entries are refused, its exits pass.</p>`}
    ${held.map((hold) => html`<p class="blocked" key=${hold.cause}>${capital(hold.mode)} by ${hold.actor}: ${hold.reason}</p>`)}
    <div class="pnl"><span class=${`big ${tone(p.total)}`}>${signed(p.total)}</span><span class="dim">${signed(p.realised)} realised, ${signed(p.open)} open${p.below_peak > 0 ? `, ${money(p.below_peak)} below its peak` : ""}</span></div>
    <div class="budget"><${Bar} use=${l.use} level=${l.level} label=${`Budget of ${bot.name}`} /><p class="dim">${money(l.used)} of ${money(l.limit)} used${l.on_probation ? `; on probation for ${l.trades_until_full} more trades` : ""}</p></div>
    <div class="split" role="img" aria-label=${`${d.approved} approved, ${d.cut} cut, ${d.refused} refused`}><span class="ok" style=${share(d.approved)}></span><span class="warning" style=${share(d.cut)}></span><span class="bad" style=${share(d.refused)}></span></div>
    <p class="counts"><span><b>${number(d.approved)}</b> approved</span><span><b>${number(d.cut)}</b> cut</span><span><b>${number(d.refused)}</b> refused</span><span><b>${bot.trades.closed}</b> closed, ${bot.trades.closed ? percent(bot.trades.win_rate, 0) : "–"} won</span></p>
    <div class="buttons"><a class="button quiet small" href=${address("audit", { tz: words.tz, text: bot.name, kinds: "TradeDecided" })}>Its decisions</a>
      ${held.length > 0 && html`<${Act} small kind="main" route="POST /mode" run=${() => dangers.scope("bot", bot.name)}>Let it trade<//>`}
      ${bot.enabled ? html`<${Act} small kind="danger" route="POST /bots/{name}/disable" run=${() => dangers.disable(bot.name)}>Disable<//>` : html`<${Act} small kind="main" route="POST /bots/{name}/enable" run=${() => dangers.enable(bot.name)}>Enable<//>`}</div></article>`;
}

export default function Bots({ words, pulse }) {
  const figures = useFigures();
  const { data, problem, again } = useAsked("bots");
  if (!data) return problem ? html`<${Fault} problem=${problem} again=${again} />` : html`<div class="waiting tall"></div>`;
  if (!data.bots.length) return html`<div class="panel"><${Empty} title="No bot is registered">risk token create --bot NAME registers one and makes its token. It shows here as soon as it asks.<//></div>`;
  const rows = () => data.bots.map(({ name, strategy, enabled, mode, decisions, profit, trades, limits }) => ({ name, strategy, enabled, mode, ...decisions, ...profit, ...trades, ...limits }));
  const others = Object.entries(data.others);
  return html`<div class="cards">${data.bots.map((bot) => html`<${Card} key=${bot.name} bot=${bot} pulse=${pulse} words=${words} chosen=${words.bot === bot.name} />`)}</div>
    <div class="grid"><${FiguresOf} of=${{ view: "bots", version: data.state_version }} wide names=${["bots"]} figures=${figures} leans=${data.data.leans_on} rows=${rows} data=${() => data} />
    ${others.length > 0 && html`<${Panel} id="others" title="Held by others" note="Owners that are no bots" data=${() => data.others}><ul class="list">${others.map(([name, share]) => html`<li key=${name}><strong>${name}</strong> ${percent(share)} of equity</li>`)}</ul><//>`}</div>`;
}
