// The route of the page in the URL's fragment: a view, the id of its subject and its filters, as `#view/id?filters`.

import { useEffect, useState } from "./html.js";

function read() {
  const [path, query = ""] = location.hash.slice(1).split("?");
  const [view, ...id] = path.split("/");
  const filters = new URLSearchParams(query);
  // The tab of a run in Airflow's UI names the run in the query.
  const run = new URLSearchParams(location.search).get("run_id");
  return { view: view || "overview", id: id.map(decodeURIComponent).join("/") || (view === "run" ? run : null), filters };
}

/** Return the fragment of a route. */
export const link = (view, id, filters) => {
  const query = new URLSearchParams(filters ?? {}).toString();
  return `#${view}${id === undefined || id === null ? "" : `/${encodeURIComponent(id)}`}${query ? `?${query}` : ""}`;
};

/** Return the current route, and render again when it changes. */
export function useRoute() {
  const [route, setRoute] = useState(read);
  useEffect(() => {
    const follow = () => setRoute(read());
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);
  return route;
}

/** Replace the filters of a view without an entry in the browser's history. */
export function replaceFilters(view, filters, id = null) {
  const set = Object.entries(filters).filter(([, value]) => value);
  history.replaceState(null, "", link(view, id, set));
  dispatchEvent(new HashChangeEvent("hashchange"));
}

/** Let the title of the page name what is shown; nothing while the name is not known yet. */
export function useTitle(name) {
  useEffect(() => {
    if (name) document.title = `${name} · Stream checker`;
  }, [name]);
}

/** Keep the place in the address of Airflow's page around the frame, so that a reload shows the same view again. */
export function keepPlaceInParent() {
  let outer;
  try {
    outer = window.parent === window ? null : window.parent;
    if (outer && !location.hash && outer.location.hash) location.replace(outer.location.hash);
  } catch {
    outer = null;
  }
  if (!outer) return;
  const keep = () => {
    const { pathname, search } = outer.location;
    outer.history.replaceState(outer.history.state, "", `${pathname}${search}${location.hash}`);
  };
  addEventListener("hashchange", keep);
}
