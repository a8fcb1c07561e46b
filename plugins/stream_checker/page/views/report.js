// The health report of a run, as tables and as a file.

import { apiUrl } from "../api.js";
import { count, percent, runName, score } from "../format.js";
import { html } from "../html.js";
import { useLive } from "../live.js";
import { Failure, Loading } from "../parts/notice.js";
import { Table } from "../parts/table.js";
import { link } from "../router.js";

const REFRESH_MS = 30000;

export function ReportView({ id }) {
  const path = id && `runs/${encodeURIComponent(id)}`;
  const { data: report, error } = useLive(path && `${path}/report`, [], REFRESH_MS);
  if (!path) return html`<p class="muted">Choose a <a href=${link("run")}>run</a>.</p>`;
  if (!report) return html`<${Failure} error=${error} />${!error && html`<${Loading} what="the report" />`}`;
  const { total } = report;
  return html`
    <${Failure} error=${error} />
    <div class="row">
      <h2>Health report of <a href=${link("run", id)}>${runName(report.run_id, report.started_at)}</a></h2>
      ${["csv", "html"].map((format) => html`<a class="button" download href=${apiUrl(`${path}/report?format=${format}`)}>Download ${format.toUpperCase()}</a>`)}
    </div>
    <p><span class="big">${percent(total.share_working)}</span> of the streams with a verdict work: ${count(total.working)} of ${count(total.decided)}</p>
    <div class="columns">
      <${Shares} of=${report.accounts} title="Account" filter="account_id" />
      <${Shares} of=${report.groups} title="Group" filter="group_id" />
    </div>
    <section><${Table} caption="Worst channels" rows=${report.worst_channels} id=${(row) => row.channel_id} empty="Every stream of every channel works."
      columns=${[
        { title: "Channel", head: true, cell: (row) => html`<a href=${link("channel", row.channel_id)}>${row.name}</a>` },
        { title: "Working", number: true, cell: (row) => `${count(row.working)} of ${count(row.streams)}` },
        { title: "Best score", number: true, cell: (row) => score(row.best_score) },
      ]} /></section>
    <section><${Table} caption="Mislabelled streams" rows=${report.mislabelled} id=${(row) => row.stream_id} empty="None."
      columns=${[
        { title: "Stream", head: true, cell: (row) => html`<a href=${link("stream", row.stream_id)}>${row.name}</a>` },
        { title: "Account", minor: true, clip: true, cell: (row) => row.account },
        { title: "Measured", cell: (row) => row.label_mismatch },
      ]} /></section>
    <section><${Table} caption="Duplicates: several streams with one URL" rows=${report.duplicates} id=${(row) => row.url_hash} empty="None."
      columns=${[
        { title: "Stream", head: true, cell: (row) => row.name },
        { title: "Streams", cell: (row) => row.stream_ids.map((stream) => html`<a href=${link("stream", stream)}>${stream}</a> `) },
        { title: "Channels", cell: (row) => row.channel_ids.map((channel) => html`<a href=${link("channel", channel)}>${channel}</a> `) },
      ]} /></section>
  `;
}

const Shares = ({ of, title, filter }) => html`
  <section>
    <${Table} caption=${`By ${title.toLowerCase()}, worst first`} rows=${of} id=${(row) => row.id ?? "none"}
      columns=${[
        { title, head: true, cell: (row) => (row.id === null ? row.name : html`<a href=${link("results", null, { [filter]: row.id })}>${row.name}</a>`) },
        { title: "Working", number: true, cell: (row) => percent(row.share_working) },
        { title: "With a verdict", number: true, cell: (row) => `${count(row.decided)} of ${count(row.streams)}` },
      ]} />
  </section>
`;
