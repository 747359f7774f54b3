// The risk system's own addresses, asked with the session's cookie; nothing else is ever asked.
const root = document.documentElement.dataset;
export const base = root.base;
export const version = root.version;
export const plotlyAt = root.plotly;
export const staticAt = root.static;

export class Refused extends Error {
  constructor(status, code, field, message) {
    super(message);
    Object.assign(this, { status, code, field });
  }
}

let csrf = "";
export const useCsrf = (text) => { csrf = text; };

async function answered(response) {
  const text = await response.text();
  let body;
  try { body = text ? JSON.parse(text) : {}; } catch { body = null; }
  if (body === null) throw new Refused(response.status, "NOT_JSON", "", "the answer is not the risk system's");
  if (!response.ok) {
    const error = body.error ?? {};
    throw new Refused(response.status, error.code ?? "", error.field ?? "", error.message ?? response.statusText);
  }
  return body;
}

async function asked(path, options) {
  let response;
  try {
    response = await fetch(base + path, { credentials: "same-origin", ...options });
  } catch {
    if (options.signal?.aborted) throw new Refused(0, "ABORTED", "", "given up");
    throw new Refused(0, "NO_ANSWER", "", "the risk system does not answer; is it running?");
  }
  return answered(response);
}

export const get = (path, options = {}) => asked(path, { ...options });

export const send = (method, path, body = {}, headers = {}) =>
  asked(path, {
    method,
    headers: { "Content-Type": "application/json", "X-CSRF-Token": csrf, ...headers },
    body: method === "DELETE" && !Object.keys(body).length ? undefined : JSON.stringify(body),
  });
