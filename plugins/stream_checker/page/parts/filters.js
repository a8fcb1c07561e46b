import { html, useEffect, useState } from "../html.js";

const narrow = matchMedia("(max-width: 44rem)");

/** Return whether the page is as narrow as on a phone, and render again when that changes. */
export function useNarrow() {
  const [isNarrow, setNarrow] = useState(narrow.matches);
  useEffect(() => {
    const follow = () => setNarrow(narrow.matches);
    narrow.addEventListener("change", follow);
    return () => narrow.removeEventListener("change", follow);
  }, []);
  return isNarrow;
}

/** The search and the filters of a list; `set` is the number of filters in use. On a phone the filters are folded. */
export function Filters({ label, search, set, children }) {
  const isNarrow = useNarrow();
  const folded = html`<details class="filters"><summary>Filters${set > 0 && ` (${set} in use)`}</summary><div class="row">${children}</div></details>`;
  return html`<div class="row" role="search" aria-label=${label}>${search}${isNarrow ? folded : children}</div>`;
}
