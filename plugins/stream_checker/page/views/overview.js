// The first view: is everything all right, what did the checks do, and what waits for a person.

import { put } from "../api.js";
import { ago, byName, count, dayClock, moment, moveReason, percent, plural, runName } from "../format.js";
import { html } from "../html.js";
import { useLive } from "../live.js";
import { ActionButton, CheckNow } from "../parts/action_button.js";
import { ShareBar } from "../parts/bars.js";
import { Estimate } from "../parts/estimate.js";
import { Failure, Loading } from "../parts/notice.js";
import { Table } from "../parts/table.js";
import { link } from "../router.js";

const REFRESH_MS = 10000;

export function OverviewView() {
  const { data: now, error, reload } = useLive("overview", ["run"], REFRESH_MS);
  if (!now) return html`<${Failure} error=${error} />${!error && html`<${Loading} what="the overview" />`}`;
  return html`
    <${Failure} error=${error} />
    <${SetUp} now=${now} />
    <${Health} channels=${now.channels} />
    <${Waiting} now=${now} done=${reload} />
    ${now.dark.length > 0 && html`<${Channels} title="Dark channels" channels=${now.dark} total=${now.channels.dark} about="No stream of these channels shows a picture." />`}
    <${Changes} changes=${now.changes} />
    <${Providers} providers=${now.providers} />
    ${now.weak.length > 0 && html`<${Channels} title="Weak channels" channels=${now.weak} total=${now.channels.weak} about="These channels work, but not with all of their streams." />`}
  `;
}

/** Why a refresh failed, and what to do. */
const RefreshFault = ({ fault }) => html`${fault ? html`<strong class="any">${/[.!?]$/.test(fault) ? fault : `${fault}.`}</strong>` : html`the log of <code>refresh_udi</code> in Airflow names the reason.`} <code>./streamflow doctor</code> tests the address and the login.`;

/** What is missing before anything can be checked, and what has failed since. */
function SetUp({ now }) {
  if (!now.refreshed_at) {
    return html`<p class="notice degraded" role="status">The library is empty: no accounts and channels were read yet. ${now.refresh_failed_at ? html`The refresh failed ${ago(now.refresh_failed_at)}: <${RefreshFault} fault=${now.refresh_fault} />` : "The first refresh starts by itself."}
      Set <code>DISPATCHARR_URL</code> and its login, test them with <code>./streamflow doctor</code>, and run the DAG <code>refresh_udi</code> in Airflow.</p>`;
  }
  return now.refresh_failed_at && html`<p class="notice degraded" role="status">Library last refreshed ${ago(now.refreshed_at)}, refresh failed ${ago(now.refresh_failed_at)}: <${RefreshFault} fault=${now.refresh_fault} /></p>`;
}

const KINDS = [["ok", "whole", "whole"], ["degraded", "weak", "weak"], ["dead", "dark", "dark"], ["pending", "undecided", "not checked"]];

const Health = ({ channels }) => {
  const total = Object.values(channels).reduce((sum, number) => sum + number, 0);
  const told = channels.dark ? `${plural(channels.dark, "channel")} dark` : channels.whole + channels.weak ? "All checked channels work" : "No channel was checked yet";
  return html`
    <section aria-labelledby="health" class="card">
      <div class="spread wrap"><h2 id="health"><span class="big ${channels.dark ? "dead" : "ok"}">${told}</span></h2><span class="muted">${plural(total, "channel")}</span></div>
      <${ShareBar} label="Channels by health" parts=${KINDS.map(([kind, key]) => [kind, channels[key]])} />
      <p>${KINDS.filter(([, key]) => channels[key]).map(([kind, key, name]) => html`<span class="key ${kind}"><span>${count(channels[key])} ${name}</span></span>`)}</p>
    </section>
  `;
};

