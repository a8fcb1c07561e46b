// Removals that wait for a person. The answers go to Airflow, which resumes the waiting task.

import { answerRequest, get, openRequests } from "../api.js";
import { count, plural, words } from "../format.js";
import { html, useEffect, useState } from "../html.js";
import { Failure, Loading } from "../parts/notice.js";
import { Table } from "../parts/table.js";
import { Thumbnail } from "../parts/thumbnail.js";
import { useRights } from "../rights.js";
import { link } from "../router.js";

const ALL = "Remove all";
const NONE = "Remove none";
const SOME = "Remove those of the chosen channels";

export function ApprovalsView() {
  const [requests, setRequests] = useState(null);
  const [proposed, setProposed] = useState(0);
  const [error, setError] = useState(null);
  const load = () => openRequests().then((found) => (setRequests(found), setError(null)), setError);
  useEffect(() => void load(), []);
  useEffect(() => void get("matching").then((state) => setProposed(state.decisions.proposed), setError), []);
  if (!requests) return html`<${Failure} error=${error} />${!error && html`<${Loading} what="the approvals" />`}`;
  return html`
    <${Failure} error=${error} />
    ${proposed > 0 && html`<p class="card"><a href=${link("matching")}>${plural(proposed, "stream")}</a> ${proposed === 1 ? "is" : "are"} proposed for channels.</p>`}
    ${requests.length === 0 && proposed === 0 && html`<p class="muted">Nothing waits for you.</p>`}
    ${requests.map((request) => html`<${Request} key=${request.runId} ...${request} answered=${load} />`)}
  `;
}

function Request({ runId, subject, channels, answered }) {
  const { mayEdit } = useRights();
  const [chosen, setChosen] = useState(new Set());
  const [error, setError] = useState(null);
  const [isSent, setSent] = useState(false);
  const toggle = (id) => setChosen((before) => new Set(before.has(id) ? [...before].filter((one) => one !== id) : [...before, id]));
  const answer = (option) => {
    setSent(true);
    answerRequest(runId, option, option === SOME ? [...chosen] : []).then(answered, (problem) => (setError(problem), setSent(false)));
  };
  return html`
    <section class="card" aria-label=${subject}>
      <h2>${subject}</h2>
      <p class="muted">The check removed nothing: many dead streams at once are often an outage of the provider. They stay unless you decide otherwise.</p>
      <${Failure} error=${error} />
      <${Table} caption=${plural(channels.length, "channel")} rows=${channels} id=${(row) => row.channel_id}
        columns=${[
          { title: "Choose", cell: (row) => html`<input type="checkbox" aria-label=${`Choose ${row.name}`} checked=${chosen.has(row.channel_id)} onChange=${() => toggle(row.channel_id)} />` },
          { title: "Channel", head: true, cell: (row) => html`<a href=${link("channel", row.channel_id)}>${row.name}</a>` },
          { title: "Streams that would leave", cell: (row) => row.held.map((one) => html`<div class="row"><${Thumbnail} stream=${one.stream_id} name=${one.name} /><a href=${link("stream", one.stream_id)}>${one.name || one.stream_id}</a> <span class="muted">${words(one.reason)}</span></div>`) },
          { title: "Streams", number: true, cell: (row) => count(row.streams) },
        ]} />
      ${mayEdit && html`<div class="row" role="group" aria-label="Answer">
        <button disabled=${isSent} onClick=${() => answer(ALL)}>Remove all</button>
        <button disabled=${isSent || chosen.size === 0} onClick=${() => answer(SOME)}>Remove those of ${plural(chosen.size, "chosen channel")}</button>
        <button disabled=${isSent} onClick=${() => answer(NONE)}>Remove none</button>
      </div>`}
    </section>
  `;
}
