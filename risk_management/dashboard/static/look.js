// Dark and light, kept by this browser.
const listeners = new Set();
export const theme = () => document.documentElement.dataset.theme;
export function onTheme(told) { listeners.add(told); return () => listeners.delete(told); }
export function turn() {
  const next = theme() === "dark" ? "light" : "dark";
  document.documentElement.dataset.theme = next;
  document.querySelector('meta[name="theme-color"]').content = next === "dark" ? "#0E1115" : "#F6F7F9";
  try { localStorage.setItem("risk-theme", next); } catch { /* a browser that keeps nothing */ }
  for (const told of listeners) told(next);
}
