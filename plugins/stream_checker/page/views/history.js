// Slots in use, checks per minute, verdicts and waits over hours, days and weeks.

import { byName, count, decimal, seconds } from "../format.js";
import { html, useMemo } from "../html.js";
import { useLive } from "../live.js";
import { LineChart, StackedChart } from "../parts/chart.js";
import { Failure, Loading } from "../parts/notice.js";
import { Table } from "../parts/table.js";
import { VERDICTS } from "../parts/verdict.js";
import { replaceFilters } from "../router.js";

const HOUR = 3600;
const POINTS = 120;
const BARS = 48;
const REFRESH_MS = 30000;
const SPANS = [["the last hour", HOUR], ["6 hours", 6 * HOUR], ["a day", 24 * HOUR], ["a week", 168 * HOUR], ["30 days", 720 * HOUR]];
const ALL = "all accounts";
// More lines cannot be distinguished by colour.
const MAX_LINES = 6;

export function HistoryView({ filters }) {
  const span = Number(filters.get("period")) || HOUR;
  const account = filters.get("account") ?? ALL;
  const filter = (change) => replaceFilters("history", { ...Object.fromEntries(filters), ...change });
  const query = useMemo(() => {
    const since = new Date(Date.now() - span * 1000).toISOString();
    return new URLSearchParams({ since, step: Math.max(10, span / POINTS) });
  }, [span]);
  const { data: history, error } = useLive(`concurrency/history?${query}`, [], REFRESH_MS);
  const runs = useLive("runs?limit=200", [], REFRESH_MS).data?.outcomes ?? [];
  const names = new Map((useLive("concurrency/status", [], REFRESH_MS).data?.accounts ?? []).map((one) => [String(one.account_id), one.name]));
  const nameOf = (id) => names.get(id) || (id === "" ? "others" : `Account ${id}`);
  const accounts = (history?.accounts ?? []).map((one) => ({ ...one, name: nameOf(one.account_id) })).sort(byName);
  const chosen = history?.accounts.find((one) => one.account_id === account) ?? history?.global;
  return html`
    <div class="row">
      <label>Period
        <select value=${span} onChange=${(event) => filter({ period: event.target.value })}>
          ${SPANS.map(([title, length]) => html`<option value=${length} selected=${length === span}>${title}</option>`)}
        </select>
      </label>
      <label>Account
        <select value=${account} onChange=${(event) => filter({ account: event.target.value === ALL ? "" : event.target.value })}>
          <option>${ALL}</option>
          ${accounts.map((one) => html`<option value=${one.account_id} selected=${String(one.account_id) === account}>${one.name}</option>`)}
        </select>
      </label>
    </div>
    <${Failure} error=${error} />
    ${!history && !error && html`<${Loading} what="the history" />`}
    ${history && html`
      <div class="charts">
        <${LineChart} title="Concurrent checks" at=${history.at} lines=${[["running", "checking", chosen.active], ["waiting", "waiting", chosen.waiting]]} />
        <${LineChart} title="Checks per minute" at=${history.at} lines=${[["ok", "finished", chosen.finished_per_minute]]} />
        <${Verdicts} runs=${runs} span=${span} />
        <${LineChart} title="Wait for a slot" at=${history.at} format=${seconds} empty="No check waited in this period." lines=${waits(accounts, account)} />
      </div>
      <${Totals} all=${history.global} accounts=${accounts} />
    `}
  `;
}

/** The verdicts of all accounts; each run counts at its end. */
function Verdicts({ runs, span }) {
  const now = Date.now();
  const width = (span * 1000) / BARS;
  const begin = now - span * 1000;
  const counts = Array.from({ length: BARS }, () => ({}));
  for (const { finished_at, verdicts } of runs) {
    const bar = counts[Math.min(BARS - 1, Math.floor(((finished_at ? new Date(finished_at) : now) - begin) / width))];
    if (bar) for (const verdict of VERDICTS) bar[verdict] = (bar[verdict] ?? 0) + (verdicts[verdict] ?? 0);
  }
  const at = counts.map((_, i) => begin + i * width);
  return html`<${StackedChart} title="Share of verdicts" at=${at} kinds=${VERDICTS} counts=${counts} empty="No run ended in this period." />`;
}

/** Return the lines of the mean waits, for the chosen account or the accounts with the longest waits. */
function waits(accounts, account) {
  const chosen = accounts.filter((one) => account === ALL || one.account_id === account);
  const longest = chosen.map((one) => [meanWait(one) ?? 0, one]).filter(([mean]) => mean > 0).sort(([a], [b]) => b - a).slice(0, MAX_LINES);
  return longest.map(([, one], i) => [`line${i + 1}`, one.name, one.wait]);
}

const sum = (values) => values.reduce((total, value) => total + value, 0);

function meanWait(use) {
  const granted = sum(use.granted);
  return granted ? sum(use.wait.map((wait, i) => wait * use.granted[i])) / granted : null;
}

function Totals({ all, accounts }) {
  const rows = [{ account_id: null, name: ALL, ...all }, ...accounts];
  return html`
    <${Table} caption="Totals of this period" rows=${rows} id=${(row) => row.account_id ?? ALL}
      columns=${[
        { title: "Account", head: true, cell: (row) => row.name },
        { title: "Checks", number: true, cell: (row) => count(sum(row.finished)) },
        { title: "Peak (average)", number: true, minor: true, cell: (row) => decimal(Math.max(0, ...row.active)) },
        { title: "Queued", number: true, minor: true, cell: (row) => count(sum(row.refused)) },
        { title: "Mean wait", number: true, cell: (row) => seconds(meanWait(row)) },
      ]} />
  `;
}
