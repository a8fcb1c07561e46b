// The columns of a table that the user has chosen, kept by the browser.

import { html, useState } from "../html.js";
import { useNarrow } from "./filters.js";

const KEY = "streamflow.columns.";

function stored(name) {
  try {
    const titles = JSON.parse(localStorage.getItem(KEY + name));
    return Array.isArray(titles) ? titles : null;
  } catch {
    return null;
  }
}

const isFixed = (column) => column.head || column.fixed;

/** Return `{shown, optional, isShown, toggle, reset}`. Without a choice, a phone shows the columns that are not `minor`. */
export function useColumns(name, columns) {
  const [chosen, setChosen] = useState(() => (name === null ? null : stored(name)));
  const isNarrow = useNarrow();
  const optional = columns.filter((column) => !isFixed(column));
  const isShown = (column) => (chosen ? chosen.includes(column.title) : !(column.minor && isNarrow));
  const keep = (titles) => {
    setChosen(titles);
    try {
      if (titles === null) localStorage.removeItem(KEY + name);
      else localStorage.setItem(KEY + name, JSON.stringify(titles));
    } catch {
      // Without its storage, the browser keeps the choice until the page is loaded again.
    }
  };
  return {
    shown: chosen === null ? columns : columns.filter((column) => isFixed(column) || isShown(column)).map((column) => ({ ...column, minor: false })),
    optional,
    isShown,
    toggle: (column) => keep(optional.filter((one) => isShown(one) !== (one === column)).map((one) => one.title)),
    reset: chosen === null ? null : () => keep(null),
  };
}

export const ColumnChoice = ({ choice }) => html`
  <details class="choice">
    <summary>Columns</summary>
    <div class="row card" role="group" aria-label="Columns">
      ${choice.optional.map((column) => html`
        <label class="tick" key=${column.title}><input type="checkbox" checked=${choice.isShown(column)} onChange=${() => choice.toggle(column)} /> ${column.title}</label>
      `)}
      ${choice.reset && html`<button type="button" onClick=${choice.reset}>Reset the columns</button>`}
    </div>
  </details>
`;
