"use strict";
// Draws the figures of the report in the theme that is asked for; on paper always light and as wide as the sheet.
(function () {
  const stored = JSON.parse(document.getElementById("figures").textContent);
  const root = document.documentElement;
  const places = [...document.querySelectorAll("[data-figure]")];
  const printed = location.hash === "#print";
  const preferred = matchMedia("(prefers-color-scheme: dark)");
  let chosen = printed ? "light" : null;

  const theme = () => chosen || (preferred.matches ? "dark" : "light");

  function draw(name) {
    for (const place of places) {
      const figure = stored.figures[place.dataset.figure][name];
      place.style.height = figure.layout.height + "px";
      const layout = Object.assign({}, figure.layout, { autosize: true, width: place.clientWidth });
      Plotly.react(place, figure.data, layout, stored.config);
    }
  }

  function show() {
    root.dataset.theme = theme();
    draw(theme());
  }

  const button = document.getElementById("theme");
  button.hidden = false;
  button.addEventListener("click", () => {
    chosen = theme() === "dark" ? "light" : "dark";
    show();
  });
  preferred.addEventListener("change", show);
  let waiting = 0;
  addEventListener("resize", () => {
    clearTimeout(waiting);
    waiting = setTimeout(show, 120);
  });
  const folded = [...document.querySelectorAll("details")];
  const unfold = () => folded.forEach((one) => { one.open = true; });
  addEventListener("beforeprint", () => {
    unfold();
    root.classList.add("paper");
    root.dataset.theme = "light";
    draw("light");
  });
  addEventListener("afterprint", () => {
    if (printed) return;
    root.classList.remove("paper");
    show();
  });
  if (printed) {
    root.classList.add("paper");
    unfold();
  }
  show();
  root.dataset.drawn = "yes";
})();
