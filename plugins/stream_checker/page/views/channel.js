// The list of channels, and one channel: its streams in order and its last change.

import { OuterLink } from "../airflow.js";
import { ago, bitrate, count, fps, moment, moveReason, plural, quality, runKind, score, size } from "../format.js";
import { html } from "../html.js";
import { useLive } from "../live.js";
import { post } from "../api.js";
import { ActionButton, CheckNow } from "../parts/action_button.js";
import { Filters } from "../parts/filters.js";
import { Failure, Loading } from "../parts/notice.js";
import { PageButtons, pagesOf } from "../parts/pages.js";
import { Play } from "../parts/save_button.js";
import { SelectionBar, selectColumn, useSelection } from "../parts/selection.js";
import { Thumbnail } from "../parts/thumbnail.js";
import { Table } from "../parts/table.js";
import { Verdict } from "../parts/verdict.js";
import { Watch } from "../parts/watch.js";
import { link, useTitle } from "../router.js";

const REFRESH_MS = 15000;
const SLOW_MS = 300000;

export const ChannelView = ({ id, filters }) => (id ? html`<${Channel} id=${id} />` : html`<${Channels} filters=${filters} />`);

function Channels({ filters }) {
  const pages = pagesOf("channel", filters);
  const query = new URLSearchParams({ ...pages.chosen, limit: 50, ...(pages.cursor && { cursor: pages.cursor }) });
  const { data: page, error } = useLive(`channels?${query}`, [], REFRESH_MS);
  const groups = useLive("groups", [], SLOW_MS).data?.groups ?? [];
  const selection = useSelection();
  const group = new Map(groups.map((one) => [one.id, one.name]));
  return html`
    <${Filters} label="Channels" set=${pages.chosen.group_id ? 1 : 0} search=${html`<label>Name<input type="search" maxlength="200" value=${pages.chosen.q ?? ""} onChange=${(event) => pages.filter({ q: event.target.value.trim() })} /></label>`}>
      <label>Group
        <select value=${pages.chosen.group_id ?? ""} onChange=${(event) => pages.filter({ group_id: event.target.value })}>
          <option value="">all</option>
          ${groups.map((one) => html`<option value=${one.id} selected=${String(one.id) === pages.chosen.group_id}>${one.name}</option>`)}
        </select>
      </label>
    <//>
    <${Failure} error=${error} />
    ${!page && !error && html`<${Loading} what="the channels" />`}
    ${page && html`
      <${SelectionBar} selection=${selection} field="channels" noun="channel" />
      <${Table} caption=${plural(page.total, "channel")} rows=${page.channels} id=${(row) => row.id} choose="channels"
        columns=${[
          selectColumn(selection, page.channels, (row) => row.id),
          { title: "Number", number: true, cell: (row) => row.number },
          { title: "Channel", head: true, cell: (row) => html`<a href=${link("channel", row.id)}>${row.name}</a>` },
          { title: "Group", minor: true, clip: true, cell: (row) => group.get(row.group_id) },
          { title: "Working", number: true, cell: working },
          { title: "Check", minor: true, cell: (row) => html`<${CheckNow} of=${{ channels: [row.id] }} label=${`Check now: ${row.name}`} />` },
        ]} />
      <${PageButtons} pages=${pages} next=${page.next_cursor} />
    `}
  `;
}

/** Return the number of streams that work, and of those that were never checked. */
function working({ working, checked, streams }) {
  const unchecked = streams - checked;
  const text = html`${checked ? count(working) : "–"} of ${count(streams)}`;
  return checked && unchecked ? html`<span class="muted small">${count(unchecked)} not checked</span> ${text}` : text;
}

