// Before anything is drawn: the theme that was chosen here last, or the one of the machine.
(() => {
  let chosen = null;
  try { chosen = localStorage.getItem("risk-theme"); } catch { /* a browser that keeps nothing */ }
  const dark = window.matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark";
  document.documentElement.dataset.theme = chosen === "light" || chosen === "dark" ? chosen : dark;
})();
