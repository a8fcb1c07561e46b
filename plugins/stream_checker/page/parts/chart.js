// Charts over time, drawn to fill the place that they are given. Each tells its essence as text, too.

import { count, day, dayClock, decimal, moment, percent, shortClock } from "../format.js";
import { html } from "../html.js";
import { path } from "./line.js";

const WIDTH = 600;
const HEIGHT = 140;
const DAY_MS = 86400000;
const TICKS = 4;

/** Lines of `[kind, name, values]` over the times `at`; `write` tells a value. */
export function Lines({ title, at, lines, write = decimal }) {
  const most = Math.max(0, ...lines.flatMap(([, , values]) => values));
  const told = lines.map(([, name, values]) => `${name} up to ${write(Math.max(0, ...values))}`).join(", ");
  return html`
    <${Chart} title=${title} told=${told} at=${at} keys=${lines} top=${write(most)}>
      ${[0, 0.5, 1].map((share) => html`<line x1="0" x2=${WIDTH} y1=${HEIGHT * share} y2=${HEIGHT * share} />`)}
      ${lines.map(([kind, , values]) => html`<path class=${kind} d=${path(values, WIDTH, HEIGHT, most)} />`)}
    <//>
  `;
}

/** What each of the equal spans `at` is made of: `kinds` of which `counts` holds an object a span. */
export function Stacks({ title, at, kinds, counts, empty }) {
  const sum = (of) => kinds.reduce((total, kind) => total + (of[kind] ?? 0), 0);
  const all = Object.fromEntries(kinds.map((kind) => [kind, counts.reduce((total, one) => total + (one[kind] ?? 0), 0)]));
  const total = sum(all);
  const present = kinds.filter((kind) => all[kind]);
  const width = WIDTH / counts.length;
  return html`
    <${Chart} title=${title} at=${at} top=${percent(1)} keys=${present.map((kind) => [kind, `${kind} ${percent(all[kind] / total)}`])}
      told=${total ? present.map((kind) => `${percent(all[kind] / total)} ${kind}`).join(", ") : empty}>
      ${[0, 0.5, 1].map((share) => html`<line x1="0" x2=${WIDTH} y1=${HEIGHT * share} y2=${HEIGHT * share} />`)}
      ${counts.map((one, i) => {
        const whole = sum(one);
        let foot = HEIGHT;
        return present.map((kind) => {
          const height = whole ? ((one[kind] ?? 0) / whole) * HEIGHT : 0;
          foot -= height;
          return height > 0 && html`<rect class=${kind} x=${i * width} y=${foot} width=${Math.max(1, width - 1)} height=${height}><title>${moment(at[i])}: ${count(one[kind])} ${kind}</title></rect>`;
        });
      })}
    <//>
  `;
}

function Chart({ title, told, at, keys, top, children }) {
  const times = at.map((one) => new Date(one).getTime());
  const [first, last] = [times[0], times.at(-1)];
  const write = last - first > 7 * DAY_MS ? day : last - first > DAY_MS / 2 ? dayClock : shortClock;
  const ticks = times.length ? Array.from({ length: TICKS + 1 }, (_, i) => write(first + ((last - first) * i) / TICKS)) : [];
  return html`
    <section class="card">
      <div class="spread wrap"><h2>${title}</h2><span class="small">${keys.map(([kind, name]) => html`<span class="key ${kind}"><span>${name}</span></span>`)}</span></div>
      <div class="small muted">${top}</div>
      <svg class="chart" viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" role="img" aria-label="${title}: ${told}">${children}</svg>
      <div class="spread small muted ticks">${ticks.map((tick) => html`<span>${tick}</span>`)}</div>
    </section>
  `;
}
