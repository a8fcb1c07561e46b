// What is going on now: slots, who waits, and each running probe.

import { isPaused, pause, post, put } from "../api.js";
import { AirflowLink, DAG, task } from "../airflow.js";
import { ago, bitrate, byName, count, plural, seconds } from "../format.js";
import { html, useEffect, useMemo, useState } from "../html.js";
import { useEvents, useLive } from "../live.js";
import { Ask } from "../parts/ask.js";
import { Slots } from "../parts/bars.js";
import { Failure, Loading } from "../parts/notice.js";
import { Picture } from "../parts/picture.js";
import { Table } from "../parts/table.js";
import { link } from "../place.js";
import { StartCheck } from "./start.js";

export function NowView() {
  const status = useLive("concurrency/status", ["lease"]);
  const probes = useLive("probes", ["lease"]);
  const progress = useProgress();
  const [asking, setAsking] = useState(null);
  const now = status.data;
  if (!now) return html`<${Failure} error=${status.error} />${!status.error && html`<${Loading} of="the limits" />`}`;
  const close = () => setAsking(null);
  return html`
    <${Failure} error=${status.error ?? probes.error} />
    ${now.redis === "down" && html`<p class="notice degraded" role="alert">Redis does not answer: checks go one after another until it is back.</p>`}
    <${Everything} now=${now} ask=${setAsking} />
    <${Accounts} accounts=${now.accounts} />
    <${Running} probes=${probes.data} progress=${progress} />
    ${asking === "limit" && html`<${ChangeLimit} limit=${now.global.limit} close=${close} done=${status.reload} />`}
    ${asking === "reset" && html`<${Reset} now=${now} close=${close} done=${status.reload} />`}
    ${asking === "start" && html`<${StartCheck} accounts=${now.accounts} close=${close} />`}
  `;
}

/** The latest progress of each stream, as the server tells of it. */
function useProgress() {
  const [latest, setLatest] = useState({});
  const note = useMemo(() => ({ stream_id, state }) => setLatest((known) => ({ ...known, [stream_id]: state })), []);
  useEvents(["progress"], note);
  return latest;
}

const Everything = ({ now, ask }) => html`
  <section aria-labelledby="everything">
    <h2 id="everything">All checks</h2>
    <div class="card">
      <div class="spread">
        <span><span class="big">${count(now.global.active)}</span> ${now.global.limit ? `of ${count(now.global.limit)} slots in use` : "slots in use, no limit"}</span>
        <span class="muted">${now.mode}</span>
      </div>
      <${Slots} limit=${now.global.limit} active=${now.global.active} />
      <p class="small"><span class="key waiting"><span>${count(now.global.waiting)} waiting</span></span>
        ${now.open_at && html`<span class="muted">Redis has restarted: the first slot is given ${ago(now.open_at)}.</span>`}</p>
      <div class="row">
        <button class="main" onClick=${() => ask("start")}>Start a check…</button>
        <${Pause} />
        <button onClick=${() => ask("limit")}>Change the limit…</button>
        <button class="danger" onClick=${() => ask("reset")}>Reset…</button>
      </div>
    </div>
  </section>
`;

/** Pauses the DAG of the checks: no run is started by the schedule, and none goes on, until it is resumed. */
function Pause() {
  const [paused, setPaused] = useState(null);
  const [error, setError] = useState(null);
  useEffect(() => void isPaused(DAG).then(setPaused, setError), []);
  const toggle = () => pause(DAG, !paused).then(setPaused, setError);
  return html`
    <button disabled=${paused === null} onClick=${toggle}>${paused ? "Resume the checks" : "Pause the checks"}</button>
    ${paused && html`<span class="degraded below" role="status">Paused: no check is started.</span>`}
    ${error && html`<span class="muted small below" role="status">${error.message}</span>`}
  `;
}

// So many accounts are shown whether they are idle or not.
const FEW = 8;
// What streams without an account count for; it stands for no provider.
const isNone = (one) => !Number.isInteger(one.account_id);
const isIdle = (one) => !one.active && !one.viewers && !one.elsewhere && !one.waiting && one.believed_limit === one.max_streams;

