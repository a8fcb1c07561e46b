// Whether the server responds. A page that shows old data says so within five seconds.

import { useEffect, useState } from "./html.js";

// A silent server is asked for a small file: after PING_MS without a response, for at most PATIENCE_MS.
const PING_MS = 1500;
const PATIENCE_MS = 2500;
const FILE = new URL("icon.svg", document.baseURI);

let lastAt = Date.now();
let isLost = false;
let isAsking = false;
const listeners = new Set();

function set(lost) {
  if (isLost === lost) return;
  isLost = lost;
  for (const listener of listeners) listener();
}

/** Note a response, whatever it says. */
export function responded() {
  lastAt = Date.now();
  set(false);
}

/** Note that a request could not be sent, or got no response. */
export const failed = () => set(true);

async function ping() {
  if (document.hidden || isAsking || Date.now() - lastAt < PING_MS) return;
  isAsking = true;
  try {
    await fetch(FILE, { method: "HEAD", cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
    responded();
  } catch {
    failed();
  } finally {
    isAsking = false;
  }
}

/** Return whether the server is silent, and the time of its last response. */
export function useContact() {
  const [, render] = useState(0);
  useEffect(() => {
    const follow = () => render((n) => n + 1);
    const timer = setInterval(ping, PING_MS / 3);
    listeners.add(follow);
    return () => {
      clearInterval(timer);
      listeners.delete(follow);
    };
  }, []);
  return { isLost, lastAt };
}
