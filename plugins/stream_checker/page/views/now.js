// The slots in use, the accounts with their waiting checks, and each running probe.

import { isPaused, post, put, setPaused } from "../api.js";
import { AirflowLink, DAG, taskPath } from "../airflow.js";
import { ago, bitrate, byName, count, localTimes, plural, seconds } from "../format.js";
import { html, useEffect, useMemo, useState } from "../html.js";
import { useEvents, useLive } from "../live.js";
import { CheckNow } from "../parts/action_button.js";
import { SlotBar } from "../parts/bars.js";
import { FormDialog } from "../parts/form_dialog.js";
import { Failure, Loading } from "../parts/notice.js";
import { Table } from "../parts/table.js";
import { Thumbnail } from "../parts/thumbnail.js";
import { link } from "../router.js";
import { useRights } from "../rights.js";
import { StartDialog } from "./start_dialog.js";

export function NowView() {
  const status = useLive("concurrency/status", ["lease"]);
  const probes = useLive("probes", ["lease"]);
  const progress = useProgress();
  const [dialog, setDialog] = useState(null);
  const now = status.data;
  if (!now) return html`<${Failure} error=${status.error} />${!status.error && html`<${Loading} what="the limits" />`}`;
  const close = () => setDialog(null);
  return html`
    <${Failure} error=${status.error ?? probes.error} />
    ${now.redis === "down" && html`<p class="notice degraded" role="alert">Redis is unavailable. Streams are checked one after another until it is back. The accounts below are as at their last refresh, and nobody knows who uses them.</p>`}
    <${AllChecks} now=${now} open=${setDialog} />
    <${Accounts} accounts=${now.accounts} isKnown=${now.redis === "up"} />
    <${RunningProbes} probes=${probes.data} progress=${progress} />
    ${dialog === "limit" && html`<${LimitDialog} limit=${now.global.limit} close=${close} done=${status.reload} />`}
    ${dialog === "reset" && html`<${ResetDialog} now=${now} close=${close} done=${status.reload} />`}
    ${dialog === "start" && html`<${StartDialog} accounts=${now.accounts} close=${close} />`}
  `;
}

/** Return the latest progress of each stream, from the events of the server. */
function useProgress() {
  const [latest, setLatest] = useState({});
  const update = useMemo(() => ({ stream_id, state }) => setLatest((before) => ({ ...before, [stream_id]: state })), []);
  useEvents(["progress"], update);
  return latest;
}

const AllChecks = ({ now, open }) => {
  const { mayEdit } = useRights();
  return html`
  <section aria-labelledby="all-checks">
    <h2 id="all-checks">All checks</h2>
    <div class="card">
      <div class="spread">
        <span><span class="big">${count(now.global.active)}</span> ${now.global.limit ? `of ${count(now.global.limit)} slots in use` : "slots in use, no limit"}</span>
        <span class="muted">${now.mode}</span>
      </div>
      <${SlotBar} limit=${now.global.limit} active=${now.global.active} />
      <p class="small"><span class="key waiting"><span>${count(now.global.waiting)} waiting</span></span>
        ${now.open_at && html`<span class="muted">Redis has restarted. The first slot is granted ${ago(now.open_at)}.</span>`}</p>
      ${mayEdit && html`<div class="row">
        <button class="main" onClick=${() => open("start")}>Start a check…</button>
        <${PauseButton} />
        <button onClick=${() => open("limit")}>Change the limit…</button>
        <button class="danger" onClick=${() => open("reset")}>Reset…</button>
      </div>`}
    </div>
  </section>
`;
};

/** Pauses the DAG of the checks: the schedule starts no run, and running runs stop after their current tasks. */
function PauseButton() {
  const [paused, setState] = useState(null);
  const [error, setError] = useState(null);
  useEffect(() => void isPaused(DAG).then(setState, setError), []);
  const toggle = () => setPaused(DAG, !paused).then(setState, setError);
  return html`
    <button disabled=${paused === null} onClick=${toggle}>${paused ? "Resume the checks" : "Pause the checks"}</button>
    ${paused && html`<span class="degraded below" role="status">Paused: no check is started.</span>`}
    ${error && html`<span class="muted small below" role="status">${error.message}</span>`}
  `;
}

// With more accounts than this, idle accounts are folded away.
const FEW = 8;
// Streams without an account have a word instead of an account id; they belong to no provider.
const hasNoProvider = (account) => !Number.isInteger(account.account_id);
const isIdle = (account) =>
  !account.active && !account.viewers && !account.elsewhere && !account.waiting && account.believed_limit === account.max_streams;

function Accounts({ accounts, isKnown }) {
  const listed = accounts.filter((account) => !(hasNoProvider(account) && isIdle(account)));
  const idle = listed.length > FEW && isKnown ? listed.filter(isIdle) : [];
  const shown = listed.filter((account) => !idle.includes(account));
  const cards = (some) => html`<div class="cards">${some.toSorted(byName).map((account) => html`<${Account} key=${account.account_id} ...${account} isKnown=${isKnown} />`)}</div>`;
  return html`
    <section aria-labelledby="accounts">
      <h2 id="accounts">Accounts</h2>
      ${listed.length === 0 && html`<p class="muted">No account is known. The next refresh or check loads them.</p>`}
      ${cards(shown)}
      ${idle.length > 0 && html`<details><summary>${plural(idle.length, "idle account")}</summary>${cards(idle)}</details>`}
    </section>
  `;
}

