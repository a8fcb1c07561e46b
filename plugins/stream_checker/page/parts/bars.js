import { count } from "../format.js";
import { html } from "../html.js";

const MOST_CELLS = 24;

/** Slots in use by checks, viewers and whoever else, and those free, of a limit (0 or null: unlimited). */
export function Slots({ limit, active, viewers = 0, elsewhere = 0, effective = null }) {
  const used = active + viewers + elsewhere;
  const total = Math.max(limit || used, used, 1);
  const barred = limit && effective !== null ? Math.max(0, total - viewers - elsewhere - Math.max(effective, active)) : 0;
  const parts = [["full active", active], ["full viewers", viewers], ["full elsewhere", elsewhere], ["free", total - used - barred], ["barred", barred]];
  const told = [`${count(active)} checking`, viewers && `${count(viewers)} watched`, elsewhere && `${count(elsewhere)} elsewhere`, limit ? `of ${count(limit)}` : "no limit"];
  return html`
    <div class="bar" role="img" aria-label=${told.filter(Boolean).join(", ")}>
      ${total <= MOST_CELLS
        ? parts.flatMap(([kind, number]) => Array.from({ length: number }, () => html`<i class=${kind}></i>`))
        : parts.map(([kind, number]) => number > 0 && html`<i class=${kind} style=${{ flexGrow: number }}></i>`)}
    </div>
  `;
}

/** Shares of a whole, each a `[kind, number]`. */
export function Shares({ of, label }) {
  const told = of.filter(([, number]) => number > 0);
  return html`
    <div class="bar shares" role="img" aria-label="${label}: ${told.map(([kind, n]) => `${count(n)} ${kind}`).join(", ")}">
      ${told.map(([kind, number]) => html`<i class="${kind} ${kind === "pending" ? "" : "full"}" style=${{ flexGrow: number }}></i>`)}
    </div>
  `;
}
