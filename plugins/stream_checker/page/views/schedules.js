// The schedules of checks: when each starts, what it checks, how long it takes, and whether it fits its window.

import { get, put, setPaused } from "../api.js";
import { AirflowLink } from "../airflow.js";
import { ago, duration, minuteOfDay, plural, shortClock, zonedClock, zonedTime } from "../format.js";
import { html, useEffect, useState } from "../html.js";
import { useLive } from "../live.js";
import { ActionButton } from "../parts/action_button.js";
import { DayBars } from "../parts/day_bar.js";
import { FormDialog } from "../parts/form_dialog.js";
import { Failure, Loading } from "../parts/notice.js";
import { shown } from "../parts/schema_field.js";
import { useRights } from "../rights.js";
import { link } from "../router.js";
import { ScheduleDialog } from "./schedule_dialog.js";
import { Section } from "./settings.js";

const REFRESH_MS = 5000;
const ORIGINS = {
  setting: "from the setting Timezone below",
  machine: "from this machine's variable TZ",
  source: "from Dispatcharr's settings",
  default: "because no time zone is set",
};

export function SchedulesView() {
  const { mayEdit } = useRights();
  const times = useLive("schedules", [], REFRESH_MS);
  const settings = useLive("settings", [], REFRESH_MS);
  const [schema, setSchema] = useState(null);
  const [error, setError] = useState(null);
  const [dialog, setDialog] = useState(null);
  useEffect(() => void get("settings/schema").then(setSchema, setError), []);
  const schedule = settings.data?.schedule;
  const estimates = useEstimates(schedule?.checks);
  const failed = error ?? times.error ?? settings.error;
  if (!times.data || !schedule || !schema) return html`<${Failure} error=${failed} />${!failed && html`<${Loading} what="the schedules" />`}`;
  const reload = () => (times.reload(), settings.reload());
  const close = () => setDialog(null);
  const known = Object.fromEntries(times.data.checks.map((one) => [one.name, one]));
  const rows = schedule.checks.filter(({ name }) => known[name]).map((entry) => ({ entry, own: known[entry.name], estimate: estimates[entry.name] }));
  return html`
    <${Failure} error=${failed} />
    <${Clock} times=${times.data} />
    ${times.data.paused && html`<p class="notice degraded" role="status">All checks are paused, so no schedule starts one. Resume them in the view <a href=${link("now")}>Now</a>.</p>`}
    <${Day} rows=${rows} times=${times.data} />
    <section aria-labelledby="list">
      <h2 id="list">Schedules</h2>
      ${rows.length === 0 && html`<p class="card">There is no schedule: no check starts by itself.</p>`}
      <ul class="plain">
        ${rows.map(({ entry, own, estimate }) => html`<${Card} key=${entry.name} entry=${entry} own=${own} estimate=${estimate} times=${times.data} reload=${times.reload} open=${setDialog} />`)}
      </ul>
      ${times.data.leaving.length > 0 && html`<p class="muted any" role="status">Removed: ${times.data.leaving.join(", ")}. Nothing starts by it any more, and Airflow hides its DAG within ${duration(times.data.effective_within)}.</p>`}
      ${mayEdit && html`<div class="row"><button type="button" class="main" onClick=${() => setDialog({ kind: "edit", former: null })}>Add a schedule…</button></div>`}
    </section>
    <${Events} times=${times.data} settings=${schedule.before_events} />
    <${Section} section="schedule" title="Time zone, refresh, and checks before events" omit=${["checks"]} schema=${schema.properties.schedule} defs=${schema.$defs} stored=${schedule} saved=${reload} />
    ${dialog?.kind === "edit" && html`<${ScheduleDialog} former=${dialog.former} checks=${schedule.checks} schema=${schema} close=${close} done=${reload} />`}
    ${dialog?.kind === "remove" && html`<${RemoveDialog} name=${dialog.name} close=${close} done=${reload} />`}
  `;
}

