// The latest result of every stream. The server filters, sorts and pages.

import { OuterLink } from "../airflow.js";
import { apiUrl, get } from "../api.js";
import { ago, bitrate, byName, count, fps, moment, plural, quality, score, size, words } from "../format.js";
import { html, useEffect, useState } from "../html.js";
import { useLive } from "../live.js";
import { useExplanations } from "../parts/explanation.js";
import { CheckNow } from "../parts/action_button.js";
import { Filters } from "../parts/filters.js";
import { Sparkline } from "../parts/sparkline.js";
import { Failure, Loading } from "../parts/notice.js";
import { PageButtons, pagesOf } from "../parts/pages.js";
import { SelectionBar, selectColumn, useSelection } from "../parts/selection.js";
import { Thumbnail } from "../parts/thumbnail.js";
import { Playlist } from "../parts/playlist.js";
import { Table } from "../parts/table.js";
import { VERDICTS, Verdict } from "../parts/verdict.js";
import { link } from "../router.js";

const PAGE = 50;
const FILTERS = ["status", "reason", "account_id", "group_id"];
const TYPING_MS = 300;
// A search in a large library takes the server some time.
const REFRESH_MS = 15000;
const SLOW_MS = 300000;

export function ResultsView({ filters }) {
  const pages = pagesOf("results", filters);
  const { chosen, filter } = pages;
  const query = new URLSearchParams({ ...chosen, limit: PAGE });
  if (pages.cursor) query.set("cursor", pages.cursor);
  const { data: page, error } = useLive(`results?${query}`, [], REFRESH_MS);
  const accounts = useLive("concurrency/status", [], REFRESH_MS).data?.accounts.toSorted(byName) ?? [];
  const groups = useLive("groups", [], SLOW_MS).data?.groups ?? [];
  const selection = useSelection();
  const reasons = (useExplanations()?.verdicts ?? []).filter((one) => one.reasons.length > 0 && (!chosen.status || one.word === chosen.status));
  return html`
    <${Filters} label="Results" search=${html`<${Search} text=${chosen.q ?? ""} search=${(q) => filter({ q })} />`} set=${FILTERS.filter((name) => chosen[name]).length}>
      <label>Verdict
        <select value=${chosen.status ?? ""} onChange=${(event) => filter({ status: event.target.value, reason: "" })}>
          <option value="">all</option>
          ${VERDICTS.map((verdict) => html`<option value=${verdict}>${verdict}</option>`)}
        </select>
      </label>
      <label>Reason
        <select value=${chosen.reason ?? ""} onChange=${(event) => filter({ reason: event.target.value })}>
          <option value="">all</option>
          ${reasons.map((verdict) => html`<optgroup label=${verdict.word}>${verdict.reasons.map(({ word }) => html`<option value=${word} selected=${word === chosen.reason}>${words(word)}</option>`)}</optgroup>`)}
        </select>
      </label>
      <label>Account
        <select value=${chosen.account_id ?? ""} onChange=${(event) => filter({ account_id: event.target.value })}>
          <option value="">all</option>
          ${accounts.filter((one) => Number.isInteger(one.account_id)).map((one) => html`<option value=${one.account_id}>${one.name || one.account_id}</option>`)}
        </select>
      </label>
      <label>Group
        <select value=${chosen.group_id ?? ""} onChange=${(event) => filter({ group_id: event.target.value })}>
          <option value="">all</option>
          ${groups.map((one) => html`<option value=${one.id}>${one.name}</option>`)}
        </select>
      </label>
      ${chosen.group_id && html`<${CheckNow} of=${{ groups: [Number(chosen.group_id)] }}>Check the group<//>`}
      <span class="whole">Export all ${["csv", "json"].map((format) => html`<${OuterLink} download href=${apiUrl(`results/export?${new URLSearchParams({ ...chosen, format })}`)}>${format.toUpperCase()}<//> `)}</span>
    <//>
    <${Playlist} />
    <${Failure} error=${error} />
    ${!page && !error && html`<${Loading} what="the results" />`}
    ${page && html`
      <${SelectionBar} selection=${selection} field="streams" noun="stream" />
      <${Results} page=${page} selection=${selection} first=${pages.number * PAGE + 1} sorted=${chosen.sort ?? ""} sort=${(sort) => filter({ sort })} />
      <${PageButtons} pages=${pages} next=${page.next_cursor} />
    `}
  `;
}

function Search({ text, search }) {
  const [typed, setTyped] = useState(text);
  useEffect(() => {
    if (typed === text) return;
    const timer = setTimeout(() => search(typed.trim()), TYPING_MS);
    return () => clearTimeout(timer);
  }, [typed]);
  return html`<label>Name<input type="search" value=${typed} maxlength="200" onInput=${(event) => setTyped(event.target.value)} /></label>`;
}

/** Return the past scores of the streams, loaded in one request after a short pause. */
function useScores(streams) {
  const [scores, setScores] = useState({});
  const wanted = streams.join();
  useEffect(() => {
    if (!wanted) return;
    const aborter = new AbortController();
    const timer = setTimeout(async () => {
      const query = new URLSearchParams(streams.map((stream) => ["stream_id", stream]));
      // The table is complete without the charts, so an error is ignored.
      const found = await get(`results/scores?${query}`, { signal: aborter.signal }).catch(() => null);
      if (found) setScores(found.scores);
    }, TYPING_MS);
    return () => {
      clearTimeout(timer);
      aborter.abort();
    };
  }, [wanted]);
  return scores;
}

function Results({ page, selection, first, sorted, sort }) {
  const scores = useScores(page.results.map((row) => row.stream_id));
  const last = first + page.results.length - 1;
  const caption = page.results.length ? `${count(first)} to ${count(last)} of ${count(page.total)} streams` : "No streams";
  return html`
    <div aria-live="polite" class="hidden">${caption}</div>
    <${Table} caption=${caption} rows=${page.results} id=${(row) => row.stream_id} empty="No result matches the filters." sorted=${sorted} onSort=${sort} choose="results"
      columns=${[
        selectColumn(selection, page.results, (row) => row.stream_id),
        { title: "Picture", cell: (row) => html`<${Thumbnail} stream=${row.stream_id} name=${row.name ?? "the stream"} />` },
        { title: "Stream", head: true, sort: "name", cell: (row) => html`<a href=${link("stream", row.stream_id)}>${row.name ?? row.stream_id}</a>` },
        { title: "Verdict", cell: (row) => html`<${Verdict} of=${row.verdict} reason=${row.reason} />` },
        { title: "Account", minor: true, clip: true, cell: (row) => row.account },
        { title: "Size", number: true, minor: true, cell: (row) => size(row) },
        { title: "fps", number: true, minor: true, cell: (row) => fps(row.fps) },
        { title: "Codec", minor: true, cell: (row) => row.video_codec },
        { title: "Bitrate", number: true, minor: true, sort: "bitrate", cell: (row) => bitrate(row.bitrate_kbps) },
        { title: "Score", number: true, sort: "score", cell: (row) => score(row.score) },
        { title: "Quality", number: true, minor: true, sort: "quality", cell: (row) => quality(row.quality) },
        { title: "Past scores", minor: true, cell: (row) => scores[row.stream_id]?.length > 1 && html`<${Sparkline} values=${scores[row.stream_id]} label=${`Scores of the last ${plural(scores[row.stream_id].length, "check")}`} />` },
        { title: "Checked", minor: true, sort: "checked_at", cell: (row) => html`<time datetime=${row.checked_at} title=${moment(row.checked_at)}>${ago(row.checked_at)}</time>` },
      ]} />
  `;
}