function Channel({ id }) {
  const { data: channel, error, reload } = useLive(`channels/${encodeURIComponent(id)}`, ["result", "run"]);
  const changes = useLive(`channels/${encodeURIComponent(id)}/changes`, ["run"]);
  useTitle(channel?.name);
  if (!channel) return html`<${Failure} error=${error} />${!error && html`<${Loading} what="the channel" />`}`;
  const name = (stream) => channel.names[stream] ?? `stream ${stream}`;
  return html`
    <${Failure} error=${error} />
    <p class="links"><a href=${link("channel")}>All channels</a>
      ${channel.dispatcharr && html`<${OuterLink} href=${channel.dispatcharr} newTab>Channels in Dispatcharr<//>`}</p>
    <section aria-labelledby="channel">
      <div class="row"><h2 id="channel">${channel.name}</h2>
        <${CheckNow} of=${{ channels: [channel.id] }} kind="main" />
        <${Watch} query=${{ channel_id: channel.id }} name=${channel.name} />
        <${Play} query=${{ channel_id: channel.id }} name=${channel.name} />
        ${channel.policy && html`<span class="muted">policy <a href=${link("policies")}>${channel.policy}</a></span>`}</div>
      <${Table} caption="Streams, first choice first" rows=${channel.streams} id=${(row) => row.stream_id} empty="The channel has no stream."
        columns=${[
          { title: "Position", number: true, cell: (row) => count(row.position) },
          { title: "Picture", minor: true, cell: (row) => html`<${Thumbnail} stream=${row.stream_id} name=${row.name ?? "the stream"} />` },
          { title: "Stream", head: true, cell: (row) => html`<a href=${link("stream", row.stream_id)}>${row.name ?? row.stream_id}</a>` },
          { title: "Account", minor: true, clip: true, cell: (row) => row.account },
          { title: "Verdict", cell: (row) => (row.result ? html`<${Verdict} of=${row.result.verdict} reason=${row.result.reason} />` : html`<span class="muted">not checked</span>`) },
          { title: "Size", number: true, minor: true, cell: (row) => size(row.result) },
          { title: "fps", number: true, minor: true, cell: (row) => fps(row.result?.fps) },
          { title: "Codec", minor: true, cell: (row) => row.result?.video_codec },
          { title: "Bitrate", number: true, minor: true, cell: (row) => bitrate(row.result?.bitrate_kbps) },
          { title: "Score", number: true, cell: (row) => score(row.score) },
          { title: "Quality", number: true, minor: true, cell: (row) => quality(row.result?.quality) },
          { title: "Place", cell: (row) => html`<${Pin} channel=${channel} stream=${row} done=${reload} />` },
        ]} />
      ${channel.same_feeds.map((group) => html`<p class="muted" key=${group[0]}>The same feed, by the pictures of one round: ${group.map(name).join(", ")}.</p>`)}
      ${channel.other_feeds.map((stream) => html`<p class="notice degraded" key=${stream}>${name(stream)} shows something else than the other streams at the same time. Watch it.</p>`)}
      ${channel.removed.length > 0 && html`<p>Removed because dead: ${channel.removed.map((one) => one.name ?? one.stream_id).join(", ")}. A removed stream returns when it works again.</p>`}
    </section>
    ${channel.last_change ? html`<${Change} change=${channel.last_change} name=${name} />` : html`<p class="muted">No check has changed this channel.</p>`}
    ${changes.data?.changes.length > 0 && html`<${Past} channel=${channel} past=${changes.data} done=${() => (reload(), changes.reload())} />`}
  `;
}

/** Whether a stream keeps its place, and a button to pin or release it. */
const Pin = ({ channel, stream, done }) => html`
  ${stream.pinned && html`<span>pinned </span>`}
  <${ActionButton} label=${`${stream.pinned ? "Release" : "Pin"} ${stream.name ?? stream.stream_id}`}
    action=${async () => (await post(`channels/${channel.id}/pins`, { stream_id: stream.stream_id, pinned: !stream.pinned }), done())}>${stream.pinned ? "Release" : "Pin"}<//>
`;

/** The stored changes of the channel. The newest one can be undone, and then the one before. */
function Past({ channel, past, done }) {
  const name = (stream) => past.names[stream] ?? `stream ${stream}`;
  return html`
    <section aria-labelledby="past-changes">
      <h2 id="past-changes">Changes</h2>
      <${Table} caption=${plural(past.changes.length, "change")} rows=${past.changes} id=${(row) => row.n} step=${10}
        columns=${[
          { title: "When", head: true, cell: (row) => html`<time datetime=${row.at} title=${moment(row.at)}>${ago(row.at)}</time>` },
          { title: "First choice", cell: (row) => (row.hidden !== null ? (row.hidden ? "hidden from outputs" : "shown in outputs again") : row.before[0] === row.after[0] ? html`<span class="muted">${name(row.after[0])} stays</span>` : html`${name(row.before[0])} → <strong>${name(row.after[0])}</strong>`) },
          { title: "Moves", number: true, minor: true, cell: (row) => count(row.moves.length) },
          { title: "By", minor: true, cell: (row) => (row.run_id ? html`<a href=${link("run", row.run_id)}>${runKind(row.run_id)}</a>` : row.moves[0]?.why) },
          { title: "Undo", cell: (row) => (row.written ? html`<${ActionButton} label=${`Undo the change of ${moment(row.at)}`} action=${async () => (await post(`channels/${channel.id}/changes/${row.n}/undo`), done())}>Undo<//>` : html`<span class="muted">not written</span>`) },
        ]} />
    </section>
  `;
}

function Change({ change, name }) {
  const order = (streams) => html`<ol class="order">${streams.map((stream) => html`<li><a href=${link("stream", stream)}>${name(stream)}</a></li>`)}</ol>`;
  return html`
    <section aria-labelledby="change">
      <h2 id="change">Last change</h2>
      <p class="muted">${moment(change.at)} (${ago(change.at)})${change.run_id && html`, by a <a href=${link("run", change.run_id)}>${runKind(change.run_id)}</a>`}${change.written ? "" : ", not written to Dispatcharr"}</p>
      ${change.conflict && html`<p class="notice degraded">${change.conflict}</p>`}
      <div class="columns">
        <div class="card"><h3>Before</h3>${order(change.before)}</div>
        <div class="card"><h3>After</h3>${order(change.after)}</div>
      </div>
      ${change.held.length > 0 && html`<p class="notice degraded">These dead streams stay until their removal is approved: ${change.held.map(name).join(", ")}.</p>`}
      <${Moves} caption="Moves" moves=${change.moves} name=${name} empty="No stream has moved." />
      ${change.stays.length > 0 && html`<${Moves} caption="Moves that the settings prevented" moves=${change.stays} name=${name} />`}
    </section>
  `;
}

function Moves({ caption, moves, name, empty }) {
  const place = (index, none) => (index === null ? none : count(index + 1));
  return html`
    <${Table} caption=${caption} rows=${moves} id=${(move) => move.stream_id} empty=${empty}
      columns=${[
        { title: "Stream", head: true, cell: (move) => name(move.stream_id) },
        { title: "From", number: true, cell: (move) => place(move.before, "new") },
        { title: "To", number: true, cell: (move) => place(move.after, "removed") },
        { title: "Reason", cell: (move) => moveReason(move.why) },
      ]} />
  `;
}
