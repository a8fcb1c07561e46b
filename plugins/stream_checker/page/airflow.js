// Links from the frame to Airflow's own pages and to other sites.

import { airflowUrl, getFile } from "./api.js";
import { html } from "./html.js";

export const DAG = "check_streams";
// The browser has read a file of this page's memory by then.
const SAVING_MS = 60000;

export const runPath = (run) => `dags/${DAG}/runs/${encodeURIComponent(run)}`;
export const taskPath = (run, mapIndex) => `${runPath(run)}/tasks/check_stream/mapped/${mapIndex}`;

/** A link to a page of Airflow. */
export const AirflowLink = ({ to, children }) => html`<${OuterLink} href=${airflowUrl(to)}>${children}<//>`;

/** A link out of the frame. The parent page follows it: the frame may neither navigate it, nor open a window or save a file. */
export function OuterLink({ href, newTab = false, download = false, children }) {
  const target = { ...(newTab && { target: "_blank", rel: "noreferrer" }), ...(download && { download: "" }) };
  const follow = (event) => {
    if (window.parent === window || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    followInParent({ href, ...target });
  };
  return html`<a href=${href} ...${target} class=${download ? "button" : null} onClick=${follow}>${children}</a>`;
}

function followInParent(attributes) {
  const link = window.parent.document.createElement("a");
  Object.assign(link, attributes);
  window.parent.document.body.append(link);
  link.click();
  link.remove();
}

/** Save the file of a route; its problem document becomes an error. */
export async function save(path, name) {
  const href = URL.createObjectURL(await getFile(path));
  followInParent({ href, download: name });
  setTimeout(() => URL.revokeObjectURL(href), SAVING_MS);
}
