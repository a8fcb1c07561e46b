import { route } from "../api.js";
import { html, useEffect, useState } from "../html.js";

/** The stream's last picture, or an empty place while there is none. */
export function Picture({ stream, name, large = false }) {
  const [missing, setMissing] = useState(false);
  useEffect(() => setMissing(false), [stream]);
  const kind = `picture ${large ? "large" : ""}`;
  if (missing) return html`<span class=${kind}></span>`;
  return html`
    <img class=${kind} loading="lazy" decoding="async" width="72" height="40" alt=${`Last picture of ${name}`}
      src=${route(`streams/${stream}/thumbnail`)} onError=${() => setMissing(true)} />
  `;
}
