// Links out of the frame, into Airflow's own pages and elsewhere.

import { airflow } from "./api.js";
import { html } from "./html.js";

export const DAG = "check_streams";

export const dagRun = (run) => `dags/${DAG}/runs/${encodeURIComponent(run)}`;
export const task = (run, index) => `${dagRun(run)}/tasks/check_stream/mapped/${index}`;

/** A link to a page of Airflow. */
export const AirflowLink = ({ to, children }) => html`<${OuterLink} href=${airflow(to)}>${children}<//>`;

/** A link to another page. The frame may neither leave its place nor open another by itself: the page around it does. */
export function OuterLink({ href, apart = false, children }) {
  const target = apart ? { target: "_blank", rel: "noreferrer" } : {};
  const follow = (event) => {
    if (window.parent === window || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const outer = window.parent.document.createElement("a");
    Object.assign(outer, { href, ...target });
    window.parent.document.body.append(outer);
    outer.click();
    outer.remove();
  };
  return html`<a href=${href} ...${target} onClick=${follow}>${children}</a>`;
}
