// Data that stays current: loaded again after an event of the server, and from time to time in case events fail.

import { apiUrl, get } from "./api.js";
import { responded } from "./contact.js";
import { useEffect, useState } from "./html.js";
import { parseJson } from "./text.js";

const POLL_MS = 3000;
const POLL_WITH_EVENTS_MS = 20000;
const MIN_DELAY_MS = 700;
const RECONNECT_MS = 30000;
const KINDS = ["lease", "progress", "result", "run"];

let source = null;
const listeners = new Map(KINDS.map((kind) => [kind, new Set()]));

// A browser opens few connections to a server, so hidden tabs hold none.
function connect() {
  if (source || document.hidden) return;
  const opened = new EventSource(apiUrl("events"));
  source = opened;
  for (const kind of KINDS) {
    opened.addEventListener(kind, (event) => {
      responded();
      const data = parseJson(event.data);
      for (const listener of listeners.get(kind)) listener(data);
    });
  }
  // The browser reconnects after a lost connection, but not after a refusal.
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

const isConnected = () => source?.readyState === EventSource.OPEN;

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
 * Return `{data, error, reload}` of a route. The data is loaded again every `pollMs`, and `delayMs` after an event of
 * one of these kinds. A null path loads nothing.
 */
export function useLive(path, kinds = [], pollMs = POLL_MS, delayMs = MIN_DELAY_MS) {
  const [state, setState] = useState({ path, data: null, error: null });
  const [round, setRound] = useState(0);
  useEffect(() => {
    if (path === null) return;
    const aborter = new AbortController();
    let timer = null;
    let due = Infinity;
    const schedule = (delay) => {
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
      schedule(kinds.length && isConnected() ? POLL_WITH_EVENTS_MS : pollMs);
    }
    const loadSoon = () => schedule(delayMs);
    const loadWhenVisible = () => document.hidden || schedule(0);
    connect();
    for (const kind of kinds) listeners.get(kind).add(loadSoon);
    document.addEventListener("visibilitychange", loadWhenVisible);
    load();
    return () => {
      aborter.abort();
      document.removeEventListener("visibilitychange", loadWhenVisible);
      clearTimeout(timer);
      for (const kind of kinds) listeners.get(kind).delete(loadSoon);
    };
  }, [path, round]);
  const current = state.path === path ? state : { data: null, error: null };
  return { data: current.data, error: current.error, reload: () => setRound((n) => n + 1) };
}
