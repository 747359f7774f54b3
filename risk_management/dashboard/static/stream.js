// One connection to the stream, opened again as long as anybody wants it.
const AGAIN = 3000;
const QUIET = 40000; // a connection that says nothing for so long is dead, whatever it looks like

export function connect(url, told) {
  let source = null;
  let timer = null;
  let last = 0;
  let closed = false;

  const lost = () => {
    source?.close();
    source = null;
    told({ kind: "lost" });
    clearTimeout(timer);
    if (!closed) timer = setTimeout(open, AGAIN);
  };
  const open = () => {
    if (closed) return;
    last = performance.now();
    source = new EventSource(url, { withCredentials: true });
    source.addEventListener("pulse", (event) => { last = performance.now(); told({ kind: "pulse", pulse: JSON.parse(event.data) }); });
    source.addEventListener("beat", () => { last = performance.now(); told({ kind: "beat" }); });
    source.onerror = lost;
  };
  const watch = setInterval(() => { if (source && performance.now() - last > QUIET) lost(); }, 5000);
  open();
  return { close: () => { closed = true; clearInterval(watch); clearTimeout(timer); source?.close(); } };
}