/** The last and the next check, and what waits for a person. */
function Waiting({ now, done }) {
  const { last_run: last, held, late_events: late } = now;
  const broken = last && (last.verdicts.dead ?? 0);
  return html`
    <section aria-labelledby="checks">
      <h2 id="checks">Checks</h2>
      <div class="card">
        <dl class="facts">
          <dt>Last</dt><dd>${last ? html`<a href=${link("run", last.run_id)}>${runName(last.run_id, last.started_at)}</a> <span class="muted">(${last.finished_at ? `ended ${ago(last.finished_at)}` : "in progress"})</span> ${last.finished_at && `${count(Object.values(last.verdicts).reduce((sum, one) => sum + one, 0))} streams, ${count(broken)} dead`}` : "none yet"}</dd>
          <dt>Next</dt><dd>${now.paused ? html`<span class="degraded">paused: no scheduled check starts</span>` : now.next_check ? html`<time datetime=${now.next_check}>${dayClock(now.next_check)}</time> <span class="muted">(${ago(now.next_check)})</span> <${Estimate} query=${{ schedule: now.next_schedule }} />` : html`<a href=${link("schedules")}>no schedule is active</a>`}</dd>
          <dt>Library</dt><dd>${now.refreshed_at ? `read ${ago(now.refreshed_at)}` : "empty"}</dd>
        </dl>
        ${now.asks_to_write && html`<div class="row"><span class="degraded">Scheduled checks have planned changes and wait for your consent to write them.</span>
          <${ActionButton} kind="main" action=${async () => (await put("settings/safety", { scheduled_write_back: "always" }), done())}>Let scheduled checks write<//></div>`}
        ${late.map((one) => html`<p key=${`${one.event.channel_id} ${one.event.starts_at}`} class="degraded">No check before “${one.event.title || one.event.kind}” (<a href=${link("channel", one.event.channel_id)}>channel</a>, <time datetime=${one.event.starts_at}>${dayClock(one.event.starts_at)}</time>): it was found too late for a check of ${plural(Math.ceil(one.seconds), "second")}.</p>`)}
        ${held.length > 0 && html`<p class="degraded">The removal of dead streams waits in ${plural(held.length, "channel")}, because a run would remove too many (<a href=${link("approvals")}>decide</a>): ${held.slice(0, 5).map((one, i) => html`${i > 0 && ", "}<a href=${link("channel", one.channel_id)}>${one.name}</a>`)}${held.length > 5 && " …"}</p>`}
      </div>
    </section>
  `;
}

const Channels = ({ title, channels, total, about }) => html`
  <section aria-label=${title}>
    <h2>${title}</h2>
    <p class="muted">${about}</p>
    <${Table} caption=${channels.length < total ? `${count(channels.length)} of ${count(total)} channels` : plural(total, "channel")} rows=${channels} id=${(row) => row.channel_id} step=${10}
      columns=${[
        { title: "Number", number: true, minor: true, cell: (row) => row.number },
        { title: "Channel", head: true, cell: (row) => html`<a href=${link("channel", row.channel_id)}>${row.name}</a>` },
        { title: "Usable", number: true, cell: (row) => `${count(row.usable)} of ${count(row.streams)}` },
        { title: "Check", cell: (row) => html`<${CheckNow} of=${{ channels: [row.channel_id] }} label=${`Check now: ${row.name}`} />` },
      ]} />
  </section>
`;

const Changes = ({ changes }) => html`
  <section aria-label="Changes of the last 24 hours">
    <h2>Changed in the last 24 hours</h2>
    <${Table} caption=${plural(changes.length, "channel")} rows=${changes} id=${(row) => `${row.channel_id} ${row.at}`} step=${10} empty="No check has moved a stream."
      columns=${[
        { title: "Channel", head: true, cell: (row) => html`<a href=${link("channel", row.channel_id)}>${row.name}</a>` },
        { title: "First choice, and why", cell: (row) => html`${row.first_before === row.first_after ? "stays" : html`${row.first_before ?? "none"} → <strong>${row.first_after ?? "none"}</strong>`}<div class="muted small">${moveReason(row.why)}</div>` },
        { title: "When", minor: true, cell: (row) => html`<time datetime=${row.at} title=${moment(row.at)}>${ago(row.at)}</time>${!row.written && html` <span class="muted">not written</span>`}` },
      ]} />
  </section>
`;

const Providers = ({ providers }) => html`
  <section aria-labelledby="providers">
    <h2 id="providers">Providers</h2>
    <div class="cards">
      ${providers.toSorted((a, b) => share(a) - share(b) || byName(a, b)).map((one) => html`
        <div class="card" key=${one.account_id}>
          <div class="spread"><h3 class="clip" title=${one.name}><a href=${link("provider", one.account_id)}>${one.name}</a></h3>
            <span class="muted small whole">${!one.is_active ? "inactive" : one.max_streams ? `limit ${count(one.max_streams)}` : "no limit"}</span></div>
          <div>${one.decided ? html`<span class="big">${percent(one.working / one.decided)}</span> alive <span class="muted small whole">${count(one.working)} of ${count(one.decided)}</span>` : html`<span class="muted">not checked yet</span>`}</div>
          ${one.undecided > 0 && html`<div class="small muted">${count(one.undecided)} by their last known state, of <time datetime=${one.as_of} title=${moment(one.as_of)}>${ago(one.as_of)}</time></div>`}
          ${one.believed_limit !== null && one.believed_limit !== one.max_streams && one.evidence.length > 0 && html`<div class="small degraded">Limit in practice: ${count(one.believed_limit)}</div>`}
        </div>
      `)}
    </div>
  </section>
`;

const share = (one) => (one.decided ? one.working / one.decided : 2);
