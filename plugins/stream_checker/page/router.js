// Where the page is: a view, what it shows, and its filters, as `#view/id?filters`.

import { useEffect, useState } from "./html.js";

function read() {
  const [path, query = ""] = location.hash.slice(1).split("?");
  const [view, ...id] = path.split("/");
  const filters = new URLSearchParams(query);
  const run = new URLSearchParams(location.search).get("run_id");
  return { view: view || "now", id: id.map(decodeURIComponent).join("/") || (view === "run" ? run : null), filters };
}

export const link = (view, id, filters) => {
  const query = new URLSearchParams(filters ?? {}).toString();
  return `#${view}${id === undefined || id === null ? "" : `/${encodeURIComponent(id)}`}${query ? `?${query}` : ""}`;
};

/** The place, followed as it changes. */
export function usePlace() {
  const [place, setPlace] = useState(read);
  useEffect(() => {
    const follow = () => setPlace(read());
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);
  return place;
}

/** Change the filters without a step in the browser's history. */
export function refine(view, filters) {
  const given = Object.entries(filters).filter(([, value]) => value);
  history.replaceState(null, "", link(view, null, given));
  dispatchEvent(new HashChangeEvent("hashchange"));
}
