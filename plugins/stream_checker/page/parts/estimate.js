import { duration, plural } from "../format.js";
import { html } from "../html.js";
import { useLive } from "../live.js";

const REFRESH_MS = 60000;

/** How long the check of `query` (the filters of `GET /estimate`) would take; nothing while that is not known. */
export function Estimate({ query }) {
  const { data: known } = useLive(`estimate?${new URLSearchParams(query)}`, [], REFRESH_MS);
  if (!known) return null;
  if (known.streams === 0) return html`<span class="muted">Nothing is due: every stream has a recent result.</span>`;
  return html`
    <span class="muted">${plural(known.streams, "stream")}, about ${duration(known.seconds)}${known.decides && `; ${known.decides} takes longest`}.</span>
    ${known.fits === true && html` <span class="ok">That fits its window.</span>`}
    ${known.fits === false && html` <span class="degraded">That is longer than its window: the rest follows at the next start.</span>`}
  `;
}
