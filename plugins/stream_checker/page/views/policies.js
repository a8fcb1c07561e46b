// The owner's rules: a list of policies, their effect on the stored results, and a replay of the stored nights.

import { get, post, put } from "../api.js";
import { count, plural, words } from "../format.js";
import { html, useEffect, useState } from "../html.js";
import { ActionButton } from "../parts/action_button.js";
import { LineChart } from "../parts/chart.js";
import { useFaults } from "../parts/faults.js";
import { Failure, Loading } from "../parts/notice.js";
import { SchemaField, keyName, same, shown } from "../parts/schema_field.js";
import { Table } from "../parts/table.js";
import { useRights } from "../rights.js";
import { link } from "../router.js";

const SHOWN_PAGES = 5;

export function PoliciesView() {
  const { mayEdit } = useRights();
  const [stored, setStored] = useState(null);
  const [schema, setSchema] = useState(null);
  const [draft, setDraft] = useState([]);
  const [uses, setUses] = useState([]);
  const [error, setError] = useState(null);
  const { faults, send, forget } = useFaults();
  const [effect, setEffect] = useState(null);
  const [replay, setReplay] = useState(null);
  const load = ({ policies, uses }) => {
    setStored(policies);
    setDraft(policies.map((policy) => ({ key: crypto.randomUUID?.() ?? Math.random(), policy })));
    setUses(uses);
  };
  useEffect(() => void Promise.all([get("policies"), get("settings/schema")]).then(([list, all]) => (load(list), setSchema(all)), setError), []);
  if (!stored || !schema) return html`<${Failure} error=${error} />${!error && html`<${Loading} what="the policies" />`}`;
  const policies = draft.map(({ policy }) => policy);
  const isChanged = !same(policies, stored);
  const change = (next) => {
    setDraft(next);
    setEffect(null);
    setReplay(null);
  };
  const move = (from, to) => {
    const next = [...draft];
    next.splice(to, 0, ...next.splice(from, 1));
    change(next);
  };
  const preview = () => send(async () => setEffect(await previewed(policies)));
  const run = () => send(async () => setReplay(await post("policies/replay", { policies })));
  const save = () => send(async () => load(await put("policies", { policies })));
  const add = () => change([...draft, { key: crypto.randomUUID?.() ?? Math.random(), policy: { name: `Policy ${draft.length + 1}`, match: {} }, isNew: true }]);
  return html`
    <p class="muted">The first policy that fits a channel applies to it. Everything that it does not set follows the <a href=${link("settings")}>settings</a>. A name is exact, has <code>*</code> for any characters, or is a regular expression after <code>re:</code>; a number is an id of Dispatcharr.</p>
    ${draft.length === 0 && html`<p class="card">There are no policies: the settings hold for all channels.</p>`}
    <ol class="policies" aria-label="Policies, the first one that fits applies">
      ${draft.map(({ key, policy, isNew }, place) => html`
        <${PolicyCard} key=${key} policy=${policy} place=${place} last=${draft.length - 1} schema=${schema} faults=${faults} isNew=${isNew} mayEdit=${mayEdit}
          channels=${isChanged ? effect?.uses[place]?.channels : uses[place]?.channels} move=${move}
          change=${(next) => change(draft.map((one, at) => (at === place ? { ...one, policy: next } : one)))}
          remove=${() => change(draft.filter((_, at) => at !== place))} />
      `)}
    </ol>
    <div class="row">
      ${mayEdit && html`<button type="button" onClick=${add}>Add a policy</button>`}
      <${ActionButton} action=${preview}>What would change now?<//>
      <${ActionButton} action=${run}>Replay the last nights<//>
      ${isChanged && html`<${ActionButton} kind="main" action=${save}>Save the policies<//>
        <button type="button" onClick=${() => (load({ policies: stored, uses }), forget(), setEffect(null))}>Discard</button>`}
    </div>
    ${effect && html`<${Effect} effect=${effect} />`}
    ${replay && html`<${Nights} replay=${replay} />`}
  `;
}

/** Return the channels that would change, from the first pages of the preview. */
async function previewed(policies) {
  const channels = [];
  let [page, cursor] = [null, ""];
  for (let pages = 0; pages < SHOWN_PAGES && cursor !== null; pages += 1) {
    page = await post(`policies/preview?${new URLSearchParams({ limit: 200, ...(cursor && { cursor }) })}`, { policies });
    channels.push(...page.channels.map((one) => ({ ...one, names: page.names })));
    cursor = page.next_cursor;
  }
  return { ...page, looked: channels.length, channels: channels.filter((one) => !same(one.before, one.after)) };
}

