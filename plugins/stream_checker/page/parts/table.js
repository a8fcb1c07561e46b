import { html } from "../html.js";

/**
 * A table. Each column has a `title` and a `cell` of a row; `minor` ones are left out on a phone, `number` ones stand
 * to the right, and the first that is `head` names the row.
 */
export function Table({ caption, columns, rows, id, empty = "Nothing here." }) {
  const kind = (column) => [column.minor && "minor", column.number && "number"].filter(Boolean).join(" ");
  return html`
    <div class="scroll" role="region" aria-label=${caption} tabindex="0">
      <table>
        <caption>${caption}</caption>
        <thead>
          <tr>${columns.map((column) => html`<th scope="col" class=${kind(column)}>${column.title}</th>`)}</tr>
        </thead>
        <tbody>
          ${rows.map(
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
  `;
}
