// One run: its progress, its findings and each of its streams.

import { AirflowLink, DAG, runPath } from "../airflow.js";
import { post } from "../api.js";
import { ago, bitrate, count, decimal, fps, moment, percent, plural, quality, runName, score, size, words } from "../format.js";
import { html, useState } from "../html.js";
import { useLive } from "../live.js";
import { ActionButton } from "../parts/action_button.js";
import { ShareBar } from "../parts/bars.js";
import { FormDialog } from "../parts/form_dialog.js";
import { Failure, Loading } from "../parts/notice.js";
import { Table } from "../parts/table.js";
import { VERDICTS, Verdict } from "../parts/verdict.js";
import { link, replaceFilters, useTitle } from "../router.js";

const FIRST_FINDINGS = 15;
// The list of all streams is long, so it is loaded less often.
const STREAMS_MS = 5000;
// Airflow's UI shows the tab on the runs of every DAG.
const dagOfTab = new URLSearchParams(location.search).get("dag_id");

export function RunView({ id, filters }) {
  if (dagOfTab && dagOfTab !== DAG) return html`<p class="muted">Runs of ${dagOfTab} check no streams. See the <a href="./#run" target="_self">runs of ${DAG}</a>.</p>`;
  return html`<${Run} id=${id} filters=${filters} />`;
}

