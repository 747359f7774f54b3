// What a person can do. Each says what it does and what still runs, asks why, and where it is dangerous for a word.
import { html, useState } from "./ui.js";
import { send } from "./api.js";
import { close, done as leave, open, toast } from "./dialog.js";
import { live } from "./live.js";
import { callMe, exists, session, whyNot } from "./session.js";
import { signIn } from "./signin.js";
import { capital, whom, words } from "./format.js";

function Ask({ does, still, word, label, danger, reasonless, extra, run, done }) {
  const [typed, setTyped] = useState("");
  const [reason, setReason] = useState("");
  const [problem, set] = useState(null);
  const [busy, setBusy] = useState(false);
  const [name, setName] = useState("");
  const unnamed = session().who?.is_named === false;
  const ready = (!word || typed.trim() === word) && (reasonless || reason.trim());
  const submit = async (event) => {
    event.preventDefault();
    if (!ready || busy) return;
    setBusy(true);
    try {
      if (unnamed && name.trim()) await callMe(name.trim());
      const said = await run(reason.trim());
      leave();
      const kept = said?.durable === false ? ` It holds in this engine's memory alone: ${said.outage || "the store can't be written"}.` : "";
      toast((typeof done === "function" ? done(said) : done) + kept, said?.durable === false ? "bad" : "good");
    } catch (refused) { set(refused); setBusy(false); }
  };
  return html`<form class="ask" onSubmit=${submit}>
    <h3>It will</h3><ul>${does.map((line) => html`<li key=${line}>${line}</li>`)}</ul>
    ${still?.length > 0 && html`<h3>What goes on</h3><ul class="still">${still.map((line) => html`<li key=${line}>${line}</li>`)}</ul>`}
    ${extra}
    ${!reasonless && html`<label>Why, for the audit trail<input name="reason" required maxlength="200" value=${reason} onInput=${(event) => setReason(event.target.value)} autocomplete="off" autofocus /></label>`}
    ${word && html`<label><span>Type <strong class="word">${word}</strong> to confirm</span><input name="confirm" required value=${typed} onInput=${(event) => setTyped(event.target.value)} autocomplete="off" autocapitalize="off" spellcheck="false" /></label>`}
    ${unnamed && html`<label>Your name, for the audit trail (else it says “${session().who.name}”)<input name="person" maxlength="40" value=${name} onInput=${(event) => setName(event.target.value)} autocomplete="name" /></label>`}
    ${problem && html`<p class="wrong" role="alert">${problem.message}</p>`}
    <div class="buttons"><button type="button" class="quiet" onClick=${close}>Leave it</button>
      <button type="submit" class=${danger ? "danger" : "main"} disabled=${!ready || busy}>${busy ? "Asking …" : label}</button></div></form>`;
}

// Ask a person, unless they may not: then say why.
export function act(route, title, words_) {
  const why = whyNot(route);
  if (why) { if (session().who) toast(why, "warning"); else { toast(why, "warning"); signIn(); } return; }
  if (!exists(route)) { toast("This server has no such address.", "warning"); return; }
  open({ title, kind: words_.danger ? "dangerous" : "", body: html`<${Ask} key=${title} ...${words_} />` });
}

// A button for an address of the server: not shown where there is none, and never pressed in vain.
export function Act({ route, run, kind = "quiet", children, small }) {
  if (session().routes && !exists(route)) return null;
  const why = whyNot(route);
  return html`<button type="button" class=${`${kind} ${small ? "small" : ""} ${why ? "denied" : ""}`} aria-disabled=${why ? "true" : undefined} title=${why || undefined} onClick=${run}>${children}</button>`;
}

const NOUNS = { halted: "halt", reducing: "reduce-only" };
const STILL = ["Stops and other protective orders that stand at the broker stay there.", "Fills are booked, prices are taken, alerts are sent, this page goes on."];
const pulse = () => live().pulse;
const scopeHolds = (scope, name = "") => (pulse()?.holds ?? []).filter((hold) => hold.scope === scope && hold.name === name);

