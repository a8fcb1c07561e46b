// Streams into channels: proposals with pictures, the rules with a test, and what has not found each other.

import { get, post, put, startRun } from "../api.js";
import { ago, count, plural, words } from "../format.js";
import { html, useEffect, useState } from "../html.js";
import { ActionButton } from "../parts/action_button.js";
import { useFaults } from "../parts/faults.js";
import { Failure, Loading } from "../parts/notice.js";
import { SchemaField, same, shown } from "../parts/schema_field.js";
import { Table } from "../parts/table.js";
import { Thumbnail } from "../parts/thumbnail.js";
import { Verdict } from "../parts/verdict.js";
import { useRights } from "../rights.js";
import { link } from "../router.js";

const MOST_AT_ONCE = 500;
const NO_MATCHES = "No stream without a channel fits.";

export function MatchingView() {
  const [state, setState] = useState(null);
  const [error, setError] = useState(null);
  const load = () => get("matching").then(setState, setError);
  useEffect(() => void load(), []);
  if (!state) return html`<${Failure} error=${error} />${!error && html`<${Loading} what="matching" />`}`;
  return html`
    <${State} state=${state} />
    <${Proposals} key=${state.decisions.proposed} changed=${load} />
    <${Rules} />
    <${LackingChannels} />
    <${FreeStreams} />
    <${KeptOut} key=${`out${state.decisions.rejected}`} total=${state.decisions.rejected + state.decisions.taken_out} changed=${load} />
  `;
}

function State({ state }) {
  const [run, setRun] = useState(null);
  const mode = !state.enabled
    ? "Streams find no channels by themselves: switch on matching in the settings. A search now only proposes."
    : state.approve
      ? "A search follows each refresh of the library. A channel changes when you accept a proposal."
      : "A search follows each refresh of the library, and adds what it finds.";
  return html`
    <section class="card" aria-label="State of matching">
      <p>${mode} <a href=${link("settings")}>Settings</a></p>
      ${state.failed_providers.map((one) => html`<p class="notice dead" key=${one.account_id}>The provider ${one.name ?? one.account_id} was not refreshed: ${one.reason}</p>`)}
      <div class="row">
        <${ActionButton} action=${async () => setRun(await startRun("match_streams", { dry: !state.enabled }))}>${state.enabled ? "Search now" : "Search now, without changes"}<//>
        ${run && html`<span role="status">The search has started; reload this view in a moment.</span>`}
      </div>
    </section>
  `;
}

/** Return the columns that name a pair of a stream and a channel. */
const pairColumns = [
  { title: "Stream", head: true, cell: (row) => html`<span class="row"><${Thumbnail} stream=${row.stream_id} name=${row.name ?? row.stream_id} /><a href=${link("stream", row.stream_id)}>${row.name ?? row.stream_id}</a></span>` },
  { title: "Channel", cell: (row) => html`<a href=${link("channel", row.channel_id)}>${row.channel ?? row.channel_id}</a>` },
  { title: "Account", minor: true, cell: (row) => row.account ?? "none" },
  { title: "Why", cell: (row) => row.why },
];
const pairId = (row) => `${row.channel_id}:${row.stream_id}`;
const pair = ({ channel_id, stream_id }) => ({ channel_id, stream_id });

