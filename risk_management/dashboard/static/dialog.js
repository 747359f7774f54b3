// A dialog in the browser's own way: focus stays inside, Escape closes, what opened it gets the focus back.
import { html, useEffect, useRef, useState } from "./ui.js";

let show = () => {};
export const open = (content) => show(content);
export const close = () => show(null);
// After an act what opened the dialog may go with the next look at the book.
export const done = () => { show(null, true); };

export function Dialogs() {
  const [content, set] = useState(null);
  const ref = useRef(null);
  const before = useRef(null);
  useEffect(() => { show = (next, isDone) => { if (next || isDone) before.current = isDone ? null : document.activeElement; set(next); }; return () => { show = () => {}; }; }, []);
  useEffect(() => {
    const dialog = ref.current;
    if (content && !dialog.open) { dialog.showModal(); dialog.scrollTop = 0; }
    if (!content && dialog.open) { dialog.close(); (before.current?.isConnected ? before.current : document.getElementById("main")).focus(); }
  }, [content]);
  return html`<dialog ref=${ref} class=${content?.kind ?? ""} aria-labelledby="dialog-title" onCancel=${(event) => { event.preventDefault(); set(null); }}
      onClick=${(event) => { if (event.target === ref.current) set(null); }}>
    ${content && html`<div class="dialog"><header><h2 id="dialog-title">${content.title}</h2>
      <button type="button" class="icon" aria-label="Close" onClick=${() => set(null)}>✕</button></header>${content.body}</div>`}</dialog>`;
}

let say = () => {};
export const toast = (text, kind = "info") => say({ text, kind, id: Math.random() });

export function Toasts() {
  const [all, set] = useState([]);
  useEffect(() => { say = (one) => { set((old) => [...old.slice(-2), one]); setTimeout(() => set((old) => old.filter((kept) => kept !== one)), 9000); }; return () => { say = () => {}; }; }, []);
  return html`<div class="toasts" role="status" aria-live="polite">${all.map((one) => html`<p key=${one.id} class=${one.kind}>${one.text}
    <button type="button" class="icon" aria-label="Dismiss" onClick=${() => set((old) => old.filter((kept) => kept !== one))}>✕</button></p>`)}</div>`;
}
