import { count } from "../format.js";
import { html } from "../html.js";

const MAX_CELLS = 24;

/**
 * Slots in use and free slots of a limit (0: unlimited). `viewers` and `elsewhere` count connections of other users of
 * the account, `effective` is the limit that checks may use.
 */
export function SlotBar({ limit, active, viewers = 0, elsewhere = 0, effective = null }) {
  const used = active + viewers + elsewhere;
  const total = Math.max(limit || used, used, 1);
  const barred = limit && effective !== null ? Math.max(0, total - viewers - elsewhere - Math.max(effective, active)) : 0;
  const parts = [["full active", active], ["full viewers", viewers], ["full elsewhere", elsewhere], ["free", total - used - barred], ["barred", barred]];
  const label = [`${count(active)} checking`, viewers && `${count(viewers)} watched`, elsewhere && `${count(elsewhere)} elsewhere`, limit ? `of ${count(limit)}` : "no limit"];
  return html`
    <div class="bar" role="img" aria-label=${label.filter(Boolean).join(", ")}>
      ${total <= MAX_CELLS
        ? parts.flatMap(([kind, number]) => Array.from({ length: number }, () => html`<i class=${kind}></i>`))
        : parts.map(([kind, number]) => number > 0 && html`<i class=${kind} style=${{ flexGrow: number }}></i>`)}
    </div>
  `;
}

/** Parts of a whole, each a `[kind, number]`. */
export function ShareBar({ parts, label }) {
  const shown = parts.filter(([, number]) => number > 0);
  return html`
    <div class="bar shares" role="img" aria-label="${label}: ${shown.map(([kind, n]) => `${count(n)} ${kind}`).join(", ")}">
      ${shown.map(([kind, number]) => html`<i class="${kind} ${kind === "pending" ? "" : "full"}" style=${{ flexGrow: number }}></i>`)}
    </div>
  `;
}
