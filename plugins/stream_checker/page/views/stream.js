// One stream: its last check, its channels and its past results.

import { ago, bitrate, count, decimal, fps, moment, percent, plural, quality, runKind, score, size, words } from "../format.js";
import { html } from "../html.js";
import { useLive } from "../live.js";
import { Explanation } from "../parts/explanation.js";
import { CheckNow } from "../parts/action_button.js";
import { Sparkline } from "../parts/sparkline.js";
import { Play } from "../parts/save_button.js";
import { Failure, Loading } from "../parts/notice.js";
import { Thumbnail } from "../parts/thumbnail.js";
import { Table } from "../parts/table.js";
import { Verdict } from "../parts/verdict.js";
import { Watch } from "../parts/watch.js";
import { link, useTitle } from "../router.js";
import { Comparison, Tries } from "./stream_checks.js";

export function StreamView({ id }) {
  const { data: stream, error } = useLive(`streams/${encodeURIComponent(id)}`, ["result"]);
  const past = useLive(`streams/${encodeURIComponent(id)}/history`, ["result"]).data?.results ?? [];
  useTitle(stream?.name);
  if (!stream) return html`<${Failure} error=${error} />${!error && html`<${Loading} what="the stream" />`}`;
  const { result, failures } = stream;
  return html`
    <${Failure} error=${error} />
    <div class="row"><h2>${stream.name}</h2><${CheckNow} of=${{ streams: [stream.id] }} kind="main" /><${Watch} query=${{ stream_id: stream.id }} name=${stream.name} account=${stream.account} result=${result} /><${Play} query=${{ stream_id: stream.id }} name=${stream.name} /></div>
    <div class="columns">
      <section class="card" aria-label="Last check">
        <${Thumbnail} stream=${stream.id} name=${stream.name} large />
        ${result ? html`<${Measured} result=${result} />` : html`<p class="muted">This stream has not been checked.</p>`}
      </section>
      <section class="card" aria-label="Account and channels">
        <dl class="facts">
          <dt>Account</dt><dd>${stream.account ?? "none"}</dd>
          <dt>Channels</dt>
          <dd>${stream.channels.length === 0 && "none"}${stream.channels.map((place) => html`<div><a href=${link("channel", place.channel_id)}>${place.name}</a> <span class="muted">position ${count(place.position)}</span></div>`)}</dd>
          ${failures?.failures > 0 && html`<dt>Failures</dt><dd>${count(failures.failures)} in a row, the first ${ago(failures.first_dead)}</dd>`}
          ${past.length > 1 && html`<dt>Scores</dt><dd><${Sparkline} values=${past.map((one) => one.score).reverse()} label=${`Scores of the last ${plural(past.length, "check")}`} /></dd>`}
        </dl>
      </section>
    </div>
    ${result && html`<${Tries} result=${result} />`}
    ${past.length > 1 && html`<${Comparison} stream=${stream} latest=${past[0]} former=${past[1]} />`}
    <section aria-labelledby="past">
      <h2 id="past">Past results</h2>
      <${Table} caption=${plural(past.length, "result")} rows=${past} id=${(row) => row.checked_at}
        columns=${[
          { title: "Checked", head: true, cell: (row) => moment(row.checked_at) },
          { title: "Verdict", cell: (row) => html`<${Verdict} of=${row.verdict} reason=${row.reason} />` },
          { title: "Size", number: true, cell: size },
          { title: "Bitrate", number: true, minor: true, cell: (row) => bitrate(row.bitrate_kbps) },
          { title: "Score", number: true, cell: (row) => score(row.score) },
          { title: "Quality", number: true, minor: true, cell: (row) => quality(row.quality) },
          { title: "Run", minor: true, cell: (row) => row.run_id && html`<a href=${link("run", row.run_id)}>${runKind(row.run_id)}</a>` },
        ]} />
    </section>
  `;
}

function Measured({ result }) {
  const audio = result.audio.map((track) => [track.codec, track.channels && `${track.channels} channels`, track.language].filter(Boolean).join(", "));
  const shares = [["Black", result.black_ratio], ["Frozen", result.frozen_ratio], ["Silent", result.silent_ratio]];
  const faults = [[result.decode_errors, "decoding error"], [result.discontinuities, "discontinuity"]];
  const facts = [
    ["Verdict", html`<${Verdict} of=${result.verdict} reason=${result.reason} />`],
    ["Detail", result.detail],
    ["Checked", html`${moment(result.checked_at)} <span class="muted">(${ago(result.checked_at)})</span>`],
    ["Score", result.score !== null && score(result.score)],
    ["Quality", result.quality !== null && `${quality(result.quality)} of 5`],
    ["Video", result.width && [`${size(result)}`, result.fps && `${fps(result.fps)} fps`, result.video_codec, result.video_profile, result.pixel_format, result.hdr && words(result.hdr)].filter(Boolean).join(", ")],
    ["Bitrate", result.bitrate_kbps !== null && `${bitrate(result.bitrate_kbps)}${result.container ? ` in ${result.container}` : ""}`],
    ["Audio", audio.join("; ")],
    ["First picture", result.first_frame_ms !== null && `after ${decimal(result.first_frame_ms / 1000)} s`],
    ["Faults", faults.filter(([many]) => many > 0).map(([many, noun]) => `${count(many)} ${many === 1 ? noun : `${noun.replace(/y$/, "ie")}s`}`).join(", ")],
    ...shares.map(([name, share]) => [name, share > 0 && percent(share)]),
    ["Certificate", result.tls_untrusted && "not trusted"],
    ["Label", result.label_mismatch && words(result.label_mismatch)],
  ];
  return html`<${Explanation} of=${result.verdict} reason=${result.reason} /><dl class="facts">${facts.filter(([, value]) => value).map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>`;
}
