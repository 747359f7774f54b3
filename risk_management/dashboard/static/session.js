// Who looks, how far that reaches, and which of the system's addresses there are.
import { get, send, useCsrf } from "./api.js";

const RANKS = ["read", "trade", "operate", "admin"];
const state = { who: null, problem: null, routes: null, fields: {} };
const listeners = new Set();

export const session = () => state;
export function onSession(told) { listeners.add(told); return () => listeners.delete(told); }
const tell = () => { for (const told of listeners) told(state); };

export async function look() {
  try {
    state.who = await get("session");
    useCsrf(state.who.csrf);
    state.problem = null;
    const document_ = await get("openapi.json");
    state.routes = {};
    for (const [path, methods] of Object.entries(document_.paths)) {
      const short = path.replace(/^\/api\/risk/, "");
      for (const [method, said] of Object.entries(methods)) {
        const route = `${method.toUpperCase()} ${short}`;
        const of = said.requestBody?.content?.["application/json"]?.schema?.$ref?.split("/").pop();
        state.routes[route] = said["x-scope"];
        state.fields[route] = Object.keys(document_.components.schemas[of]?.properties ?? {});
      }
    }
  } catch (problem) {
    state.who = null;
    state.problem = problem;
  }
  tell();
}

export async function enter(token) {
  await send("POST", "session", {}, { Authorization: `Bearer ${token}` });
  await look();
}

// Whoever came by a printed link says who it is; the journal has it from then on.
export async function callMe(name) {
  await send("PUT", "session", { name });
  state.who = { ...state.who, name, is_named: true };
  tell();
}

export async function leave() {
  await send("DELETE", "session").catch(() => {});  // it may have ended already
  state.who = null;
  tell();
}

// Whether this server has an address at all; what it lacks is not shown.
export const exists = (route) => Boolean(state.routes?.[route]);

// The first address that looks like this, and the fields of a body that it takes.
export const routeLike = (pattern) => Object.keys(state.routes ?? {}).find((route) => pattern.test(route));
export const taken = (route, values) => Object.fromEntries(Object.entries(values).filter(([name]) => state.fields[route]?.includes(name)));

// Why whoever looks may not do it; empty where they may.
export function whyNot(route) {
  const scope = state.routes?.[route] ?? "operate";
  if (!state.who) return `Sign in to do this: it takes a link from “risk serve”, or a token of the scope ${scope}.`;
  if (RANKS.indexOf(state.who.access) < RANKS.indexOf(scope)) {
    return `This takes the scope ${scope}; you are signed in as ${state.who.name} with ${state.who.access}.`;
  }
  return "";
}