/** Return the estimate of each entry by its name, each asked for after the other and again when an entry changes. */
function useEstimates(checks) {
  const [found, setFound] = useState({});
  useEffect(() => {
    const aborter = new AbortController();
    const ask = async () => {
      for (const { name } of checks ?? []) {
        const one = await get(`estimate?${new URLSearchParams({ schedule: name })}`, { signal: aborter.signal }).catch((error) => ({ error }));
        if (aborter.signal.aborted) return;
        setFound((before) => ({ ...before, [name]: one }));
      }
    };
    ask();
    return () => aborter.abort();
  }, [JSON.stringify(checks)]);
  return found;
}

const Clock = ({ times }) => html`
  <p class="muted">All times are those of <strong>${times.timezone}</strong>, ${ORIGINS[times.timezone_from]}; it is ${zonedClock(new Date(), times.timezone)} there.
    A changed schedule is in force within ${duration(times.effective_within)}, without a restart.</p>
`;

/** Each schedule as a bar over the day: its window, the time that it takes, and the events before which is checked. */
function Day({ rows, times }) {
  const zone = times.timezone;
  const bars = rows.filter(({ own }) => own.starts.length).map(({ entry, own, estimate }) => {
    const [{ starts_at: start, until }] = own.starts;
    const first = minuteOfDay(start, zone);
    const window = until ? (new Date(until) - new Date(start)) / 60000 : null;
    const takes = estimate?.seconds ? estimate.seconds / 60 : 0;
    const spans = [window && ["window", first, window], [estimate?.fits === false ? "takes late" : "takes", first, Math.max(takes, 5)]].filter(Boolean);
    const label = `${entry.name}: starts at ${zonedClock(start, zone)}${until ? `, window until ${zonedClock(until, zone)}` : ", open end"}${takes ? `, takes about ${duration(takes * 60)}` : ""}`;
    return { name: entry.name, label, spans };
  });
  const marks = times.events.map((event) => [minuteOfDay(event.starts_at, zone), `${zonedClock(event.starts_at, zone)} ${event.title || event.kind}, ${event.channel}`]);
  if (marks.length) bars.push({ name: "events", label: `${plural(marks.length, "recording or programme", "recordings or programmes")} with a check before: ${marks.map(([, title]) => title).join("; ")}`, marks });
  if (!bars.length) return null;
  return html`
    <section aria-labelledby="day" class="card">
      <h2 id="day">The day, by the clock of ${zone}</h2>
      <${DayBars} rows=${bars} now=${minuteOfDay(new Date(), zone)} />
      <p class="small"><span class="key takes"><span>expected time</span></span><span class="key window"><span>window</span></span>${marks.length > 0 && html`<span class="key events"><span>recording or programme</span></span>`}<span class="key now"><span>now</span></span></p>
    </section>
  `;
}