export const dangers = {
  halt: () => act("POST /emergency-stop", "Halt all trading", {
    danger: true, word: "portfolio", label: "Halt all trading", done: "All trading is halted.",
    does: ["Refuse every order of every bot from now on, closing ones too.", `Cancel what is approved and not yet filled${pulse()?.pending ? ` (${pulse().pending} open)` : ""}.`, "Hold through restarts, until a person resumes."],
    still: [...STILL, "You and the system can still close positions; nothing is sold by this."],
    run: (reason) => send("POST", "emergency-stop", { reason }),
  }),
  reduce: () => act("POST /mode", "Reduce only", {
    label: "Reduce only", done: "Only closing passes now.",
    does: ["Refuse every order that opens or adds, of every bot.", "Hold until a person resumes."],
    still: ["Bots may close what they hold.", ...STILL],
    run: (reason) => send("POST", "mode", { mode: "reducing", scope: "portfolio", name: "", reason }),
  }),
  resume: () => {
    const holds = scopeHolds("portfolio");
    const ends = holds.filter((hold) => hold.latched), stays = holds.filter((hold) => !hold.latched);
    const isOut = pulse()?.status.position_multiplier === 0;
    act("POST /emergency-release", "Resume trading", {
      danger: true, word: "portfolio", label: "Resume trading",
      done: (said) => (said.released.length ? `Released: ${said.released.join("; ")}` : "Nothing was stopped."),
      does: [...(ends.length ? ends.map((hold) => `End the ${NOUNS[hold.mode] ?? hold.mode} set by ${hold.actor} (${words(hold.cause)}): “${hold.reason}”.`) : ["Nothing: no stop of the portfolio waits for a person."]),
        ...(isOut ? ["Begin a recovery tranche of small size: the drawdown is still in its no-entry tier."] : [])],
      still: ["The high-water mark and every limit stay as they are; nothing is reset.", ...stays.map((hold) => `Still ${hold.mode} by ${words(hold.cause)} until it ends by itself: ${hold.reason}.`), "Holds of single bots, strategies and symbols stay."],
      run: (reason) => send("POST", "emergency-release", { reason }),
    });
  },
  scope: (scope, name) => act("POST /mode", `Let ${whom(scope, name)} trade again`, {
    word: name || "no strategy", label: "Let it trade", done: `${capital(whom(scope, name))} may open again.`,
    does: scopeHolds(scope, name).map((hold) => `End the ${NOUNS[hold.mode] ?? hold.mode} set by ${hold.actor} (${words(hold.cause)}): “${hold.reason}”.`),
    still: ["Every limit stays; holds of the whole portfolio stay."],
    run: (reason) => send("POST", "mode", { mode: "active", scope, name, reason }),
  }),
  disable: (name) => act("POST /bots/{name}/disable", `Disable ${name}`, {
    danger: true, word: name, label: `Disable ${name}`, done: (said) => `${name} is disabled${said.cancelled.length ? `, ${said.cancelled.length} approvals cancelled` : ""}.`,
    does: [`Refuse every order of ${name} that opens or adds.`, "Cancel its approvals that are not filled yet."],
    still: [`${name} may close what it holds.`, "Other bots go on.", ...STILL],
    run: (reason) => send("POST", `bots/${encodeURIComponent(name)}/disable`, { reason }),
  }),
  enable: (name) => act("POST /bots/{name}/enable", `Enable ${name}`, {
    word: name, label: `Enable ${name}`, done: `${name} may open again.`,
    does: [`Let ${name} open positions again, within every limit.`, "Count its losses anew from now on."],
    still: ["Holds of the portfolio, its strategy and its symbols stay."],
    run: (reason) => send("POST", `bots/${encodeURIComponent(name)}/enable`, { reason }),
  }),
};

export function Controls({ status, children }) {
  return html`<div class="controls">
    ${status.mode !== "halted" && html`<${Act} route="POST /emergency-stop" kind="danger" run=${dangers.halt}>Halt everything<//>`}
    ${status.mode === "active" && html`<${Act} route="POST /mode" run=${dangers.reduce}>Reduce only<//>`}
    ${(status.mode !== "active" || scopeHolds("portfolio").length > 0) && html`<${Act} route="POST /emergency-release" kind="main" run=${dangers.resume}>Resume<//>`}
    ${children}<a class="button quiet" href="#/whatif">Try an order</a></div>`;
}
