import { html } from "./ui.js";

export const Help = ({ views }) => html`<div class="help"><dl>
  ${views.map(([name, heading, key]) => html`<div key=${name}><dt><kbd>g</kbd> <kbd>${key}</kbd></dt><dd>${heading}</dd></div>`)}
  <div><dt><kbd>h</kbd></dt><dd>Halt everything (asks first)</dd></div>
  <div><dt><kbd>r</kbd></dt><dd>Reduce only (asks first)</dd></div>
  <div><dt><kbd>e</kbd></dt><dd>Resume (asks first)</dd></div>
  <div><dt><kbd>u</kbd></dt><dd>UTC or local time</dd></div>
  <div><dt><kbd>d</kbd></dt><dd>Dark or light</dd></div>
  <div><dt><kbd>?</kbd></dt><dd>These keys</dd></div>
  <div><dt><kbd>Esc</kbd></dt><dd>Close what is open</dd></div></dl>
  <p>Colours say the same as the signs beside them: ✓ fine, ! near a limit or held back, ✕ over a limit or stopped, ? not known or old.</p></div>`;
