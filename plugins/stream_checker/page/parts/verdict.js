import { words } from "../format.js";
import { html } from "../html.js";

export const VERDICTS = ["ok", "degraded", "dead", "unknown", "skipped"];

/** A verdict or the state of a stream, shown by word, shape and colour. */
export const Verdict = ({ of, reason }) => html`
  <span class="verdict ${of}">${of}${reason ? html`<span class="muted small">${words(reason)}</span>` : null}</span>
`;
