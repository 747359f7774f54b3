// Close positions: the plan first, with its orders, cost and time; then the word, then it is sent.
import { html } from "./ui.js";
import { send } from "./api.js";
import { act } from "./actions.js";
import { toast } from "./dialog.js";
import { capital, money, number, span, words } from "./format.js";
import { live } from "./live.js";
import { exists, session, whyNot } from "./session.js";
import { signIn } from "./signin.js";
import { Table } from "./parts.js";

export const ROUTE = "POST /liquidation";
export const canFlatten = () => exists(ROUTE) && exists("POST /liquidation/plan");

const MEASURES = { gross: "Gross exposure", var: "VaR of a day, 95 %", es: "Expected shortfall, 97.5 %", closing_var: "VaR of what is closed", margin: "Margin" };
const units = (value) => number(value, value < 1 ? 6 : value < 100 ? 3 : 2).replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, "");

// What the plan leaves behind; what is too small to trade is one line, however many names it is.
function Left({ left }) {
  const dust = left.filter((one) => one.why === "dust"), rest = left.filter((one) => one.why !== "dust");
  return html`<h3>What stays</h3><ul class="still">${rest.map((one) => html`<li key=${one.symbol + one.text}>${one.text || `${one.symbol}: ${words(one.why)}`}</li>`)}
    ${dust.length > 0 && html`<li>Dust of ${dust.length === 1 ? "one name" : `${dust.length} names`}, less than one lot each: ${dust.map((one) => one.symbol).join(", ")}.</li>`}</ul>`;
}

const lasts = (seconds) => (seconds < 1 ? "Everything can go at once" : `It takes about ${span(seconds)}`);
const sentence = (text) => `${capital(text).replace(/\.$/, "")}.`;

function Preview({ plan, orders, positions }) {
  const changes = Object.keys(MEASURES).map((name) => ({ name, before: plan.before?.[name], after: plan.after?.[name] })).filter((one) => typeof one.before === "number" && (one.name !== "closing_var" || one.before !== plan.before.var));
  return html`<div class="preview"><h3>The plan</h3><p>${orders.length === 1 ? "One order" : `${orders.length} orders`} in ${plan.steps.length === 1 ? "one step" : `${plan.steps.length} steps`}${positions > orders.length ? ` for ${positions} positions: one order closes what all bots hold of a name` : ""}. ${lasts(plan.seconds)}, and costs about ${money(plan.cost)} (${money(plan.spread_cost)} spread, ${money(plan.impact_cost)} impact).</p>
    ${orders.length > 0 && html`<${Table} caption="Orders of the plan" rows=${orders.slice(0, 30)} keyOf=${(row) => `${row.step}${row.account_id}${row.symbol}`} columns=${[["step", "Step", (row) => row.step, "n"], ["what", "Order", (row) => html`<strong>${row.side} ${row.symbol}</strong>`], ["quantity", "Units", (row) => units(row.quantity), "n"], ["notional", "Money", (row) => money(row.notional), "n"], ["limit", "Limit price", (row) => money(row.limit_price, 2), "n"]]} />`}
    ${orders.length > 30 && html`<p class="dim">and ${orders.length - 30} more orders</p>`}
    ${changes.length > 0 && html`<h3>What it changes, in money</h3><${Table} caption="Before and after" rows=${changes} keyOf=${(row) => row.name} columns=${[["name", "", (row) => MEASURES[row.name]], ["before", "Now", (row) => money(row.before), "n"], ["after", "After", (row) => money(row.after), "n"]]} />`}
    ${plan.left.length > 0 && html`<${Left} left=${plan.left} />`}
    ${plan.notes.length > 0 && html`<ul class="leans">${plan.notes.map((text) => html`<li key=${text}>${sentence(text)}</li>`)}</ul>`}</div>`;
}

export async function flatten(scope = "everything", name = "everything") {
  const why = whyNot(ROUTE);
  if (why) { toast(why, "warning"); if (!session().who) signIn(); return; }
  let plan;
  try { plan = await send("POST", "liquidation/plan", { scope }); } catch (refused) { toast(refused.message, "bad"); return; }
  const orders = plan.steps.flatMap((step) => step.orders.map((order) => ({ ...order, step: step.number })));
  const all = name === "everything", positions = all ? live().pulse?.positions ?? 0 : 0;
  act(ROUTE, all ? "Flatten everything" : `Close ${name}`, {
    danger: true, word: name, label: all ? `Flatten ${positions === 1 ? "the position" : `${positions} positions`}` : `Close all of ${name}`, done: plan.has_broker === false ? "Booked as closed at our marks; nothing was sent." : `The liquidation began: ${orders.length} orders are to be sent.`, extra: html`<${Preview} plan=${plan} orders=${orders} positions=${positions} />`,
    does: [...(plan.has_broker === false ? ["Send nothing: no broker is connected. The positions are only booked as closed, at our marks."] : []), `Close ${all ? "every position" : `all of ${name}`} by the plan below; if positions are others by then, nothing begins.`, ...(plan.cancels.length ? [`Cancel ${plan.cancels.length} orders and approvals first.`] : [])],
    still: [...(plan.protective.length ? [`${plan.protective.length} protective orders stay until their position is closed.`] : []), plan.has_broker === false ? "Your broker: none is connected, so nothing is sent there. Close the positions there yourself." : "It goes on through a restart, until the broker says flat.", "Bots go on: halt or reduce first, or they may open again."],
    run: (reason) => send("POST", "liquidation", { scope, plan_id: plan.plan_id, reason }),
  });
}
