// The dialog that adds or changes a schedule of checks. The server judges the draft while it is edited.

import { get, post, put } from "../api.js";
import { DAYS, readDaily, writeDaily } from "../cron.js";
import { weekday, zonedTime } from "../format.js";
import { html, useEffect, useId, useState } from "../html.js";
import { FormDialog } from "../parts/form_dialog.js";
import { Fault, SchemaField } from "../parts/schema_field.js";

const PREVIEW_MS = 300;
const FILTERS = ["groups", "channels", "accounts"];
const DAILY = { time: "03:00", days: DAYS };

/** Return the faults of a problem by the fields of the entry at a place of the list. */
function faultsOf(problem, place) {
  const own = `checks.${place}.`;
  return Object.fromEntries((problem.faults ?? []).map(({ field, message }) => [field.startsWith(own) ? field.slice(own.length) : "name", message]));
}

/** Return the list of entries with one replaced by name, or added at the end, and the place of it. */
function withEntry(checks, former, entry) {
  const found = former ? checks.findIndex((one) => one.name === former.name) : -1;
  const place = found < 0 ? checks.length : found;
  return [checks.toSpliced(place, 1, entry), place];
}

/** `former` is the entry to change; null for a new one. */
export function ScheduleDialog({ former, checks, schema, close, done }) {
  const [draft, setDraft] = useState(() => former ?? { name: freeName(checks), cron: writeDaily(DAILY), until: null, ...Object.fromEntries(FILTERS.map((key) => [key, null])), force: false, only_if_viewers_below: null });
  const [faults, setFaults] = useState({});
  const [times, setTimes] = useState(null);
  useEffect(() => {
    let isShown = true;
    const timer = setTimeout(async () => {
      const [proposed, place] = withEntry(checks, former, draft);
      try {
        const all = await post("schedules/preview", { checks: proposed });
        if (!isShown) return;
        setFaults({});
        setTimes({ zone: all.timezone, ...all.checks[place] });
      } catch (problem) {
        if (!isShown) return;
        setFaults(faultsOf(problem, place));
        setTimes(null);
      }
    }, PREVIEW_MS);
    return () => {
      isShown = false;
      clearTimeout(timer);
    };
  }, [JSON.stringify(draft)]);
  const change = (key) => (value) => setDraft((before) => ({ ...before, [key]: value ?? null }));
  const submit = async () => {
    // Somebody else may have changed another entry meanwhile.
    const [proposed, place] = withEntry((await get("settings")).schedule.checks, former, draft);
    try {
      await put("settings/schedule", { checks: proposed });
    } catch (problem) {
      setFaults(faultsOf(problem, place));
      throw problem.faults?.length ? new Error("Nothing was saved. Correct the marked fields.") : problem;
    }
    done();
  };
  const fields = schema.$defs.CheckSchedule.properties;
  const field = (key) => html`<${SchemaField} key=${key} name=${key} schema=${fields[key]} defs=${schema.$defs} path=${key} value=${draft[key]} faults=${faults} showDefault=${false} onChange=${change(key)} />`;
  return html`
    <${FormDialog} title=${former ? `Change ${former.name}` : "Add a schedule"} action="Save" submit=${submit} close=${close}>
      ${field("name")}
      <${When} cron=${draft.cron} fault=${faults.cron} onChange=${change("cron")} />
      <${Clock} title="Until" about="No check starts after this time. Empty: open end." value=${draft.until} fault=${faults.until} onChange=${(value) => change("until")(value || null)} />
      <p role="status">${times ? html`<strong>${times.words}</strong>${draft.until && ` until ${draft.until}`}. <span class="muted">Next: ${times.starts.map(({ starts_at }) => zonedTime(starts_at, times.zone)).join(" · ")} (${times.zone})</span>` : html`<span class="muted">${Object.keys(faults).length ? "Not valid yet." : "…"}</span>`}</p>
      <details open=${former && [...FILTERS, "only_if_viewers_below"].some((key) => draft[key] !== null) || undefined}>
        <summary>What is checked</summary>
        <div class="settings">${[...FILTERS, "only_if_viewers_below", "force"].map(field)}</div>
      </details>
    <//>
  `;
}

function freeName(checks) {
  const names = checks.map((one) => one.name);
  for (let number = 1; ; number += 1) if (!names.includes(`schedule${number}`)) return `schedule${number}`;
}

/** A time of day. */
function Clock({ title, about, value, fault, onChange, required = false }) {
  const id = useId();
  return html`
    <div class="setting">
      <label for=${id}>${title}</label>
      <input id=${id} type="time" required=${required} value=${value ?? ""} aria-invalid=${fault ? "true" : null} aria-describedby=${`${id}-about ${id}-fault`} onInput=${(event) => onChange(event.target.value)} />
      <div id=${`${id}-about`} class="muted small">${about}</div>
      <${Fault} id=${`${id}-fault`} message=${fault} />
    </div>
  `;
}

/** A cron expression: a time on days of the week, or the expression itself. */
function When({ cron, fault, onChange }) {
  const id = useId();
  const daily = readDaily(cron);
  const [kind, setKind] = useState(daily ? (daily.days.length === DAYS.length ? "daily" : "days") : "cron");
  const { time, days } = daily ?? DAILY;
  const choose = (next) => {
    setKind(next);
    if (next === "daily") onChange(writeDaily({ time, days: DAYS }));
    if (next === "days" && !daily) onChange(writeDaily(DAILY));
  };
  const toggle = (day) => onChange(writeDaily({ time, days: DAYS.filter((one) => (one === day) !== days.includes(one)) }));
  return html`
    <div class="setting">
      <label for=${id}>Starts</label>
      <select id=${id} onChange=${(event) => choose(event.target.value)}>
        ${[["daily", "every day"], ["days", "on some days of the week"], ["cron", "by a cron expression"]].map(([key, title]) => html`<option value=${key} selected=${key === kind}>${title}</option>`)}
      </select>
    </div>
    ${kind === "days" && html`<fieldset class="row"><legend class="hidden">Days</legend>${DAYS.map((day) => html`<label class="tick"><input type="checkbox" checked=${days.includes(day)} disabled=${days.length === 1 && days.includes(day)} onChange=${() => toggle(day)} /> ${weekday(day)}</label>`)}</fieldset>`}
    ${kind === "cron"
      ? html`
        <div class="setting">
          <label for=${`${id}-cron`}>Cron expression</label>
          <input id=${`${id}-cron`} class="wide" type="text" maxlength="200" spellcheck="false" value=${cron} aria-invalid=${fault ? "true" : null} aria-describedby=${`${id}-about ${id}-fault`} onInput=${(event) => onChange(event.target.value)} />
          <div id=${`${id}-about`} class="muted small">Minute, hour, day of the month, month, day of the week</div>
          <${Fault} id=${`${id}-fault`} message=${fault} />
        </div>`
      : html`<${Clock} title="At" about="By the clock of the schedules' time zone" required value=${time} fault=${fault} onChange=${(value) => value && onChange(writeDaily({ time: value, days }))} />`}
  `;
}
