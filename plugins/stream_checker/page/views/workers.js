// The workers that run the checks, and the health of the components.

import { post } from "../api.js";
import { ago, count, plural } from "../format.js";
import { html, useState } from "../html.js";
import { useLive } from "../live.js";
import { Failure, Loading } from "../parts/notice.js";
import { Table } from "../parts/table.js";

const LOOKS = { healthy: "ok", degraded: "degraded", unhealthy: "dead" };
const PARTS = { scheduler: "Scheduler", triggerer: "Triggerer", dag_processor: "DAG processor", redis: "Redis", waiters: "Waiting checks", source: "Source", memory: "Memory" };

export function WorkersView() {
  const { data: health, error } = useLive("workers/health");
  if (!health) return html`<${Failure} error=${error} />${!error && html`<${Loading} what="the workers' health" />`}`;
  return html`
    <${Failure} error=${error} />
    <section aria-labelledby="health">
      <h2 id="health">Health</h2>
      <p class="card"><span class="big"><${Health} of=${health.status} /></span> <span class="muted">${health.executor}</span></p>
      <div class="cards">
        ${Object.entries(PARTS).map(
          ([part, title]) => html`
            <div class="card">
              <h3>${title}</h3>
              <${Health} of=${health[part].status} />
              ${health[part].last_heartbeat && html`<div class="muted small">last heartbeat ${ago(health[part].last_heartbeat)}</div>`}
              ${health[part].detail && html`<div class="small">${health[part].detail}</div>`}
            </div>
          `,
        )}
      </div>
    </section>
    <section aria-labelledby="workers">
      <h2 id="workers">Workers</h2>
      <${Table} caption=${plural(health.workers.length, "worker")} rows=${health.workers} id=${(row) => row.name} empty="No worker responds."
        columns=${[
          { title: "Worker", head: true, cell: (row) => row.name },
          { title: "Tasks", number: true, cell: (row) => `${count(row.active)} of ${count(row.capacity)}` },
          { title: "Queues", minor: true, cell: (row) => row.queues.join(", ") },
          { title: "Last heartbeat", cell: (row) => ago(row.last_heartbeat) },
        ]} />
    </section>
    <${AlertTest} />
  `;
}

function AlertTest() {
  const [outcome, setOutcome] = useState(null);
  const [error, setError] = useState(null);
  const [sending, setSending] = useState(false);
  const send = async () => {
    setSending(true);
    setError(null);
    try {
      setOutcome((await post("alerts/test")).deliveries);
    } catch (problem) {
      setError(problem);
    }
    setSending(false);
  };
  return html`
    <section aria-labelledby="alerts">
      <h2 id="alerts">Alerts</h2>
      <p><button type="button" disabled=${sending} onClick=${send}>Send a test alert</button></p>
      <${Failure} error=${error} />
      <div role="status">
        ${outcome?.length === 0 && html`<p>No recipient is set: STREAMFLOW_ALERT_URLS names them.</p>`}
        ${outcome?.map((one) => html`<p>${one.recipient}: ${one.accepted ? "accepted" : "not accepted, see the log of the API server"}</p>`)}
      </div>
    </section>
  `;
}

const Health = ({ of }) => html`<span class="verdict ${LOOKS[of] ?? "pending"}">${of ?? "not known"}</span>`;
