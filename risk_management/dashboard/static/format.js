// Numbers and times as people read them. What is not known is a dash, never a zero.
export const DASH = "–";
const cache = new Map();

function plain(digits) {
  if (!cache.has(digits)) {
    cache.set(digits, new Intl.NumberFormat("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits }));
  }
  return cache.get(digits);
}

export const known = (value) => typeof value === "number" && Number.isFinite(value);
export const number = (value, digits = 0) => (known(value) ? minus(plain(digits).format(value)) : DASH);
export const percent = (value, digits = 1) => (known(value) ? `${number(100 * value, digits)} %` : DASH);

export function money(value, digits) {
  if (!known(value)) return DASH;
  const cents = digits ?? (Math.abs(value) < 1000 ? 2 : 0);
  return number(value, cents);
}

export function signed(value, write = money) {
  if (!known(value)) return DASH;
  const text = write(value);
  return value > 0 ? `+${text}` : text;
}

export const minus = (text) => text.replace("-", "−");
export const words = (name) => (name === "var" ? "VaR" : String(name).replaceAll("_", " "));
export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

// Whom a hold is on; some trade for no strategy.
export const whom = (scope, name) => (scope === "portfolio" ? scope : name ? `${scope} ${name}` : "what trades for no strategy");

// What is told of an alert: its first sentence says what is, the others what was done and what can be.
export function firstOf(message) {
  const found = /^(.+?[.!?])\s+(?=[A-Z])(.*)$/s.exec(message);
  return found ? [found[1], found[2]] : [message, ""];
}
export const ended = (text) => (/[.!?]$/.test(text) ? text : `${text}.`);

// A number in the unit that the engine names.
export function amount(value, unit) {
  if (!known(value)) return DASH;
  if (unit === "fraction") return percent(value, 2);
  if (unit === "money") return money(value);
  if (unit === "seconds") return span(value);
  if (unit === "score") return number(value, 1);
  if (unit === "count") return number(value, Number.isInteger(value) ? 0 : 2);
  return number(value, 2);
}

// How long ago: "now", or so many seconds, hours or days.
export const ago = (seconds) => (span(seconds) === "now" ? "now" : `${span(seconds)} ago`);

export function span(seconds) {
  if (!known(seconds)) return DASH;
  const s = Math.max(0, seconds);
  if (s < 1) return "now";
  if (s < 90) return `${Math.round(s)} s`;
  if (s < 5400) return `${Math.round(s / 60)} min`;
  if (s < 36 * 3600) return `${(s / 3600).toFixed(1)} h`;
  return `${Math.round(s / 86400)} d`;
}

const zone = (zoneName) => (zoneName === "local" ? undefined : "UTC");

export function time(iso, zoneName = "utc") {
  if (!iso) return DASH;
  const moment = new Date(iso);
  if (Number.isNaN(moment.getTime())) return String(iso);
  const parts = { year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23", timeZone: zone(zoneName) };
  return new Intl.DateTimeFormat("sv-SE", parts).format(moment);
}

export function clock(iso, zoneName = "utc") {
  const text = time(iso, zoneName);
  return text === DASH ? text : text.slice(11);
}

export const csv = (rows) => {
  if (!rows.length) return "";
  const names = Object.keys(rows[0]);
  const cell = (value) => {
    if (value === null || value === undefined) return "";
    const text = typeof value === "object" ? JSON.stringify(value) : String(value);
    // a text that begins like a formula would be one in a spreadsheet
    const safe = typeof value === "string" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
    return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  return [names.join(","), ...rows.map((row) => names.map((name) => cell(row[name])).join(","))].join("\r\n");
};

// Sentences side by side, their full stops left out.
export const together = (sentences) => sentences.map((one) => one.replace(/\.$/, "")).join("; ");
