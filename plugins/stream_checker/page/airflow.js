// Links from the frame to Airflow's own pages and to other sites.

import { airflowUrl } from "./api.js";
import { html } from "./html.js";

export const DAG = "check_streams";

export const runPath = (run) => `dags/${DAG}/runs/${encodeURIComponent(run)}`;
export const taskPath = (run, mapIndex) => `${runPath(run)}/tasks/check_stream/mapped/${mapIndex}`;

/** A link to a page of Airflow. */
export const AirflowLink = ({ to, children }) => html`<${OuterLink} href=${airflowUrl(to)}>${children}<//>`;

/** A link out of the frame. The parent page follows it, because the frame may neither navigate it nor open a window. */
export function OuterLink({ href, newTab = false, children }) {
  const target = newTab ? { target: "_blank", rel: "noreferrer" } : {};
  const follow = (event) => {
    if (window.parent === window || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const link = window.parent.document.createElement("a");
    Object.assign(link, { href, ...target });
    window.parent.document.body.append(link);
    link.click();
    link.remove();
  };
  return html`<a href=${href} ...${target} onClick=${follow}>${children}</a>`;
}
