// The tries of a stream's last check, and its two latest checks side by side.

import { ago, bitrate, count, decimal, fps, moment, percent, plural, quality, score, size, words } from "../format.js";
import { html } from "../html.js";
import { Table } from "../parts/table.js";
import { Thumbnail } from "../parts/thumbnail.js";
import { Verdict } from "../parts/verdict.js";

// Measurements vary a little from check to check. A smaller difference is no change.
const NOISE = 0.1;

const seconds = (milliseconds) => (milliseconds === null || milliseconds === undefined ? null : `${decimal(milliseconds / 1000)} s`);
const share = (ratio) => (ratio > 0 ? percent(ratio) : null);
const many = (number) => (number > 0 ? count(number) : null);
const measured = (write, value) => (result) => (value(result) === null || value(result) === undefined ? null : write(value(result)));
const audio = (result) => result.audio.map((track) => [track.codec, track.channels && plural(track.channels, "channel"), track.language].filter(Boolean).join(", ")).join("; ");

// Each fact has a name, its text, and the number that decides whether it has changed, where it is measured.
const FACTS = [
  ["Verdict", (one) => html`<${Verdict} of=${one.verdict} reason=${one.reason} />`, null, (one) => `${one.verdict} ${one.reason}`],
  ["Detail", (one) => one.detail],
  ["Score", measured(score, (one) => one.score), (one) => one.score],
  ["Quality", measured((value) => `${quality(value)} of 5`, (one) => one.quality), (one) => one.quality],
  ["Size", (one) => one.width && size(one)],
  ["Frames", (one) => one.fps && `${fps(one.fps)} fps`, (one) => one.fps],
  ["Codec", (one) => [one.video_codec, one.video_profile, one.pixel_format, one.hdr && words(one.hdr)].filter(Boolean).join(", ")],
  ["Bitrate", measured(bitrate, (one) => one.bitrate_kbps), (one) => one.bitrate_kbps],
  ["Container", (one) => one.container],
  ["Audio", audio],
  ["First picture", (one) => seconds(one.first_frame_ms), (one) => one.first_frame_ms],
  ["Black", (one) => share(one.black_ratio), (one) => one.black_ratio],
  ["Frozen", (one) => share(one.frozen_ratio), (one) => one.frozen_ratio],
  ["Silent", (one) => share(one.silent_ratio), (one) => one.silent_ratio],
  ["Decoding errors", (one) => many(one.decode_errors), (one) => one.decode_errors],
  ["Gaps", (one) => many(one.discontinuities), (one) => one.discontinuities],
  ["Certificate", (one) => one.tls_untrusted && "not trusted"],
  ["Label", (one) => one.label_mismatch && words(one.label_mismatch)],
];

function hasChanged([, text, number, key], latest, former) {
  if (!number) return ((key ?? text)(latest) || "") !== ((key ?? text)(former) || "");
  const [one, other] = [number(latest) ?? 0, number(former) ?? 0];
  return Math.abs(one - other) > NOISE * Math.max(Math.abs(one), Math.abs(other));
}

/** The two latest checks of a stream side by side, with what has changed marked. */
export function Comparison({ stream, latest, former }) {
  const rows = FACTS.filter(([, text]) => text(latest) || text(former));
  const changed = new Set(rows.filter((fact) => hasChanged(fact, latest, former)));
  const when = (one) => html`<time datetime=${one.checked_at} title=${moment(one.checked_at)}>${ago(one.checked_at)}</time>`;
  const cell = (fact, of) => (changed.has(fact) ? html`<mark>${fact[1](of) || "–"}</mark>` : fact[1](of) || "–");
  return html`
    <section aria-labelledby="comparison">
      <h2 id="comparison">The two latest checks</h2>
      <div class="pictures"><${Thumbnail} stream=${stream.id} name=${stream.name} former large /><${Thumbnail} stream=${stream.id} name=${stream.name} large /></div>
      <div class="compared"><${Table} caption=${changed.size ? `${plural(changed.size, "difference")}, marked` : "Nothing has changed"} rows=${rows} id=${([name]) => name}
        columns=${[
          { title: "Value", head: true, cell: (fact) => html`${fact[0]}${changed.has(fact) && html` <span class="muted small">changed</span>`}` },
          { title: html`Before <span class="muted small">${when(former)}</span>`, cell: (fact) => cell(fact, former) },
          { title: html`Latest <span class="muted small">${when(latest)}</span>`, cell: (fact) => cell(fact, latest) },
        ]} /></div>
    </section>
  `;
}

/** The tries of a check. A check with one try is that try. */
export function Tries({ result }) {
  const { tries, ...only } = result.extra ?? {};
  const rows = tries ?? (result.elapsed_s > 0 ? [{ ...result, first_byte_ms: only.first_byte_ms, address: only.address, at: result.checked_at }] : []);
  return html`
    <section aria-labelledby="tries">
      <h2 id="tries">Tries of the last check</h2>
      <${Table} caption=${plural(rows.length, "connection")} rows=${rows.map((one, i) => ({ ...one, n: i + 1 }))} id=${(row) => row.n} empty="The check opened no connection."
        columns=${[
          { title: "Try", number: true, cell: (row) => count(row.n) },
          { title: "Verdict", head: true, cell: (row) => html`<${Verdict} of=${row.verdict} reason=${row.reason} />` },
          { title: "Detail", minor: true, cell: (row) => row.detail },
          { title: "Address", cell: (row) => row.address },
          { title: "First byte", number: true, minor: true, cell: (row) => seconds(row.first_byte_ms) ?? "–" },
          { title: "First picture", number: true, cell: (row) => seconds(row.first_frame_ms) ?? "–" },
          { title: "Length", number: true, cell: (row) => `${decimal(row.elapsed_s)} s` },
          { title: "Ended", minor: true, cell: (row) => moment(row.at) },
        ]} />
    </section>
  `;
}