function Accounts({ accounts }) {
  const known = accounts.filter((account) => !(isNone(account) && isIdle(account)));
  const idle = known.length > FEW ? known.filter(isIdle) : [];
  const shown = known.filter((account) => !idle.includes(account));
  const cards = (of) => html`<div class="cards">${of.toSorted(byName).map((account) => html`<${Account} key=${account.account_id} ...${account} />`)}</div>`;
  return html`
    <section aria-labelledby="accounts">
      <h2 id="accounts">Accounts</h2>
      ${known.length === 0 && html`<p class="muted">None is known yet: the next refresh or check brings them.</p>`}
      ${cards(shown)}
      ${idle.length > 0 && html`<details><summary>${plural(idle.length, "idle account")}</summary>${cards(idle)}</details>`}
    </section>
  `;
}

function Account({ name, account_id, max_streams, effective_limit, believed_limit, evidence, viewers, elsewhere, active, waiting, enabled }) {
  return html`
    <div class="card">
      <div class="spread">
        <h3 class="clip" title=${name}>${name || `Account ${account_id}`}</h3>
        <span class="muted small whole" title=${evidence.join("; ") || null}>${!enabled ? "inactive" : max_streams ? `limit ${count(max_streams)}` : "no limit"}</span>
      </div>
      <${Slots} limit=${max_streams || believed_limit} active=${active} viewers=${viewers} elsewhere=${elsewhere} effective=${effective_limit} />
      <div class="small">
        <span class="key active"><span>${count(active)} checking</span></span>
        ${viewers > 0 && html`<span class="key viewers"><span>${count(viewers)} watched</span></span>`}
        ${elsewhere > 0 && html`<span class="key elsewhere"><span>${count(elsewhere)} elsewhere</span></span>`}
        ${waiting > 0 && html`<span class="key waiting"><span>${count(waiting)} waiting</span></span>`}
      </div>
      <${Belief} limit=${max_streams} believed=${believed_limit} evidence=${evidence} />
    </div>
  `;
}

/** What the limiter believes that the account allows where that is not its limit, and what speaks for it. */
function Belief({ limit, believed, evidence }) {
  if (believed === limit || !evidence.length) return null;
  const told = limit ? `${count(believed)} of ${count(limit)}` : count(believed);
  return html`<div class="small degraded">Believed ${told}: ${evidence.join("; ")}</div>`;
}

function Running({ probes, progress }) {
  const rows = (probes?.probes ?? []).map((probe) => ({ ...probe, ...progress[probe.stream_id] }));
  const length = probes?.sample_seconds ?? 10;
  const called = (row) => row.name ?? `Stream ${row.stream_id}`;
  return html`
    <section aria-labelledby="running">
      <h2 id="running">Running probes</h2>
      <${Table} caption=${`${plural(rows.length, "stream")} being checked`} rows=${rows} id=${(row) => row.stream_id}
        empty="No stream is being checked now."
        columns=${[
          { title: "Picture", minor: true, cell: (row) => html`<${Picture} stream=${row.stream_id} name=${called(row)} />` },
          { title: "Stream", head: true, cell: (row) => html`<a href=${link("stream", row.stream_id)}>${called(row)}</a>` },
          { title: "Account", clip: true, cell: (row) => row.account },
          { title: "State", minor: true, cell: (row) => row.phase },
          { title: "Progress", cell: (row) => html`<progress max=${length} value=${Math.min(row.seconds, length)} aria-label=${`Progress of ${called(row)}`}></progress> ${seconds(row.seconds)}` },
          { title: "Bitrate", number: true, cell: (row) => bitrate(row.bitrate_kbps) },
          { title: "Task", minor: true, cell: (row) => row.run_id && row.map_index >= 0 && html`<${AirflowLink} to=${task(row.run_id, row.map_index)}>log<//>` },
        ]} />
    </section>
  `;
}

function ChangeLimit({ limit, close, done }) {
  const act = async (form) => {
    await put("concurrency/config", { global_limit: Number(form.get("limit")) });
    done();
  };
  return html`
    <${Ask} title="Change the limit" action="Change" act=${act} close=${close}>
      <p>How many streams may be checked at once, over all accounts. Running checks go on; 0 means no limit.</p>
      <label>Streams at once<input type="number" name="limit" min="0" max="10000" step="1" required value=${limit} /></label>
    <//>
  `;
}

function Reset({ now, close, done }) {
  const act = async () => {
    await post("concurrency/reset");
    done();
  };
  return html`
    <${Ask} title="Reset all slots?" action="Reset" danger act=${act} close=${close}>
      <p>For recovery, when slots are held by nobody. ${count(now.global.active)} slots are released and ${count(now.global.waiting)} waiting checks lose their place; running probes stop and are tried again.</p>
    <//>
  `;
}
