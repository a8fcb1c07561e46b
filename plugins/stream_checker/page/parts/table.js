import { count } from "../format.js";
import { html, useState } from "../html.js";

/**
 * A table. Each column has a `title` and a `cell` of a row; `minor` ones are left out on a phone, `number` ones stand
 * to the right, `clip` ones are cut where they are long, and the first that is `head` names the row. Those with a
 * `sort` (its name) sort the rows by a press of their title: `sorted` is the name now, after a `-` when it falls, and
 * `onSort` gets the new one. Of many rows the first `step` are shown, and so many more by each press of a button.
 */
export function Table({ caption, columns, rows, id, empty = "Nothing here.", sorted = "", onSort, step = 100 }) {
  const [steps, setSteps] = useState(1);
  const left = rows.length - steps * step;
  const kind = (column) => [column.minor && "minor", column.number && "number", column.clip && "clip"].filter(Boolean).join(" ");
  return html`
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
                    ? html`<th scope="row" class=${kind(column)}>${column.cell(row)}</th>`
                    : html`<td class=${kind(column)}>${column.cell(row)}</td>`,
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

const direction = (name, sorted) => name && (sorted === name ? "ascending" : sorted === `-${name}` ? "descending" : null);

// Numbers begin with the greatest, words with A; a third press undoes.
function next({ sort, number }, sorted) {
  const [first, second] = number ? [`-${sort}`, sort] : [sort, `-${sort}`];
  return sorted === first ? second : sorted === second ? "" : first;
}
