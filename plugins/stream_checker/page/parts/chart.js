// Charts over time that fill their container. Each has a text alternative with its main values.

import { count, day, dayClock, decimal, moment, percent, shortClock } from "../format.js";
import { html } from "../html.js";
import { path } from "./sparkline.js";

const WIDTH = 600;
const HEIGHT = 140;
const DAY_MS = 86400000;
const TICKS = 4;

/** Lines, each a `[kind, name, values]`, over the times `at`. `format` formats a value, `empty` replaces missing lines. */
export function LineChart({ title, at, lines, format = decimal, empty = "No data in this period." }) {
  const most = Math.max(0, ...lines.flatMap(([, , values]) => values));
  const summary = lines.map(([, name, values]) => `${name} up to ${format(Math.max(0, ...values))}`).join(", ") || empty;
  return html`
    <${Chart} title=${title} summary=${summary} at=${at} keys=${lines} top=${format(most)} empty=${most > 0 ? null : empty}>
      ${lines.map(([kind, , values]) => html`<path class=${kind} d=${path(values, WIDTH, HEIGHT, most)} />`)}
    <//>
  `;
}

/** Shares of `kinds` in equal periods that begin `at`; `counts` has an object with the numbers by kind for each period. */
export function StackedChart({ title, at, kinds, counts, empty }) {
  const sum = (numbers) => kinds.reduce((total, kind) => total + (numbers[kind] ?? 0), 0);
  const totals = Object.fromEntries(kinds.map((kind) => [kind, counts.reduce((total, numbers) => total + (numbers[kind] ?? 0), 0)]));
  const total = sum(totals);
  const present = kinds.filter((kind) => totals[kind]);
  const width = WIDTH / counts.length;
  return html`
    <${Chart} title=${title} at=${at} top=${percent(1)} keys=${present.map((kind) => [kind, `${kind} ${percent(totals[kind] / total)}`])}
      summary=${total ? present.map((kind) => `${percent(totals[kind] / total)} ${kind}`).join(", ") : empty} empty=${total ? null : empty}>
      ${counts.map((numbers, i) => {
        const whole = sum(numbers);
        let foot = HEIGHT;
        return present.map((kind) => {
          const height = whole ? ((numbers[kind] ?? 0) / whole) * HEIGHT : 0;
          foot -= height;
          return height > 0 && html`<rect class=${kind} x=${i * width} y=${foot} width=${Math.max(1, width - 1)} height=${height}><title>${moment(at[i])}: ${count(numbers[kind])} ${kind}</title></rect>`;
        });
      })}
    <//>
  `;
}

function Chart({ title, summary, at, keys, top, empty, children }) {
  const times = at.map((one) => new Date(one).getTime());
  const [first, last] = [times[0], times.at(-1)];
  const format = last - first > 7 * DAY_MS ? day : last - first > DAY_MS / 2 ? dayClock : shortClock;
  const ticks = times.length ? Array.from({ length: TICKS + 1 }, (_, i) => format(first + ((last - first) * i) / TICKS)) : [];
  return html`
    <section class="card">
      <div class="spread wrap"><h2>${title}</h2>
        <span class="small">${!empty && keys.map(([kind, name]) => html`<span class="key ${kind}"><span>${name}</span></span>`)}</span></div>
      <div class="small muted">${empty ?? top}</div>
      <svg class="chart" viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" role="img" aria-label="${title}: ${summary}">
        ${[0, 0.5, 1].map((share) => html`<line x1="0" x2=${WIDTH} y1=${HEIGHT * share} y2=${HEIGHT * share} />`)}
        ${children}
      </svg>
      <div class="spread small muted ticks">${ticks.map((tick) => html`<span>${tick}</span>`)}</div>
    </section>
  `;
}
