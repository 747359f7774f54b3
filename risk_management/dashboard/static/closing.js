// What is being closed now, and the button that ends it.
import { html } from "./ui.js";
import { send } from "./api.js";
import { Act, act } from "./actions.js";
import { useAsked } from "./data.js";
import { time } from "./format.js";
import { Panel, Table } from "./parts.js";

const END = "DELETE /liquidation/{liquidation_id}";

const end = (one) => act(END, `End closing ${one.scope}`, {
  danger: true, word: one.scope, label: "End it",
  done: (said) => (said.ended_at ? "It has ended." : "Nothing more is sent; its orders are being cancelled."),
  does: ["Send nothing more.", "Cancel its orders that still work, then let what it held open again."],
  still: ["What is not sold yet stays held, a hedge of it too.", "Other holds of the same bots and symbols stay."],
  run: (reason) => send("DELETE", `liquidation/${one.liquidation_id}`, { reason }),
});

export function Closing({ zone }) {
  const { data } = useAsked("liquidation");
  const rows = (data?.liquidations ?? []).filter((one) => !one.ended_at);
  if (!rows.length) return null;
  const sent = (one) => `${one.orders.filter((order) => order.status !== "sent").length} of ${one.orders.length} orders are over`;
  return html`<${Panel} wide id="closing" title="Being closed" note="Until the broker says flat, or a person ends it" rows=${() => rows} data=${() => rows}>
    <${Table} caption="Liquidations that go on" rows=${rows} keyOf=${(row) => row.liquidation_id} columns=${[
      ["scope", "What", (row) => html`<strong>${row.scope}</strong>`], ["reason", "Why", (row) => row.reason], ["actor", "By", (row) => row.actor], ["since", "Since", (row) => time(row.started_at, zone)],
      ["orders", "Sent", sent], ["end", "", (row) => (row.stopped_by ? html`<em>${row.stopped_by} ends it</em>` : html`<${Act} small route=${END} run=${() => end(row)}>End<//>`)],
    ]} /><//>`;
}
