// All settings, in a form that the server's JSON schema describes. Each section is saved for itself.

import { get, put } from "../api.js";
import { ago, moment } from "../format.js";
import { html, useEffect, useState } from "../html.js";
import { useLive } from "../live.js";
import { Failure, Loading } from "../parts/notice.js";
import { SchemaField, isObject, keyName, same, shape, shown } from "../parts/schema_field.js";
import { Table } from "../parts/table.js";
import { FormDialog } from "../parts/form_dialog.js";
import { useRights } from "../rights.js";
import { link } from "../router.js";

const REFRESH_MS = 30000;
// Policies have a view of their own.
const ELSEWHERE = ["policies", "schedule"];

export function SettingsView() {
  const [loaded, setLoaded] = useState(null);
  const [error, setError] = useState(null);
  const log = useLive("settings/changes", [], REFRESH_MS);
  useEffect(() => void Promise.all([get("settings"), get("settings/schema")]).then(([values, schema]) => setLoaded({ values, schema }), setError), []);
  if (!loaded) return html`<${Failure} error=${error} />${!error && html`<${Loading} what="the settings" />`}`;
  const { values, schema } = loaded;
  const saved = (section, value) => {
    setLoaded({ schema, values: { ...values, [section]: value } });
    log.reload();
  };
  return html`
    <p class="muted">A change is in force from the next check on. Rules for single channels and groups are <a href=${link("policies")}>policies</a>; when checks start stands in <a href=${link("schedules")}>schedules</a>.</p>
    ${Object.entries(schema.properties).filter(([section]) => !ELSEWHERE.includes(section)).map(([section, property]) => html`
      <${Section} key=${section} section=${section} schema=${property} defs=${schema.$defs} stored=${values[section]} saved=${(value) => saved(section, value)} />
    `)}
    <${Changes} log=${log} />
  `;
}

/** The form of a section, without the fields in `omit`, which belong elsewhere. */
export function Section({ section, title = keyName(section), omit = [], schema, defs, stored, saved }) {
  const { mayEdit } = useRights();
  const kind = shape(schema, defs);
  const [draft, setDraft] = useState(stored);
  const [faults, setFaults] = useState({});
  const [asks, setAsks] = useState(false);
  const changes = differences(stored, draft);
  const fields = isObject(kind) ? Object.entries(kind.properties).filter(([key]) => !omit.includes(key)) : [[section, schema]];
  const own = (key) => (isObject(kind) ? draft?.[key] : draft);
  const differing = fields.filter(([key, property]) => differs(shape(property, defs), own(key), defs)).length;
  const change = (key, value) => setDraft(isObject(kind) ? { ...draft, [key]: value } : value);
  const submit = (event) => {
    event.preventDefault();
    setAsks(true);
  };
  const save = async () => {
    try {
      const value = await put(`settings/${section}`, isObject(kind) ? Object.fromEntries(Object.entries(draft).filter(([key, one]) => !same(one, stored[key]))) : draft);
      setFaults({});
      setDraft(value);
      saved(value);
    } catch (problem) {
      if (!problem.faults?.length) throw problem;
      setFaults(Object.fromEntries(problem.faults.map((one) => [one.field === section ? section : `${section}.${one.field}`, one.message])));
    }
  };
  return html`
    <details class="card" open=${Object.keys(faults).length > 0 || undefined}>
      <summary><strong>${title}</strong> <span class="muted">${schema.description}${differing > 0 && ` · ${differing} changed from the default`}</span></summary>
      <form onSubmit=${submit}>
        <fieldset class="plain" disabled=${!mayEdit}>
          <div class="settings">
            ${fields.map(([key, property]) => html`
              <${SchemaField} key=${key} name=${key} schema=${property} defs=${defs} path=${isObject(kind) ? `${section}.${key}` : section} value=${own(key)} faults=${faults} onChange=${(value) => change(key, value)} />
            `)}
          </div>
          ${mayEdit && html`<div class="row">
            <button type="submit" class="main" disabled=${changes.length === 0}>Save…</button>
            ${changes.length > 0 && html`<button type="button" onClick=${() => (setDraft(stored), setFaults({}))}>Discard</button>`}
          </div>`}
        </fieldset>
      </form>
      ${asks && html`
        <${FormDialog} title=${`Save ${title.toLowerCase()}?`} action="Save" submit=${save} close=${() => setAsks(false)}>
          <${Differences} changes=${changes} />
        <//>
      `}
    </details>
  `;
}

/** The old and the new value of each changed setting. */
const Differences = ({ changes }) => html`
  <dl class="facts">
    ${changes.map(([path, old, now]) => html`<dt>${path.map(keyName).join(" › ") || "Value"}</dt><dd><del class="dead">${shown(old)}</del> <ins class="ok">${shown(now)}</ins></dd>`)}
  </dl>
`;

const isMapping = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

function differences(old, now, path = []) {
  if (same(old, now)) return [];
  if (!isMapping(old) || !isMapping(now)) return [[path, old, now]];
  return [...new Set([...Object.keys(old), ...Object.keys(now)])].flatMap((key) => differences(old[key], now[key], [...path, key]));
}

/** Whether a value, or one of those in it, is not the default. */
function differs(kind, value, defs) {
  if (isObject(kind)) return Object.entries(kind.properties).some(([key, property]) => differs(shape(property, defs), value?.[key], defs));
  return kind.default !== undefined && !same(kind.default, value);
}

const Changes = ({ log }) => html`
  <section aria-labelledby="changes">
    <h2 id="changes">Latest changes</h2>
    <${Failure} error=${log.error} />
    ${log.data && html`
      <${Table} caption="From Airflow's audit log, newest first" rows=${log.data.changes} id=${(row) => row.at} empty="Nobody has changed a setting yet."
        columns=${[
          { title: "When", head: true, cell: (row) => html`<time datetime=${row.at} title=${moment(row.at)}>${ago(row.at)}</time>` },
          { title: "Who", cell: (row) => row.user },
          { title: "Section", minor: true, cell: (row) => keyName(row.section) },
          { title: "What", cell: (row) => (Array.isArray(row.changes) ? row.changes.map(keyName).join(", ") : Object.entries(row.changes ?? {}).map(([key, [old, now]]) => html`<div class="any">${keyName(key)}: ${shown(old)} → ${shown(now)}</div>`)) },
        ]} />
    `}
  </section>
`;