function PolicyCard({ policy, place, last, schema, channels, faults, isNew, mayEdit, move, change, remove }) {
  const { name, ...fields } = schema.$defs.Policy.properties;
  const prefix = `policies.${place}`;
  const title = policy.name || `Policy ${place + 1}`;
  const isFaulty = Object.keys(faults).some((path) => path === prefix || path.startsWith(`${prefix}.`));
  const drop = (event) => {
    event.preventDefault();
    move(Number(event.dataTransfer.getData("text/plain")), place);
  };
  return html`
    <li draggable=${mayEdit} onDragStart=${(event) => event.dataTransfer.setData("text/plain", place)} onDragOver=${(event) => event.preventDefault()} onDrop=${drop}>
      <details class="card" open=${isNew || isFaulty || undefined}>
        <summary><strong>${title}</strong> <span class="muted">${channels === undefined ? "" : `${plural(channels, "channel")} · `}${summary(policy)}</span></summary>
        ${faults[prefix] && html`<p class="dead small" role="alert">${faults[prefix]}</p>`}
        <fieldset class="plain" disabled=${!mayEdit}>
          <div class="settings">
            ${Object.entries({ name, ...fields }).map(([key, property]) => html`
              <${SchemaField} key=${key} name=${key} schema=${property} defs=${schema.$defs} path=${`${prefix}.${key}`} value=${policy[key]} faults=${faults} showDefault=${false}
                onChange=${(value) => change(given({ ...policy, [key]: value }))} />
            `)}
          </div>
        </fieldset>
      </details>
      ${mayEdit && html`<div class="row">
        <button type="button" disabled=${place === 0} aria-label=${`Move ${title} up`} onClick=${() => move(place, place - 1)}>↑</button>
        <button type="button" disabled=${place === last} aria-label=${`Move ${title} down`} onClick=${() => move(place, place + 1)}>↓</button>
        <button type="button" class="danger" aria-label=${`Remove ${title}`} onClick=${remove}>Remove</button>
      </div>`}
    </li>
  `;
}

/** Return a policy without the keys that say nothing; `match` always stays. */
function given(policy) {
  const says = (key, value) => key === "match" || !(value === undefined || value === null || value === "" || (typeof value === "object" && !Array.isArray(value) && Object.keys(value).length === 0));
  return Object.fromEntries(Object.entries(policy).filter(([key, value]) => says(key, value)).map(([key, value]) => [key, isPart(value) ? clean(value) : value]));
}

const isPart = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
const clean = (part) => Object.fromEntries(Object.entries(part).filter(([, value]) => value !== null && value !== undefined));

/** Return what a policy says, in one line. */
function summary(policy) {
  const said = Object.entries(policy).filter(([key]) => !["name", "match"].includes(key));
  const where = Object.entries(policy.match ?? {}).map(([key, names]) => `${key} ${shown(names)}`).join(" and ") || "all channels";
  return `${where}: ${said.map(([key, value]) => `${keyName(key).toLowerCase()} ${isPart(value) ? Object.entries(value).map(([name, one]) => `${words(name)} ${shown(one)}`).join(", ") : shown(value)}`).join("; ") || "nothing yet"}`;
}

const Effect = ({ effect }) => html`
  <section aria-labelledby="effect">
    <h2 id="effect">What would change now</h2>
    <${Table} caption=${`${plural(effect.channels.length, "channel")} of ${count(effect.looked)}, from stored results`} rows=${effect.channels} id=${(row) => row.channel_id} empty="Every order stays as it is."
      columns=${[
        { title: "Channel", head: true, cell: (row) => html`<a href=${link("channel", row.channel_id)}>${row.name}</a>` },
        { title: "Policy", minor: true, cell: (row) => row.policy ?? "settings" },
        { title: "First choice", cell: (row) => (row.before[0] === row.after[0] ? html`<span class="muted">stays</span>` : html`${row.names[row.before[0]] ?? "none"} → <strong>${row.names[row.after[0]] ?? "none"}</strong>`) },
        { title: "Moves", number: true, cell: (row) => count(row.moves.length) },
        { title: "Leave", number: true, minor: true, cell: (row) => count(row.removed.length) },
        { title: "Reason of the first move", minor: true, cell: (row) => row.moves[0] && words(row.moves[0].why.replaceAll(/\bstream (\d+)\b/g, (text, id) => row.names[id] ?? text)) },
      ]} />
    ${effect.looked < effect.total && html`<p class="muted">The first ${count(effect.looked)} of ${count(effect.total)} channels were compared.</p>`}
  </section>
`;

function Nights({ replay }) {
  const at = replay.nights.map((night) => new Date(`${night.night}T12:00:00`).getTime());
  const lines = (field) => [["line1", "stored policies", replay.nights.map((night) => night.before[field])], ["line2", "these policies", replay.nights.map((night) => night.after[field])]];
  return html`
    <section aria-labelledby="replay">
      <h2 id="replay">The last ${plural(replay.nights.length, "night")}</h2>
      <p>Over ${plural(replay.channels, "channel")}${replay.channels < replay.total && ` of ${count(replay.total)}`}: the first stream was dead
        <strong> ${count(replay.after.first_dead)}</strong> times instead of ${count(replay.before.first_dead)}, and streams moved <strong>${count(replay.after.moves)}</strong> times instead of ${count(replay.before.moves)}.</p>
      <div class="charts">
        <${LineChart} title="Channels with a dead first stream" at=${at} lines=${lines("first_dead")} />
        <${LineChart} title="Moves of streams" at=${at} lines=${lines("moves")} />
      </div>
    </section>
  `;
}
