// What verdicts, reasons and figures mean. The texts come from the server, once for each load of the page.

import { get } from "../api.js";
import { html, useEffect, useState } from "../html.js";

let loading = null;

function load() {
  loading ??= get("explanations").catch((error) => {
    loading = null;
    throw error;
  });
  return loading;
}

/** Return all explanations; null until they are loaded. Without them the page works, only without its help. */
export function useExplanations() {
  const [explanations, setExplanations] = useState(null);
  useEffect(() => {
    let isShown = true;
    load().then((loaded) => isShown && setExplanations(loaded), () => undefined);
    return () => {
      isShown = false;
    };
  }, []);
  return explanations;
}

/** Return the explanation of a verdict's reason, or of the verdict where it has none; null until they are loaded. */
export function useReason(verdict, reason) {
  const found = useExplanations()?.verdicts.find((one) => one.word === verdict);
  return found ? (found.reasons.find((one) => one.word === reason) ?? found) : null;
}

/** Meaning and advice of a verdict's reason as sentences. */
export function Explanation({ of, reason }) {
  const found = useReason(of, reason);
  return found && html`<p>${found.meaning}${found.advice && html` <span class="muted">${found.advice}</span>`}</p>`;
}
