// Windows and events over the 24 hours of a clock.

import { html } from "../html.js";

const MINUTES = 1440;
const TICKS = [0, 6, 12, 18, 24];
const place = (minute) => `${(minute / MINUTES) * 100}%`;

/** Return the parts of a time span that begins at a minute of the day; one over midnight has two. */
function parts(start, length) {
  const end = start + Math.min(length, MINUTES);
  return end <= MINUTES ? [[start, end]] : [[start, MINUTES], [0, end - MINUTES]];
}

/**
 * One bar for each of `rows`, each with a `name`, a `label` in words, `spans` as `[kind, first minute, minutes]`, and
 * `marks` as `[minute, title]`. `now` is the minute of the day.
 */
export const DayBars = ({ rows, now }) => html`
  <div class="days">
    ${rows.map(({ name, label, spans = [], marks = [] }) => html`
      <span class="clip" title=${name} dir="auto">${name}</span>
      <div class="day" role="img" aria-label=${label}>
        ${spans.flatMap(([kind, start, length]) => parts(start, length).map(([first, last]) => html`<i class=${kind} style=${{ left: place(first), width: place(last - first) }}></i>`))}
        ${marks.map(([minute, title]) => html`<b title=${title} style=${{ left: place(minute) }}></b>`)}
        <u style=${{ left: place(now) }}></u>
      </div>
    `)}
    <span></span>
    <div class="day-ticks muted small" aria-hidden="true">${TICKS.map((hour) => html`<span style=${{ left: place(hour * 60) }}>${String(hour).padStart(2, "0")}</span>`)}</div>
  </div>
`;
