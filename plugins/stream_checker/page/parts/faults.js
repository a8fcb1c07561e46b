// The server's faults of a form, which stand beside their fields.

import { useState } from "../html.js";

/** Return the messages by field, a function that awaits a request and keeps the faults of its refusal, and one that forgets them. */
export function useFaults() {
  const [faults, setFaults] = useState({});
  const send = async (request) => {
    try {
      const reply = await request();
      setFaults({});
      return reply;
    } catch (problem) {
      setFaults(Object.fromEntries((problem.faults ?? []).map((one) => [one.field, one.message])));
      throw problem;
    }
  };
  return { faults, send, forget: () => setFaults({}) };
}