function Proposals({ changed }) {
  const { mayEdit } = useRights();
  const [list, setList] = useState(null);
  const [error, setError] = useState(null);
  const [outcome, setOutcome] = useState(null);
  const load = () => get(`matching/proposals?limit=${MOST_AT_ONCE}`).then(setList, setError);
  useEffect(() => void load(), []);
  if (!list) return html`<${Failure} error=${error} />`;
  const decide = async (accept, reject) => {
    const reply = await post("matching/decisions", { accept: accept.map(pair), reject: reject.map(pair) });
    const gone = new Set([...accept, ...reject].filter((row) => !(row.channel_id in reply.conflicts)).map(pairId));
    setOutcome(reply);
    setList({ total: list.total - gone.size, proposals: list.proposals.filter((row) => !gone.has(pairId(row))) });
  };
  const columns = [
    ...pairColumns,
    { title: "Last check", minor: true, cell: (row) => (row.result ? html`<${Verdict} of=${row.result.verdict} reason=${row.result.reason} />` : html`<span class="muted">never</span>`) },
    mayEdit && { title: "Decide", cell: (row) => html`<span class="row">
      <${ActionButton} label=${`Accept ${row.name} for ${row.channel}`} action=${() => decide([row], [])}>Accept<//>
      <${ActionButton} label=${`Reject ${row.name} for ${row.channel}`} kind="danger" action=${() => decide([], [row])}>Reject<//>
    </span>` },
  ].filter(Boolean);
  return html`
    <section aria-labelledby="proposals">
      <h2 id="proposals">Proposals</h2>
      ${outcome && html`<p role="status">${summary(outcome)}${outcome.run_id && html` <a href=${link("run", outcome.run_id)}>Their check</a>`}</p>`}
      <${Table} caption=${`${plural(list.total, "stream")} for channels`} rows=${list.proposals} id=${pairId} columns=${columns} empty="Nothing is proposed." />
      ${list.proposals.length > 1 && html`<div class="row" role="group" aria-label="All of these proposals">
        <${ActionButton} action=${() => decide(list.proposals, [])}>Accept these ${count(list.proposals.length)}<//>
        <${ActionButton} kind="danger" action=${() => decide([], list.proposals)}>Reject these ${count(list.proposals.length)}<//>
        <button type="button" onClick=${() => (load(), changed())}>Reload</button>
      </div>`}
    </section>
  `;
}

const summary = ({ added, rejected, conflicts }) => [
  added.length && `${plural(added.length, "stream")} added.`,
  rejected && `${plural(rejected, "stream")} rejected.`,
  ...Object.values(conflicts),
].filter(Boolean).join(" ") || "Nothing has changed.";

function Rules() {
  const { mayEdit } = useRights();
  const [stored, setStored] = useState(null);
  const [rules, setRules] = useState([]);
  const [schema, setSchema] = useState(null);
  const { faults, send, forget } = useFaults();
  const [outcome, setOutcome] = useState(null);
  const [error, setError] = useState(null);
  const load = ({ rules }) => (setStored(rules), setRules(rules));
  useEffect(() => void Promise.all([get("settings"), get("settings/schema")]).then(([all, schema]) => (load(all.matching), setSchema(schema)), setError), []);
  if (!stored || !schema) return html`<${Failure} error=${error} />`;
  const change = (next) => (setRules(next), setOutcome(null));
  const test = () => send(async () => setOutcome(await post("matching/test", { rules })));
  const save = () => send(async () => load(await put("settings/matching", { rules })));
  return html`
    <section aria-labelledby="rules">
      <h2 id="rules">Rules</h2>
      <p class="muted">All rules that name a channel apply to it. After a change the next search only proposes.</p>
      ${rules.map((rule, place) => html`
        <details class="card" key=${place}>
          <summary><strong>${`Rule ${place + 1}`}</strong> <span class="muted">${shown(rule.channels)} by ${shown(rule.by)}</span></summary>
          <fieldset class="plain" disabled=${!mayEdit}>
            <div class="settings">
              ${Object.entries(schema.$defs.Rule.properties).map(([key, property]) => html`
                <${SchemaField} key=${key} name=${key} schema=${property} defs=${schema.$defs} path=${`rules.${place}.${key}`} value=${rule[key]} faults=${faults} showDefault=${false}
                  onChange=${(value) => change(rules.map((one, at) => (at === place ? { ...one, [key]: value?.length === 0 && key === "accounts" ? null : value } : one)))} />
              `)}
            </div>
          </fieldset>
          ${mayEdit && html`<div class="row"><button type="button" class="danger" aria-label=${`Remove rule ${place + 1}`} onClick=${() => change(rules.filter((_, at) => at !== place))}>Remove</button></div>`}
        </details>
      `)}
      <div class="row">
        ${mayEdit && html`<button type="button" onClick=${() => change([...rules, { channels: ["*"], by: ["tvg_id", "name"], accounts: null, exclude: [] }])}>Add a rule</button>`}
        <${ActionButton} action=${test}>Test the rules<//>
        ${!same(rules, stored) && html`<${ActionButton} kind="main" action=${save}>Save the rules<//>
          <button type="button" onClick=${() => (change(stored), forget())}>Discard</button>`}
      </div>
      ${outcome && html`
        <p role="status">These rules would match <strong>${plural(outcome.matched, "stream")}</strong>, and <strong>${count(outcome.near)}</strong> nearly; ${plural(outcome.others, "stream")} resemble no channel.</p>
        <${Table} caption=${listed("that would match", outcome.matches.length, outcome.matched)} rows=${outcome.matches} id=${pairId} columns=${pairColumns} empty=${NO_MATCHES} />
        <${Table} caption=${listed("that nearly match", outcome.nearly.length, outcome.near)} rows=${outcome.nearly} id=${pairId} columns=${pairColumns} />
      `}
    </section>
  `;
}

