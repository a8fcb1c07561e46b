import { html } from "../html.js";
import { replaceFilters } from "../router.js";

// Between the cursors of the pages in the address. A cursor is Base64 for URLs, which has no such character.
const BETWEEN = "~";

/** The pages of a list: the address holds the cursors of all pages up to the present one, so that a reload keeps it. */
export function pagesOf(view, filters) {
  const all = Object.fromEntries(filters);
  const { pages = "", ...chosen } = all;
  const cursors = pages ? pages.split(BETWEEN) : [];
  const show = (next) => replaceFilters(view, { ...chosen, pages: next.join(BETWEEN) });
  return {
    chosen,
    cursor: cursors.at(-1) ?? "",
    number: cursors.length,
    previous: cursors.length ? () => show(cursors.slice(0, -1)) : null,
    next: (cursor) => show([...cursors, cursor]),
    filter: (change) => replaceFilters(view, { ...chosen, ...change }),
  };
}

export const PageButtons = ({ pages, next }) => html`
  <div class="row" role="group" aria-label="Pages">
    <button disabled=${!pages.previous} onClick=${pages.previous}>Previous</button>
    <button disabled=${!next} onClick=${() => pages.next(next)}>Next</button>
  </div>
`;
