// A view of the API, asked again when the book changed while it is looked at; never more often than `every`.
import { useEffect, useRef, useState } from "./ui.js";
import { get } from "./api.js";
import { live, onLive } from "./live.js";

export function useLive() {
  const [, turn] = useState(0);
  useEffect(() => onLive(() => turn((n) => n + 1)), []);
  return live();
}

// A number that goes up each second, for ages.
export function useSecond() {
  const [count, set] = useState(0);
  useEffect(() => { const timer = setInterval(() => set((n) => n + 1), 1000); return () => clearInterval(timer); }, []);
  return count;
}

// `state` is the version of a view that stands beside it: it is asked again when that is another one.
export function useAsked(path, { every = 1000, follow = true, state: version } = {}) {
  const [state, set] = useState({ data: null, problem: null, path: null });
  const again = useRef(() => {});
  useEffect(() => {
    if (!path) return undefined;
    let ended = false, timer = null, last = 0, seen = null;
    const aborts = new AbortController();
    const ask = async () => {
      clearTimeout(timer);
      timer = "busy";
      last = performance.now();
      seen = live().pulse?.state_version ?? null;
      try {
        const data = await get(version === undefined ? path : `${path}&state=${version}`, { signal: aborts.signal });
        if (!ended) set({ data, problem: null, path });
      } catch (problem) {
        if (!ended) set((old) => ({ data: old.path === path ? old.data : null, problem, path }));
      }
      timer = null;
      if (!ended && follow && live().pulse && live().pulse.state_version !== seen) later();
    };
    const later = () => {
      if (timer) return;
      timer = setTimeout(ask, Math.max(0, every - (performance.now() - last)));
    };
    again.current = ask;
    ask();
    const off = follow ? onLive(({ pulse }) => { if (pulse && pulse.state_version !== seen && !document.hidden) later(); }) : () => {};
    return () => { ended = true; off(); aborts.abort(); if (timer !== "busy") clearTimeout(timer); };
  }, [path, every, follow, version]);
  const mine = state.path === path ? state : { data: null, problem: null };
  return { ...mine, again: () => again.current() };
}
