// Close positions: the plan first, with its orders, cost and time; then the word, then it is sent.
import { html } from "./ui.js";
import { send } from "./api.js";
import { act } from "./actions.js";
import { toast } from "./dialog.js";
import { amount, money, number, percent, span, words } from "./format.js";
import { exists, session, whyNot } from "./session.js";
import { signIn } from "./signin.js";
import { Table } from "./parts.js";

export const ROUTE = "POST /liquidation";
export const canFlatten = () => exists(ROUTE) && exists("POST /liquidation/plan");

function Preview({ plan }) {
  const orders = plan.steps.flatMap((step) => step.orders.map((order) => ({ ...order, step: step.number, starts: step.starts })));
  const change = (name) => (plan.before?.[name] !== undefined && plan.after?.[name] !== undefined ? { name, before: plan.before[name], after: plan.after[name] } : null);
  const changes = Object.keys(plan.before ?? {}).map(change).filter((one) => one && typeof one.before === "number");
  return html`<div class="preview"><h3>The plan</h3><p>${orders.length} orders in ${plan.steps.length} steps, done in about ${span(plan.seconds)}; it costs about ${money(plan.cost)} (${money(plan.spread_cost)} spread, ${money(plan.impact_cost)} impact).</p>
    ${orders.length > 0 && html`<${Table} caption="Orders of the plan" rows=${orders.slice(0, 30)} keyOf=${(row) => `${row.step}${row.account_id}${row.symbol}`} columns=${[["step", "Step", (row) => row.step, "n"], ["what", "Order", (row) => html`<strong>${row.side} ${row.symbol}</strong>`], ["quantity", "Units", (row) => number(row.quantity, 2), "n"], ["notional", "Money", (row) => money(row.notional), "n"], ["limit", "Limit", (row) => money(row.limit_price, 2), "n"]]} />`}
    ${changes.length > 0 && html`<p class="dim">${changes.slice(0, 5).map((one) => `${words(one.name)} ${one.name.endsWith("pct") ? percent(one.before) : amount(one.before, "number")} → ${one.name.endsWith("pct") ? percent(one.after) : amount(one.after, "number")}`).join(" · ")}</p>`}
    ${plan.left.length > 0 && html`<h3>What stays</h3><ul class="still">${plan.left.map((one) => html`<li key=${one.symbol}>${one.symbol}: ${one.text || words(one.why)}</li>`)}</ul>`}
    ${plan.notes.length > 0 && html`<p class="leans">${plan.notes.join(" ")}</p>`}</div>`;
}

export async function flatten(scope = "everything", name = "everything") {
  const why = whyNot(ROUTE);
  if (why) { toast(why, "warning"); if (!session().who) signIn(); return; }
  let plan;
  try { plan = await send("POST", "liquidation/plan", { scope }); } catch (refused) { toast(refused.message, "bad"); return; }
  const orders = plan.steps.reduce((sum, step) => sum + step.orders.length, 0);
  act(ROUTE, name === "everything" ? "Flatten everything" : `Close ${name}`, {
    danger: true, word: name, label: "Close it", done: plan.has_broker === false ? "Booked as closed at our marks; nothing was sent." : `The liquidation began: ${orders} orders are to be sent.`, extra: html`<${Preview} plan=${plan} />`,
    does: [...(plan.has_broker === false ? ["Send nothing: no broker is connected. The positions are only booked as closed, at our marks."] : []), `Close ${name === "everything" ? "every position" : `all of ${name}`} by the plan below; if positions are others by then, nothing begins.`, ...(plan.cancels.length ? [`Cancel ${plan.cancels.length} orders and approvals first.`] : [])],
    still: [...(plan.protective.length ? [`${plan.protective.length} protective orders stay until their position is closed.`] : []), plan.has_broker === false ? "Your broker: none is connected, so nothing is sent there. Close the positions there yourself." : "It goes on through a restart, until the broker says flat.", "Bots go on: halt or reduce first, or they may open again."],
    run: (reason) => send("POST", "liquidation", { scope, plan_id: plan.plan_id, reason }),
  });
}
