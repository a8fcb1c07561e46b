import { apiUrl } from "../api.js";
import { html, useEffect, useState } from "../html.js";

/** The latest thumbnail of a stream, or the one before. A small one leaves an empty box while there is none, a large one nothing. */
export function Thumbnail({ stream, name, large = false, former = false }) {
  const [missing, setMissing] = useState(false);
  useEffect(() => setMissing(false), [stream]);
  const style = `picture ${large ? "large" : ""}`;
  if (missing) return large ? null : html`<span class=${style}></span>`;
  return html`
    <img class=${style} loading="lazy" decoding="async" width="72" height="40" alt=${`${former ? "Former" : "Latest"} picture of ${name}`}
      src=${apiUrl(`streams/${stream}/thumbnail${former ? "?former=true" : ""}`)} onError=${() => setMissing(true)} />
  `;
}
