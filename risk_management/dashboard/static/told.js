// What an alert says, where its numbers are old: as it was told, when, and what they are now.
import { amount, ended, firstOf, time, words } from "./format.js";

const FRESH = 60e3;
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

// "3 Mar", with the clock where it was today.
function day(iso, now, zone) {
  const text = time(iso, zone);
  return text.slice(0, 10) === time(now, zone).slice(0, 10) ? text.slice(11, 16) : `${Number(text.slice(8, 10))} ${MONTHS[Number(text.slice(5, 7)) - 1]}`;
}

// The numbers of its condition as the book is now; empty where they are not known, or still those that were told.
export function present(alert) {
  const rows = alert.present ?? [];
  if (rows.every((row) => amount(row.value, row.unit) === amount(alert.values[row.metric], row.unit))) return "";
  return rows.map((row) => `${words(row.metric)} is ${amount(row.value, row.unit)}`).join(", ");
}

export function said(alert, now, zone) {
  const text = firstOf(alert.message)[0];
  if (present(alert)) return `Now ${present(alert)}. When it was told, ${day(alert.at, now, zone)}: ${text}`;
  const isOld = Date.parse(now) - Date.parse(alert.at) > FRESH && !alert.present?.length && /\d/.test(text);
  return isOld ? `When it was told, ${day(alert.at, now, zone)}: ${ended(text)}` : text;
}
