// Links out of the frame into Airflow's own pages.

import { airflow } from "./api.js";
import { html } from "./html.js";

const DAG = "check_streams";

export const dagRun = (run) => `dags/${DAG}/runs/${encodeURIComponent(run)}`;
export const task = (run, index) => `${dagRun(run)}/tasks/check_stream/mapped/${index}`;

/** A link to a page of Airflow. The frame may not leave its place by itself, so the page around it does. */
export function AirflowLink({ to, children }) {
  const href = airflow(to);
  const follow = (event) => {
    if (window.parent === window || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const outer = window.parent.document.createElement("a");
    outer.href = href;
    window.parent.document.body.append(outer);
    outer.click();
    outer.remove();
  };
  return html`<a href=${href} onClick=${follow}>${children}</a>`;
}
