// Shared by all tabs: holds the one connection and hands on what it hears.
const ports = new Set();
let connection = null;
let newest = null;
let connect = null;
const ready = import("./stream.js").then((module) => { connect = module.connect; });

function told(message) {
  newest = message.kind === "pulse" ? message : message.kind === "lost" ? null : newest;
  for (const port of ports) port.postMessage(message);
}

async function opened(port, url) {
  await ready;
  ports.add(port);
  if (newest) port.postMessage(newest);
  connection ??= connect(url, told);
}

function left(port) {
  ports.delete(port);
  if (!ports.size) { connection?.close(); connection = null; newest = null; }
}

self.onconnect = (event) => {
  const [port] = event.ports;
  port.onmessage = ({ data }) => (data.kind === "open" ? opened(port, data.url) : left(port));
};