function Card({ entry, own, estimate, times, reload, open }) {
  const { mayEdit } = useRights();
  const zone = times.timezone;
  const isElsewhere = own.starts.some(({ starts_at: start }) => shortClock(start) !== zonedClock(start, zone));
  return html`
    <li class="card">
      <div class="spread wrap">
        <h3><bdi>${entry.name}</bdi></h3>
        ${own.paused ? html`<span class="degraded" role="status">paused</span>` : !own.in_force && html`<span class="muted" role="status">the change is in force within ${duration(times.effective_within)}</span>`}
      </div>
      <p><strong>${own.words}</strong>${entry.until && ` until ${entry.until}`}</p>
      <dl class="facts">
        <dt>Next</dt>
        <dd>${own.paused ? html`<span class="degraded">paused: it starts no check until it is resumed</span>` : own.starts.map(({ starts_at: start }, i) => html`${i > 0 && " · "}<time datetime=${start} title=${ago(start)}>${zonedTime(start, zone)}</time>${i === 0 && html` <span class="muted">(${ago(start)}${isElsewhere ? `, ${shortClock(start)} by your clock` : ""})</span>`}`)}</dd>
        <dt>Takes</dt><dd><${Takes} estimate=${estimate} zone=${zone} /></dd>
        <dt>Checks</dt><dd class="any">${selection(entry)}</dd>
      </dl>
      <div class="row">
        ${mayEdit && html`<button type="button" aria-label=${`Change ${entry.name}`} onClick=${() => open({ kind: "edit", former: entry })}>Change…</button>`}
        ${own.paused === null ? mayEdit && html`<span class="muted small">It can be paused when Airflow has loaded it.</span>` : html`<${ActionButton} label=${`${own.paused ? "Resume" : "Pause"} ${entry.name}`} action=${async () => (await setPaused(own.dag_id, !own.paused), reload())}>${own.paused ? "Resume" : "Pause"}<//>`}
        ${mayEdit && html`<button type="button" class="danger" aria-label=${`Remove ${entry.name}`} onClick=${() => open({ kind: "remove", name: entry.name })}>Remove…</button>`}
        ${own.paused !== null && html`<${AirflowLink} to=${`dags/${own.dag_id}`}>history in Airflow<//>`}
      </div>
    </li>
  `;
}

function Takes({ estimate, zone }) {
  if (!estimate) return html`<span class="muted">…</span>`;
  if (estimate.error) return html`<span class="muted">not known: ${estimate.error.message}</span>`;
  if (estimate.streams === 0) return "nothing is due at the next start: every stream will have a recent result";
  const fits = { true: html`, <span class="ok">fits</span>`, false: html`, <span class="degraded">does not fit: what is left at ${zonedClock(estimate.until, zone)} follows at the next start</span>` }[estimate.fits];
  return html`about ${duration(estimate.seconds)}${fits} <span class="muted">(${plural(estimate.streams, "stream")}${estimate.decides && `; ${estimate.decides} takes longest`})</span>`;
}

/** Return what a schedule checks, in words. */
function selection({ groups, channels, accounts, force, only_if_viewers_below: viewers }) {
  const only = Object.entries({ groups, channels, accounts }).filter(([, names]) => names !== null).map(([key, names]) => `${key} ${shown(names)}`);
  return [
    only.length ? `only ${only.join(", and ")}` : "all channels",
    force && "also streams with a recent result",
    viewers !== null && (viewers === 1 ? "only while nobody watches" : `only while fewer than ${viewers} people watch`),
  ].filter(Boolean).join("; ");
}

const Events = ({ times, settings }) => html`
  <section aria-labelledby="events">
    <h2 id="events">Before recordings and programmes</h2>
    ${!settings.minutes || !(settings.recordings || settings.titles.length)
      ? html`<p class="muted">Switched off.</p>`
      : html`
        <p class="muted">The channel is checked ${plural(settings.minutes, "minute")} before the start, once for each.</p>
        ${times.events.length === 0 ? html`<p>None in the next 24 hours, as far as is known.</p>` : html`<ul>${times.events.map((event) => html`<li key=${`${event.channel_id} ${event.starts_at}`}><time datetime=${event.starts_at}>${zonedTime(event.starts_at, times.timezone)}</time> <bdi>${event.title || event.kind}</bdi> on <a href=${link("channel", event.channel_id)}>${event.channel}</a></li>`)}</ul>`}
      `}
  </section>
`;

function RemoveDialog({ name, close, done }) {
  const submit = async () => {
    const { schedule } = await get("settings");
    await put("settings/schedule", { checks: schedule.checks.filter((one) => one.name !== name) });
    done();
  };
  return html`
    <${FormDialog} title=${`Remove ${name}?`} action="Remove" danger submit=${submit} close=${close}>
      <p>No check starts by this schedule any more. A run that it has started goes on. Its history stays in Airflow. To suspend it for a while, pause it instead.</p>
    <//>
  `;
}
