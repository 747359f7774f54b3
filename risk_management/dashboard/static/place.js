// What is looked at stands in the address: the view, the range, the selection, the zone.
import { useEffect, useState } from "./ui.js";

const listeners = new Set();

export function place() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  return { view: path || "overview", words: Object.fromEntries(new URLSearchParams(query)) };
}

export function address(view, words = {}) {
  const kept = Object.entries(words).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const query = new URLSearchParams(kept).toString();
  return `#/${view}${query ? `?${query}` : ""}`;
}

// Go to a view; words of the address that hold everywhere stay.
export function go(view, words = {}) {
  const { tz } = place().words;
  location.hash = address(view, { tz, ...words });
}

// Change some words of the address of this view, without a step in the history.
export function say(words) {
  const now = place();
  history.replaceState(null, "", address(now.view, { ...now.words, ...words }));
  for (const told of listeners) told();
}

export function usePlace() {
  const [here, set] = useState(place);
  useEffect(() => {
    const told = () => set(place());
    listeners.add(told);
    addEventListener("hashchange", told);
    return () => { listeners.delete(told); removeEventListener("hashchange", told); };
  }, []);
  return here;
}

export const zoneOf = (words) => (words.tz === "local" ? "local" : "utc");
