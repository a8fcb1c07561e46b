// Slots in use, tasks waiting and checks a minute over time, over all and for each account.

import { count, decimal, seconds, shortClock, moment } from "../format.js";
import { html, useMemo, useState } from "../html.js";
import { useLive } from "../live.js";
import { path } from "../parts/line.js";
import { Failure, Loading } from "../parts/notice.js";
import { Table } from "../parts/table.js";

const HOUR = 3600;
const POINTS = 120;
const REFRESH_MS = 30000;
const SPANS = [["the last hour", HOUR], ["6 hours", 6 * HOUR], ["a day", 24 * HOUR], ["a week", 168 * HOUR], ["30 days", 720 * HOUR]];
const ALL = "all accounts";

export function HistoryView() {
  const [span, setSpan] = useState(HOUR);
  const [account, setAccount] = useState(ALL);
  const query = useMemo(() => {
    const since = new Date(Date.now() - span * 1000).toISOString();
    return new URLSearchParams({ since, step: Math.max(10, span / POINTS) });
  }, [span]);
  const { data: history, error } = useLive(`concurrency/history?${query}`, [], REFRESH_MS);
  const names = new Map((useLive("concurrency/status", [], REFRESH_MS).data?.accounts ?? []).map((one) => [String(one.account_id), one.name]));
  const called = (id) => names.get(id) || (id === "" ? "others" : `Account ${id}`);
  const chosen = history?.accounts.find((one) => one.account_id === account) ?? history?.global;
  return html`
    <div class="row">
      <label>Time
        <select value=${span} onChange=${(event) => setSpan(Number(event.target.value))}>
          ${SPANS.map(([title, length]) => html`<option value=${length}>${title}</option>`)}
        </select>
      </label>
      <label>Account
        <select value=${account} onChange=${(event) => setAccount(event.target.value)}>
          <option>${ALL}</option>
          ${history?.accounts.map((one) => html`<option value=${one.account_id}>${called(one.account_id)}</option>`)}
        </select>
      </label>
    </div>
    <${Failure} error=${error} />
    ${!history && !error && html`<${Loading} of="the history" />`}
    ${history && html`
      <${Chart} title="Checks at once" at=${history.at} lines=${[["running", "checking", chosen.active], ["degraded", "waiting", chosen.waiting]]} />
      <${Chart} title="Checks a minute" at=${history.at} lines=${[["ok", "finished a minute", chosen.finished_per_minute]]} />
      <${Totals} history=${history} called=${called} />
    `}
  `;
}

const WIDTH = 600;
const HEIGHT = 140;

function Chart({ title, at, lines }) {
  const most = Math.max(1, ...lines.flatMap(([, , values]) => values));
  const told = lines.map(([, name, values]) => `${name} up to ${decimal(Math.max(0, ...values))}`).join(", ");
  const write = at.length && Date.now() - new Date(at[0]) > 86400000 ? moment : shortClock;
  return html`
    <section class="card">
      <div class="spread"><h2>${title}</h2><span class="small">${lines.map(([kind, name]) => html`<span class="key ${kind}"><span>${name}</span></span>`)}</span></div>
      <div class="small muted">${decimal(most)}</div>
      <svg class="chart" viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" role="img" aria-label="${title}: ${told}">
        ${[0, 0.5, 1].map((share) => html`<line x1="0" x2=${WIDTH} y1=${HEIGHT * share} y2=${HEIGHT * share} />`)}
        ${lines.map(([kind, , values]) => html`<path class=${kind} d=${path(values, WIDTH, HEIGHT, most)} />`)}
      </svg>
      <div class="spread small muted"><span>${at.length ? write(at[0]) : ""}</span><span>${at.length ? write(at.at(-1)) : ""}</span></div>
    </section>
  `;
}

function Totals({ history, called }) {
  const sum = (values) => values.reduce((total, value) => total + value, 0);
  const waited = (use) => {
    const granted = sum(use.granted);
    return granted ? sum(use.wait.map((wait, i) => wait * use.granted[i])) / granted : null;
  };
  const rows = [{ account_id: null, ...history.global }, ...history.accounts];
  return html`
    <${Table} caption="In all this time" rows=${rows} id=${(row) => row.account_id ?? ALL}
      columns=${[
        { title: "Account", head: true, cell: (row) => (row.account_id === null ? ALL : called(row.account_id)) },
        { title: "Checks", number: true, cell: (row) => count(sum(row.finished)) },
        { title: "Most at once", number: true, minor: true, cell: (row) => decimal(Math.max(0, ...row.active)) },
        { title: "Refused a slot", number: true, minor: true, cell: (row) => count(sum(row.refused)) },
        { title: "Mean wait", number: true, cell: (row) => seconds(waited(row)) },
      ]} />
  `;
}
