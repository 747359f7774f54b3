// How the book stands, told by the server when it changes; one connection for all tabs of this browser.
import { base, get, staticAt } from "./api.js";

const QUIET = 20000; // two beats that did not come, nearly: what is shown may be old
const POLL = 2000;
const state = { pulse: null, at: 0, heard: 0, way: "connecting", problem: null };
const listeners = new Set();
let polling = null;
let listening = null;

export const live = () => state;
export function onLive(told) { listeners.add(told); return () => listeners.delete(told); }
const tell = () => { for (const told of listeners) told(state); };

export const isQuiet = () => performance.now() - state.heard > QUIET;

// Seconds of the engine's clock since a moment: its clock may be a replay's.
export function ageOf(iso) {
  if (!iso || !state.pulse) return NaN;
  return (Date.parse(state.pulse.now) - Date.parse(iso) + performance.now() - state.at) / 1000;
}

function heard(pulse, way) {
  const now = performance.now();
  if (pulse) { state.pulse = pulse; state.at = now; }
  Object.assign(state, { heard: now, way, problem: null });
  tell();
}

async function poll() {
  try {
    heard(await get("pulse"), "asking");
  } catch (problem) {
    if (problem.code !== "ABORTED") { state.problem = problem; tell(); }
  }
}

function startPolling() {
  if (polling) return;
  polling = setInterval(poll, POLL);
  poll();
}

function stopPolling() { clearInterval(polling); polling = null; }

function took(message) {
  if (message.kind === "pulse") { stopPolling(); heard(message.pulse, "live"); }
  else if (message.kind === "beat") { if (state.pulse) heard(null, "live"); }
  else startPolling();
}

// The connection: by a worker that all tabs share, or of this tab where a browser has no such worker.
export async function start() {
  stop();
  const url = new URL(`${base}stream`, location.href).href;
  if (window.SharedWorker) {
    const worker = new SharedWorker(`${staticAt}live-worker.js`, { name: `risk ${url}` });
    worker.port.onmessage = (event) => took(event.data);
    worker.onerror = startPolling;
    worker.port.postMessage({ kind: "open", url });
    const leaving = () => worker.port.postMessage({ kind: "close" });
    addEventListener("pagehide", leaving);
    listening = { close: () => { leaving(); removeEventListener("pagehide", leaving); worker.port.close(); } };
  } else {
    const { connect } = await import("./stream.js");
    listening = connect(url, took);
  }
}

export function stop() { listening?.close(); listening = null; stopPolling(); }

addEventListener("pageshow", (event) => { if (event.persisted) start(); });
setInterval(() => { if (state.pulse && isQuiet()) { startPolling(); tell(); } }, 1000);
