// The report card of a provider: what its account delivered.

import { apiUrl } from "../api.js";
import { count, decimal, moment, percent, plural, words } from "../format.js";
import { html } from "../html.js";
import { useLive } from "../live.js";
import { Failure, Loading } from "../parts/notice.js";
import { Table } from "../parts/table.js";
import { Verdict } from "../parts/verdict.js";
import { link } from "../router.js";

const REFRESH_MS = 300000;

export function ProviderView({ id }) {
  const path = `accounts/${encodeURIComponent(id)}/report`;
  const { data: card, error } = useLive(path, [], REFRESH_MS);
  if (!card) return html`<${Failure} error=${error} />${!error && html`<${Loading} what="the report card" />`}`;
  const { total, limits } = card;
  const facts = [
    ["Working", total.checks > 0 && `${percent(total.share_working)} of ${plural(total.checks, "check")}`],
    ["Period", card.since && `${moment(card.since)} to ${moment(card.until)}`],
    ["Streams", `${count(total.streams)}, of which ${count(total.in_channels)} in channels`],
    ["Connections", limits.sold ? `${count(limits.sold)} sold${limits.believed !== null && limits.believed !== limits.sold ? `, ${count(limits.believed)} given` : ""}` : "no limit"],
    ["Evidence", limits.evidence.join("; ")],
    ["Refusals", total.refusals > 0 && plural(total.refusals, "connection")],
    ["First picture", total.start_ms !== null && `after ${decimal(total.start_ms / 1000)} s, slow ones after ${decimal((total.slow_start_ms ?? total.start_ms) / 1000)} s`],
    ["Unstable", total.share_unstable > 0 && percent(total.share_unstable)],
    ["Expires", card.expires_at && moment(card.expires_at)],
  ];
  return html`
    <${Failure} error=${error} />
    <div class="row">
      <h2>Report card of ${card.name}</h2>
      ${["csv", "html"].map((format) => html`<a class="button" download href=${apiUrl(`${path}?format=${format}`)}>Download ${format.toUpperCase()}</a>`)}
    </div>
    <section class="card" aria-label="Figures">
      <dl class="facts">${facts.filter(([, value]) => value).map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>
    </section>
    <div class="columns">
      <${Parts} caption="Working, by hour (UTC)" title="Hour" rows=${card.by_hour} />
      <div>
        <${Parts} caption="Working, by weekday" title="Weekday" rows=${card.by_weekday} />
        <section><${Table} caption="Reasons" rows=${card.reasons} id=${(row) => row.verdict + row.reason} empty="No fault was found."
          columns=${[
            { title: "Reason", head: true, cell: (row) => words(row.reason) },
            { title: "Verdict", cell: (row) => html`<${Verdict} of=${row.verdict} />` },
            { title: "Checks", number: true, cell: (row) => count(row.checks) },
          ]} /></section>
      </div>
    </div>
    <section><${Table} caption="Other providers on the same channels" rows=${card.rivals} id=${(row) => row.account_id} empty="No channel has streams of another provider."
      columns=${[
        { title: "Provider", head: true, cell: (row) => html`<a href=${link("provider", row.account_id)}>${row.name}</a>` },
        { title: "Channels", number: true, cell: (row) => count(row.channels) },
        { title: "This one is better", number: true, cell: (row) => count(row.better) },
        { title: "The other is better", number: true, cell: (row) => count(row.worse) },
      ]} /></section>
    <section><${Table} caption="Channels of this provider alone" rows=${card.only_source} id=${(row) => row.channel_id} empty="Every channel has streams of another provider."
      columns=${[
        { title: "Channel", head: true, cell: (row) => html`<a href=${link("channel", row.channel_id)}>${row.name}</a>` },
        { title: "Working streams", number: true, cell: (row) => count(row.working) },
      ]} /></section>
    <section><${Table} caption="Mislabelled streams" rows=${card.mislabelled} id=${(row) => row.stream_id} empty="None."
      columns=${[
        { title: "Stream", head: true, cell: (row) => html`<a href=${link("stream", row.stream_id)}>${row.name}</a>` },
        { title: "Measured", cell: (row) => row.label_mismatch },
      ]} /></section>
  `;
}

const Parts = ({ caption, title, rows }) => html`
  <section><${Table} caption=${caption} rows=${rows.filter((row) => row.checks > 0)} id=${(row) => row.name} empty="No check yet."
    columns=${[
      { title, head: true, cell: (row) => row.name },
      { title: "Working", number: true, cell: (row) => percent(row.share_working) },
      { title: "Checks", number: true, cell: (row) => count(row.checks) },
    ]} /></section>
`;
