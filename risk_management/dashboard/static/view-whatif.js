// An order that is only tried: the same judge, nothing reserved, nothing sent.
import { html, useState } from "./ui.js";
import { send } from "./api.js";
import { useAsked } from "./data.js";
import { money } from "./format.js";
import { Badge, Empty, Fault, Panel } from "./parts.js";
import { place, say } from "./place.js";
import { session, whyNot } from "./session.js";
import { signIn } from "./signin.js";
import { Decision } from "./why.js";

export default function WhatIf({ zone }) {
  const { words } = place();
  const { data } = useAsked("bots", { follow: false });
  const [result, set] = useState(null);
  const [problem, wrong] = useState(null);
  const [picked, pick] = useState(words.bot ?? "");
  const bot = data?.bots.some((one) => one.name === picked) ? picked : "";
  const why = whyNot("POST /what-if");
  const submit = async (event) => {
    event.preventDefault();
    if (why) { if (!session().who) signIn(); return; }
    const form = Object.fromEntries(new FormData(event.target));
    const body = { symbol: form.symbol.trim().toUpperCase(), action: form.action, size: Number(form.size), confidence: Number(form.confidence) };
    if (form.bot) body.bot_name = form.bot;
    if (form.strategy.trim()) body.strategy = form.strategy.trim();
    if (form.price) body.price = Number(form.price);
    if (form.risk) body.risk_amount = Number(form.risk);
    say({ symbol: body.symbol, action: body.action, size: body.size, bot: form.bot });
    try { set(await send("POST", "what-if", body)); wrong(null); } catch (refused) { wrong(refused); set(null); }
  };
  return html`<div class="grid"><${Panel} id="ticket" title="What if" note=${`${bot ? `Judged as an order of ${bot}` : "Judged as an order of the account, by hand: no bot's budget, probation or hold counts"}. Nothing is reserved, nothing is sent.`}>
    <form class="ticket" onSubmit=${submit}>
      <div class="pair"><label>Symbol<input name="symbol" required maxlength="40" defaultValue=${words.symbol ?? ""} placeholder="AAPL" autocapitalize="characters" spellcheck="false" /></label>
        <label>Side<select name="action"><option value="buy" selected=${words.action !== "sell"}>Buy</option><option value="sell" selected=${words.action === "sell"}>Sell</option></select></label></div>
      <div class="pair"><label>Size, in money<input name="size" type="number" min="0.01" step="any" required defaultValue=${words.size ?? ""} placeholder="1200" inputmode="decimal" /></label>
        <label>Bot<select name="bot" onChange=${(event) => pick(event.target.value)}><option value="">the account, by hand</option>${(data?.bots ?? []).map((bot) => html`<option key=${bot.name} value=${bot.name} selected=${words.bot === bot.name}>${bot.name}</option>`)}</select></label></div>
      <details><summary>More</summary><div class="pair"><label>Confidence<input name="confidence" type="number" min="0" max="1" step="0.01" defaultValue="1" required /></label><label>Strategy<input name="strategy" maxlength="60" /></label></div>
        <div class="pair"><label>Limit price<input name="price" type="number" min="0" step="any" /></label><label>Lost at the stop, in money<input name="risk" type="number" min="0" step="any" /></label></div></details>
      <div class="buttons"><button type="submit" class="main" aria-disabled=${why ? "true" : undefined} title=${why || undefined}>Try it</button></div></form>
    ${why && html`<p class="dim">${why}</p>`}<${Fault} problem=${problem} /><//>
    <${Panel} id="judged" title="What would be decided" data=${result && (() => result)} note=${result ? `If it were asked now: ${result.recommended_size > 0 ? money(result.recommended_size) : "nothing"}` : undefined}>
      <div aria-live="polite">${result ? html`${!result.bot_name && data?.bots.length > 0 && html`<p><${Badge} kind="info">Of the account<//> A bot may be refused what passes here: choose it to see.</p>`}<${Decision} said=${result} zone=${zone} /><p class="explained">${result.explanation}</p>${result.durable === false && html`<${Badge} kind="warning">The store can't be written<//>`}` : html`<${Empty} title="Fill in the ticket">Every check answers with its number, its limit and the size that would pass.<//>`}</div><//></div>`;
}
