import { count } from "../format.js";
import { html, useState } from "../html.js";
import { ColumnChoice, useColumns } from "./columns.js";

/**
 * A table. A column has a `title` and a `cell` that renders a row. `head` names the row, `number` aligns to the right,
 * `clip` truncates long texts, and `minor` hides the column on a phone. A column with `sort` sorts by that name:
 * `sorted` is the current order, with a `-` when it is descending, and `onSort` receives the new one. The table shows
 * `step` rows, and as many more at each press of a button. With `choose`, a name, the user chooses its columns; `fixed`
 * ones and the head stay.
 */
export function Table({ caption, columns: all, rows, id, empty = "None.", sorted = "", onSort, step = 100, choose = null }) {
  const [steps, setSteps] = useState(1);
  const choice = useColumns(choose, all);
  const columns = choice.shown;
  const left = rows.length - steps * step;
  const kind = (column) => [column.minor && "minor", column.number && "number", column.clip && "clip"].filter(Boolean).join(" ");
  return html`
    ${choose && html`<${ColumnChoice} choice=${choice} />`}
    <div class="scroll" role="region" aria-label=${caption} tabindex="0">
      <table>
        <caption>${caption}</caption>
        <thead>
          <tr>${columns.map((column) => html`
            <th scope="col" class=${kind(column)} aria-sort=${direction(column.sort, sorted)}>
              ${column.sort ? html`<button class="sort" onClick=${() => onSort(next(column, sorted))}>${column.title}</button>` : column.title}
            </th>
          `)}</tr>
        </thead>
        <tbody>
          ${rows.slice(0, steps * step).map(
            (row) => html`
              <tr key=${id(row)}>
                ${columns.map((column) =>
                  column.head
                    ? html`<th scope="row" dir="auto" class=${kind(column)}>${column.cell(row)}</th>`
                    : html`<td class=${kind(column)} ...${column.clip ? whole(column.cell(row)) : {}}>${column.cell(row)}</td>`,
                )}
              </tr>
            `,
          )}
          ${rows.length === 0 && html`<tr><td class="muted" colspan=${columns.length}>${empty}</td></tr>`}
        </tbody>
      </table>
    </div>
    ${left > 0 && html`<div class="row"><button onClick=${() => setSteps(steps + 1)}>Show ${count(Math.min(step, left))} more of ${count(left)}</button></div>`}
  `;
}

// A text that may be cut shows itself whole in a tooltip, and in its own direction.
const whole = (text) => (typeof text === "string" ? { title: text, dir: "auto" } : {});

const direction = (name, sorted) => name && (sorted === name ? "ascending" : sorted === `-${name}` ? "descending" : null);

// The first press sorts numbers descending and words ascending, the second reverses, and the third restores.
function next({ sort, number }, sorted) {
  const [first, second] = number ? [`-${sort}`, sort] : [sort, `-${sort}`];
  return sorted === first ? second : sorted === second ? "" : first;
}