const listed = (what, shown, total) => `${shown < total ? `The first ${count(shown)} of ${plural(total, "stream")}` : plural(total, "stream")} ${what}`;

/** Show a section that loads its data when it is opened. */
function Section({ title, path, children }) {
  const [data, setData] = useState(null);
  const [error, setError] = useState(null);
  const open = (event) => event.currentTarget.open && !data && get(path).then(setData, setError);
  return html`
    <details class="card" onToggle=${open}>
      <summary><strong>${title}</strong></summary>
      <${Failure} error=${error} />
      ${data && children(data)}
    </details>
  `;
}

const LACKS = { empty: "has no stream", dark: "no stream works", hidden: "hidden from outputs" };

const LackingChannels = () => html`
  <${Section} title="Channels without a working stream" path="matching/channels">
    ${(data) => html`<${Table} caption=${plural(data.total, "channel")} rows=${data.channels} id=${(row) => row.id} empty="Each channel has a stream that works."
      columns=${[
        { title: "Channel", head: true, cell: (row) => html`<a href=${link("channel", row.id)}>${row.name}</a>` },
        { title: "State", cell: (row) => LACKS[row.lack] },
        { title: "Streams", number: true, cell: (row) => count(row.streams) },
        { title: "Proposals", number: true, cell: (row) => count(row.proposals) },
      ]} />`}
  <//>
`;

const FreeStreams = () => html`
  <${Section} title="Streams without a channel, by group" path="matching/groups">
    ${(data) => html`
      <p class="muted">${plural(data.streams, "stream")} in ${plural(data.groups.length, "group")}.</p>
      ${data.groups.slice(0, MOST_AT_ONCE).map((group) => html`
        <${Section} key=${group.id} title=${`${group.name}: ${plural(group.streams, "stream")}`} path=${`matching/streams?group_id=${group.id}&limit=${MOST_AT_ONCE}`}>
          ${(page) => html`<${Table} caption=${listed("without a channel", page.streams.length, page.total)} rows=${page.streams} id=${(row) => row.stream_id}
            columns=${[
              { title: "Stream", head: true, cell: (row) => html`<a href=${link("stream", row.stream_id)}>${row.name ?? row.stream_id}</a>` },
              { title: "Account", cell: (row) => row.account ?? "none" },
            ]} />`}
        <//>
      `)}
    `}
  <//>
`;

const KeptOut = ({ total, changed }) => total > 0 && html`
  <${Section} title=${`What stays out: ${plural(total, "stream")}`} path="matching/proposals?state=rejected&state=taken_out&limit=500">
    ${(data) => html`<${Table} caption=${listed("kept out", data.proposals.length, data.total)} rows=${data.proposals} id=${pairId}
      columns=${[
        ...pairColumns.slice(0, 3),
        { title: "Since", minor: true, cell: (row) => ago(row.at) },
        { title: "Decision", cell: (row) => words(row.state) },
        { title: "Decide", cell: (row) => html`<${ActionButton} label=${`Accept ${row.name} for ${row.channel}`} action=${async () => (await post("matching/decisions", { accept: [pair(row)] }), await changed())}>Accept<//>` },
      ]} />`}
  <//>
`;