function Account({ name, account_id, max_streams, effective_limit, believed_limit, evidence, viewers, elsewhere, active, waiting, enabled, isKnown }) {
  const excess = max_streams ? active + viewers + elsewhere - max_streams : 0;
  return html`
    <div class=${`card ${excess > 0 ? "over" : ""}`}>
      <div class="spread">
        <h3 class="clip" title=${name}>${Number.isInteger(account_id) ? html`<a href=${link("provider", account_id)}>${name || `Account ${account_id}`}</a>` : name}</h3>
        <span class="muted small whole">${!enabled ? "inactive" : max_streams ? `limit ${count(max_streams)}` : "no limit"}</span>
      </div>
      ${!isKnown && html`<p class="small degraded">use not known</p>`}
      ${isKnown && html`<${SlotBar} limit=${max_streams || believed_limit} active=${active} viewers=${viewers} elsewhere=${elsewhere} effective=${effective_limit} />
      <div class="small">
        <span class="key active"><span>${count(active)} checking</span></span>
        ${viewers > 0 && html`<span class="key viewers"><span>${count(viewers)} watched</span></span>`}
        ${elsewhere > 0 && html`<span class="key elsewhere"><span>${count(elsewhere)} elsewhere</span></span>`}
        ${waiting > 0 && html`<span class="key waiting"><span>${count(waiting)} waiting</span></span>`}
      </div>`}
      ${excess > 0 && html`<div class="small dead" role="status"><strong>${plural(excess, "connection")} above the limit</strong></div>`}
      <${LearnedLimit} limit=${max_streams} believed=${believed_limit} evidence=${evidence} />
      ${Number.isInteger(account_id) && enabled && html`<div class="row"><${CheckNow} of=${{ accounts: [account_id] }} label=${`Check now: all streams of ${name}`} /></div>`}
    </div>
  `;
}

/** The limit that the limiter learned, where it differs from the configured one, with its evidence. */
function LearnedLimit({ limit, believed, evidence }) {
  if (believed === limit || !evidence.length) return null;
  return html`<div class="small degraded">Limit in practice: ${count(believed)}, because ${localTimes(evidence.join("; "))}</div>`;
}

function RunningProbes({ probes, progress }) {
  const rows = (probes?.probes ?? []).map((probe) => ({ ...probe, ...progress[probe.stream_id] }));
  const length = probes?.sample_seconds ?? 10;
  const nameOf = (row) => row.name ?? `Stream ${row.stream_id}`;
  return html`
    <section aria-labelledby="running">
      <h2 id="running">Running probes</h2>
      <${Table} caption=${plural(rows.length, "stream")} rows=${rows} id=${(row) => row.stream_id} empty="No stream is being checked."
        columns=${[
          { title: "Picture", minor: true, cell: (row) => html`<${Thumbnail} stream=${row.stream_id} name=${nameOf(row)} />` },
          { title: "Stream", head: true, cell: (row) => html`<a href=${link("stream", row.stream_id)}>${nameOf(row)}</a>` },
          { title: "Account", clip: true, cell: (row) => row.account },
          { title: "State", minor: true, cell: (row) => row.phase },
          { title: "Progress", cell: (row) => html`<progress max=${length} value=${Math.min(row.seconds, length)} aria-label=${`Progress of ${nameOf(row)}`}></progress> ${seconds(row.seconds)}` },
          { title: "Bitrate", number: true, cell: (row) => bitrate(row.bitrate_kbps) },
          { title: "Task", minor: true, cell: (row) => row.run_id && row.map_index >= 0 && html`<${AirflowLink} to=${taskPath(row.run_id, row.map_index)}>log<//>` },
        ]} />
    </section>
  `;
}

function LimitDialog({ limit, close, done }) {
  const submit = async (form) => {
    await put("concurrency/config", { global_limit: Number(form.get("limit")) });
    done();
  };
  return html`
    <${FormDialog} title="Change the limit" action="Change" submit=${submit} close=${close}>
      <p>The number of streams that are checked at the same time, over all accounts. 0 means no limit. Running checks continue.</p>
      <label>Streams at the same time<input type="number" name="limit" min="0" max="10000" step="1" required value=${limit} /></label>
    <//>
  `;
}

function ResetDialog({ now, close, done }) {
  const submit = async () => {
    await post("concurrency/reset");
    done();
  };
  const { active, waiting } = now.global;
  return html`
    <${FormDialog} title="Reset all slots?" action="Reset" danger submit=${submit} close=${close}>
      <p>For recovery, when slots stay in use without a running check. All slots are released (${count(active)} in use), and all waiting checks (${count(waiting)}) lose their place in the queue. Running probes stop and are tried again.</p>
    <//>
  `;
}
