// Who looks, and the way in by a token where the printed link is out of reach.
import { html, useEffect, useState } from "./ui.js";
import { open, close, toast } from "./dialog.js";
import { callMe, enter, leave, onSession, session } from "./session.js";
import { start } from "./live.js";

function SignIn() {
  const [problem, set] = useState("");
  const [busy, setBusy] = useState(false);
  const submit = async (event) => {
    event.preventDefault();
    setBusy(true);
    try {
      await enter(new FormData(event.target).get("token").trim());
      close();
      toast(`Signed in as ${session().who.name} (${session().who.access}).`, "good");
      start();
    } catch (refused) { set(refused.message); }
    setBusy(false);
  };
  return html`<form onSubmit=${submit}><p>“risk serve” prints a link that signs this browser in. Or paste a token: “risk token create --scope operate” makes one that may act, “--scope read” one that looks. It is kept as a session of twelve hours, not in the page.</p>
    <label>Token<input name="token" type="password" autocomplete="off" required minlength="8" maxlength="200" autofocus /></label>
    ${problem && html`<p class="wrong" role="alert">${problem}</p>`}
    <div class="buttons"><button type="button" class="quiet" onClick=${close}>Cancel</button><button type="submit" class="main" disabled=${busy}>Sign in</button></div></form>`;
}

export const signIn = () => open({ title: "Sign in", body: html`<${SignIn} />` });

function Named() {
  const [problem, set] = useState("");
  const { who } = session();
  const submit = async (event) => {
    event.preventDefault();
    try { await callMe(new FormData(event.target).get("person").trim()); close(); toast(`What you do is kept under the name ${session().who.name}.`, "good"); } catch (refused) { set(refused.message); }
  };
  return html`<form class="ticket row name" onSubmit=${submit}><label>Your name, for the audit trail<input name="person" maxlength="40" required defaultValue=${who.is_named ? who.name : ""} autocomplete="name" /></label><button type="submit" class="main">Keep it</button></form>${problem && html`<p class="wrong" role="alert">${problem}</p>`}`;
}

export function Who() {
  const [, turn] = useState(0);
  useEffect(() => onSession(() => turn((n) => n + 1)), []);
  const { who } = session();
  if (!who) return html`<button type="button" class="main small" onClick=${signIn}>Sign in</button>`;
  const byLink = who.by_link;
  const body = html`<p>You are <strong>${who.name}</strong> and may <strong>${who.access}</strong>${who.bot ? ` for ${who.bot}` : ""}. What you do is kept under this name.</p>
    ${byLink && html`<${Named} />`}
    <div class="buttons"><button type="button" class="quiet" onClick=${close}>Stay</button><button type="button" class="main" onClick=${async () => { close(); await leave(); toast("Signed out."); location.reload(); }}>Sign out</button></div>`;
  return html`<button type="button" class="quiet who" onClick=${() => open({ title: "Signed in", body })}><span class="hidden">Signed in as </span>${who.name}<span class="scope">${who.access}</span></button>`;
}