function Run({ id, filters }) {
  const list = useLive("runs?limit=50", ["run"]);
  const runs = list.data?.runs ?? [];
  const outcomes = new Map((list.data?.outcomes ?? []).map((one) => [one.run_id, one]));
  const chosen = id ?? runs[0] ?? null;
  const path = chosen && `runs/${encodeURIComponent(chosen)}`;
  const { data: run, error, reload } = useLive(path && `${path}?streams=false`, ["result", "run"]);
  const airflow = useLive(path && !run?.finished_at ? `${path}/airflow` : null, ["run"]).data;
  const streams = useLive(path, ["result", "run"], STREAMS_MS, STREAMS_MS).data?.streams;
  useTitle(run && runName(run.run_id, run.started_at));
  if (list.data && !chosen) return html`<p class="muted">There is no run yet. Start a check on the page <a href=${link("now")}>Now</a>.</p>`;
  const options = chosen && !runs.includes(chosen) ? [chosen, ...runs] : runs;
  return html`
    <div class="row">
      <label>Run
        <select class="wide" value=${chosen} onChange=${(event) => (location.hash = link("run", event.target.value))}>
          ${options.map((one) => html`<option value=${one} selected=${one === chosen}>${summary(outcomes.get(one)) ?? one}</option>`)}
        </select>
      </label>
      ${chosen && html`<${AirflowLink} to=${runPath(chosen)}>Show the run in Airflow<//> <a href=${link("report", chosen)}>Health report</a>`}
    </div>
    ${error?.status === 404 ? airflow && html`<${Unplanned} airflow=${airflow} />` : html`<${Failure} error=${error ?? list.error} />`}
    ${!run && !error && html`<${Loading} what="the run" />`}
    ${run && html`<${Controls} run=${run} done=${reload} /><${Progress} run=${run} airflow=${airflow} /><${Findings} run=${run} />${streams && html`<${Streams} streams=${streams} state=${filters.get("state") ?? ""} run=${chosen} />`}`}
  `;
}

/** A run that is not planned: Airflow knows whether it starts, waits or has failed. */
function Unplanned({ airflow: { state, paused, ...failure } }) {
  if (state === null) return html`<p class="notice" role="status">Airflow knows no such run.</p>`;
  if (state === "failed") return html`<p class="notice dead" role="status">The run has failed before it had planned anything: ${failureText(failure)}</p>`;
  if (state === "success") return html`<p class="notice" role="status">The run has ended, and its data has been deleted.</p>`;
  return html`<p class="notice ${paused ? "degraded" : ""}" role="status">${paused ? PAUSED : "Starting…"}</p>`;
}

const PAUSED = html`Paused: the checks start nothing until they are resumed on the page <a href=${link("now")}>Now</a>.`;

/** Return why a run has failed, as far as it is known. */
function failureText({ reason, failed_tasks: tasks }) {
  if (reason) return reason;
  const names = Object.entries(tasks).map(([task, number]) => (number > 1 ? `${task} (${count(number)} times)` : task));
  return names.length ? `the task ${names.join(", ")} has failed; its log in Airflow names the reason.` : "somebody has marked it as failed in Airflow.";
}

/** Return what keeps an unfinished run from its end, as `[title, text]`; null while it goes on. */
function hindrance(run, airflow) {
  if (run.finished_at || !airflow) return null;
  const { state, paused, ...failure } = airflow;
  if (state === null) return ["Deleted", "Somebody has deleted the run in Airflow: no further stream is checked."];
  if (state === "failed") return ["Failed", `The run has failed: ${failureText(failure)}`];
  if (state === "success") return ["Ended", "The run has ended in Airflow without its last task: the channels that were not finished stay as they were."];
  return paused ? ["Paused", PAUSED] : null;
}

/** Stops a run that is in progress, or undoes one that has changed channels. */
function Controls({ run, done }) {
  const [conflict, setConflict] = useState(null);
  const changed = run.finished_channels.filter((change) => change.written && change.moves.length > 0);
  const path = `runs/${encodeURIComponent(run.run_id)}`;
  const undo = async () => {
    try {
      await post(`${path}/undo`);
      done();
    } catch (problem) {
      if (problem.status !== 409) throw problem;
      setConflict(problem);
    }
  };
  return html`
    <div class="row">
      ${!run.finished_at && html`<${ActionButton} kind="danger" action=${async () => (await post(`${path}/stop`), done())}>Stop the run<//>`}
      ${run.finished_at && changed.length > 0 && html`<${ActionButton} action=${undo}>Undo its changes<//>`}
    </div>
    ${conflict && html`
      <${FormDialog} title="Undo the other channels?" action="Undo the others" submit=${async () => (await post(`${path}/undo?partial=true`), done())} close=${() => setConflict(null)}>
        <p>${conflict.message}</p>
      <//>
    `}
  `;
}

/** Return the start of a run and its numbers of verdicts. */
function summary(outcome) {
  if (!outcome) return null;
  const kinds = [...VERDICTS, "pending"].filter((kind) => outcome.verdicts[kind]);
  return [runName(outcome.run_id, outcome.started_at), ...kinds.map((kind) => `${count(outcome.verdicts[kind])} ${kind}`)].join(" · ");
}

function Progress({ run, airflow }) {
  const kinds = [...VERDICTS, "pending"];
  const { chain } = run;
  const [stop, why] = hindrance(run, airflow) ?? [];
  const [total, done] = chain ? [chain.total, chain.done] : [run.total, run.done];
  const end = stop ? null : chain ? chain.expected_end : run.expected_end;
  return html`
    <section aria-labelledby="progress" class="card">
      <div class="spread">
        <h2 id="progress">${stop ?? (run.stopped ? "Stopped" : run.finished_at ? "Finished" : "Progress")}: ${runName(run.run_id, run.started_at)}</h2>
        <span><span class="big">${percent(total ? done / total : 1)}</span> ${count(done)} of ${count(total)}</span>
      </div>
      ${why && html`<p class="notice degraded" role="status">${why}</p>`}
      ${chain && html`<p class="muted">Part ${count(chain.part)} of a check that is too large for one run. This part: ${count(run.done)} of ${count(run.total)}.</p>`}
      <${ShareBar} label="Streams by verdict" parts=${kinds.map((kind) => [kind, run.verdicts[kind] ?? 0])} />
      <p>${kinds.filter((kind) => run.verdicts[kind]).map((kind) => html`<span class="key ${kind}"><span>${count(run.verdicts[kind])} ${kind}</span></span>`)}</p>
      <dl class="facts">
        <dt>Id in Airflow</dt><dd class="muted">${run.run_id}</dd>
        <dt>Started</dt><dd>${moment(run.started_at)} <span class="muted">(${ago(run.started_at)}, ${run.mode})</span></dd>
        ${run.finished_at && html`<dt>Finished</dt><dd>${moment(run.finished_at)}</dd>`}
        ${end && html`<dt>Expected end</dt><dd>${moment(end)} <span class="muted">(${ago(end)})</span></dd>`}
        ${run.rate_per_minute !== null && html`<dt>Rate</dt><dd>${decimal(run.rate_per_minute)} streams per minute</dd>`}
        <dt>Channels</dt><dd>${count(run.finished_channels.length)} of ${count(run.channels.length)} finished</dd>
        ${Object.keys(run.skipped).length > 0 && html`<dt>Skipped</dt><dd>${plural(Object.keys(run.skipped).length, "stream")}${Object.keys(run.details).length > 0 && html`, of which people have watched ${count(Object.keys(run.details).length)} since the last check`}</dd>`}
        ${run.remaining > 0 && html`<dt>Left</dt><dd>${plural(run.remaining, "stream")} for the next run of the chain</dd>`}
        ${run.next_run_id && html`<dt>Next run</dt><dd><a href=${link("run", run.next_run_id)}>part ${run.next_run_id.match(/\d+$/)?.[0] ?? "two"} of the chain</a></dd>`}
      </dl>
    </section>
  `;
}

function Findings({ run }) {
  const reasons = Object.entries(run.reasons).sort(([, a], [, b]) => b - a);
  const failed = reasons.reduce((total, [, number]) => total + number, 0);
  const moved = run.finished_channels.filter((change) => change.moves.length > 0);
  return html`
    <div class="columns">
      <section aria-labelledby="reasons">
        <h2 id="reasons">Failures by reason</h2>
        <${Table} caption=${plural(failed, "stream")} rows=${reasons} id=${([reason]) => reason} step=${FIRST_FINDINGS} empty="No stream failed."
          columns=${[
            { title: "Reason", head: true, cell: ([reason]) => words(reason) },
            { title: "Streams", number: true, cell: ([, number]) => count(number) },
          ]} />
      </section>
      <section aria-labelledby="changed">
        <h2 id="changed">Channels that changed</h2>
        <${Table} caption=${plural(moved.length, "channel")} rows=${moved} id=${(change) => change.channel_id} step=${FIRST_FINDINGS} empty="None."
          columns=${[
            { title: "Channel", head: true, cell: (change) => html`<a href=${link("channel", change.channel_id)}>${run.names[change.channel_id] ?? `Channel ${change.channel_id}`}</a>` },
            { title: "Moves", number: true, cell: (change) => count(change.moves.length) },
            { title: "Written to Dispatcharr", cell: (change) => change.conflict ?? (change.written ? "yes" : "no") },
          ]} />
      </section>
    </div>
  `;
}

function Streams({ streams, state, run }) {
  const states = [...new Set(streams.map((stream) => stream.state))];
  const rows = state ? streams.filter((stream) => stream.state === state) : streams;
  return html`
    <section aria-labelledby="streams">
      <h2 id="streams">Streams</h2>
      <div class="row">
        <label>State
          <select value=${state} onChange=${(event) => replaceFilters("run", { state: event.target.value }, run)}>
            <option value="">all</option>
            ${states.map((one) => html`<option value=${one} selected=${one === state}>${one}</option>`)}
          </select>
        </label>
      </div>
      <${Table} caption=${`${plural(rows.length, "stream")} of the run`} rows=${rows} id=${(row) => row.stream_id}
        columns=${[
          { title: "Stream", head: true, cell: (row) => html`<a href=${link("stream", row.stream_id)}>${row.name ?? row.stream_id}</a>` },
          { title: "State", cell: (row) => html`<${Verdict} of=${row.state} reason=${row.result?.reason} />` },
          { title: "Account", minor: true, clip: true, cell: (row) => row.account },
          { title: "Size", number: true, minor: true, cell: (row) => size(row.result) },
          { title: "fps", number: true, minor: true, cell: (row) => fps(row.result?.fps) },
          { title: "Codec", minor: true, cell: (row) => row.result?.video_codec },
          { title: "Bitrate", number: true, minor: true, cell: (row) => bitrate(row.result?.bitrate_kbps) },
          { title: "Score", number: true, cell: (row) => score(row.result?.score) },
          { title: "Quality", number: true, minor: true, cell: (row) => quality(row.result?.quality) },
        ]} />
    </section>
  `;
}
