// Rows that the user has ticked, over all pages of a list, and what can be done with them.

import { post } from "../api.js";
import { count, plural } from "../format.js";
import { html, useState } from "../html.js";
import { ActionButton, CheckNow } from "./action_button.js";
import { SaveButton } from "./save_button.js";

// The server accepts this number of ids in a request.
const MAX = 500;
const FILES = [
  ["CSV", "results/export", "csv", "Results as a table"],
  ["JSON", "results/export", "json", "Results as JSON"],
  ["M3U", "proxy/playlist.m3u", "m3u", "A playlist for players, through Dispatcharr’s proxy"],
];

/** Return the ticked ids, and functions that change them. */
export function useSelection() {
  const [picked, setPicked] = useState(() => new Set());
  return {
    picked,
    pick: (ids, isPicked) => setPicked((before) => {
      const after = new Set(before);
      for (const id of ids) {
        if (!isPicked) after.delete(id);
        else if (after.size < MAX) after.add(id);
      }
      return after;
    }),
    clear: () => setPicked(new Set()),
  };
}

/** A column with a box in each row, and in its head a box for all rows that are shown. */
export function selectColumn({ picked, pick }, rows, id) {
  const ids = rows.map(id);
  const number = ids.filter((one) => picked.has(one)).length;
  const mark = (box) => box && (box.indeterminate = number > 0 && number < ids.length);
  return {
    title: html`<input type="checkbox" aria-label="Select all that are shown" ref=${mark} checked=${number > 0 && number === ids.length} onChange=${(event) => pick(ids, event.target.checked)} />`,
    fixed: true,
    cell: (row) => html`<input type="checkbox" aria-label=${`Select ${row.name ?? id(row)}`} checked=${picked.has(id(row))} onChange=${(event) => pick([id(row)], event.target.checked)} />`,
  };
}

/** Checks, pins or exports the selection. `field` names its records in the API: `streams` or `channels`. */
export function SelectionBar({ selection: { picked, clear }, field, noun }) {
  const [outcome, setOutcome] = useState("");
  if (picked.size === 0) return null;
  const ids = [...picked];
  const pin = (pinned) => async () => {
    const { places, channels } = await post("pins", { [field]: ids, pinned });
    setOutcome(places ? `${pinned ? "Pinned" : "Released"}: ${plural(places, "stream")} in ${plural(channels, "channel")}.` : "No channel holds these streams.");
  };
  const query = (format) => new URLSearchParams([...ids.map((id) => [`${noun}_id`, id]), ...(format === "m3u" ? [] : [["format", format]])]);
  return html`
    <div class="row selection" role="group" aria-label=${`Selected ${field}`}>
      <strong role="status">${plural(picked.size, noun)} selected${picked.size === MAX && ` (${count(MAX)} at most)`}</strong>
      <${CheckNow} of=${{ [field]: ids }} kind="main">Check the selected<//>
      <${ActionButton} action=${pin(true)}>Pin their places<//>
      <${ActionButton} action=${pin(false)}>Release<//>
      ${FILES.map(([title, path, format, about]) => html`<${SaveButton} path=${`${path}?${query(format)}`} name=${`${field}.${format}`} about=${about}>${title}<//>`)}
      <button type="button" onClick=${clear}>Clear</button>
      ${outcome && html`<span class="below" role="status">${outcome}</span>`}
    </div>
  `;
}
