// Data that stays current: asked for again when the server tells of a change, and by the clock behind that.

import { get, route } from "./api.js";
import { useEffect, useState } from "./html.js";

const POLL_MS = 3000;
const POLL_BEHIND_EVENTS_MS = 20000;
const LEAST_MS = 700;
const RECONNECT_MS = 30000;
const KINDS = ["lease", "progress", "result", "run"];

let source = null;
const listeners = new Map(KINDS.map((kind) => [kind, new Set()]));

// A browser opens few connections to one server, and every hidden tab would hold one of them.
function connect() {
  if (source || document.hidden) return;
  const opened = new EventSource(route("events"));
  source = opened;
  for (const kind of KINDS) {
    opened.addEventListener(kind, (event) => {
      const data = JSON.parse(event.data);
      for (const listener of listeners.get(kind)) listener(data);
    });
  }
  // It tries again by itself after a break, but not after a refusal.
  opened.addEventListener("error", () => {
    if (opened.readyState === EventSource.CLOSED) setTimeout(() => source === opened && reconnect(), RECONNECT_MS);
  });
}

function reconnect() {
  source?.close();
  source = null;
  connect();
}

document.addEventListener("visibilitychange", reconnect);

const connected = () => source?.readyState === EventSource.OPEN;

/** Call `listener` with the data of every event of these kinds. */
export function useEvents(kinds, listener) {
  useEffect(() => {
    connect();
    for (const kind of kinds) listeners.get(kind).add(listener);
    return () => {
      for (const kind of kinds) listeners.get(kind).delete(listener);
    };
  }, [listener]);
}

/**
 * `{data, error, reload}` of a route, asked again after events of these kinds (`least` after each) and every so often;
 * a null path asks for nothing.
 */
export function useLive(path, kinds = [], every = POLL_MS, least = LEAST_MS) {
  const [state, setState] = useState({ path, data: null, error: null });
  const [round, setRound] = useState(0);
  useEffect(() => {
    if (path === null) return;
    const aborter = new AbortController();
    let timer = null;
    let due = Infinity;
    const plan = (delay) => {
      const at = performance.now() + delay;
      if (at >= due) return;
      due = at;
      clearTimeout(timer);
      timer = setTimeout(load, delay);
    };
    async function load() {
      due = Infinity;
      if (!document.hidden) {
        try {
          const data = await get(path, { signal: aborter.signal });
          setState({ path, data, error: null });
        } catch (error) {
          if (error.name === "AbortError") return;
          setState((before) => ({ path, data: before.path === path ? before.data : null, error }));
        }
      }
      plan(kinds.length && connected() ? POLL_BEHIND_EVENTS_MS : every);
    }
    const soon = () => plan(least);
    const seen = () => document.hidden || plan(0);
    connect();
    for (const kind of kinds) listeners.get(kind).add(soon);
    document.addEventListener("visibilitychange", seen);
    load();
    return () => {
      aborter.abort();
      document.removeEventListener("visibilitychange", seen);
      clearTimeout(timer);
      for (const kind of kinds) listeners.get(kind).delete(soon);
    };
  }, [path, round]);
  const current = state.path === path ? state : { data: null, error: null };
  return { data: current.data, error: current.error, reload: () => setRound((n) => n + 1) };
}
