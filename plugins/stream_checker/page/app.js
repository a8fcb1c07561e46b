// The frame of the page: the navigation and the view that the URL names.

import { useContact } from "./contact.js";
import { moment } from "./format.js";
import { html, render, useEffect, useState } from "./html.js";
import { Failure, Loading } from "./parts/notice.js";
import { keepPlaceInParent, link, useRoute, useTitle } from "./router.js";
import { followParentTheme } from "./theme.js";
import { ChannelView } from "./views/channel.js";
import { NowView } from "./views/now.js";
import { OverviewView } from "./views/overview.js";
import { ResultsView } from "./views/results.js";

/** A view whose module is loaded when it is first shown. */
function lazy(load) {
  let loaded = null;
  return function LazyView(props) {
    const [View, setView] = useState(() => loaded);
    const [error, setError] = useState(null);
    useEffect(() => void (loaded ?? load().then((view) => setView(() => (loaded = view)), setError)), []);
    return View ? html`<${View} ...${props} />` : html`<${Failure} error=${error} />${!error && html`<${Loading} what="the view" />`}`;
  };
}

// A view with `parent` has no entry in the navigation; the entry of its parent is marked instead.
const VIEWS = {
  overview: { title: "Overview", View: OverviewView },
  now: { title: "Now", View: NowView },
  run: { title: "Run", View: lazy(() => import("./views/run.js").then((module) => module.RunView)) },
  results: { title: "Results", View: ResultsView },
  channel: { title: "Channels", View: ChannelView },
  approvals: { title: "Approvals", View: lazy(() => import("./views/approvals.js").then((module) => module.ApprovalsView)) },
  history: { title: "History", View: lazy(() => import("./views/history.js").then((module) => module.HistoryView)) },
  matching: { title: "Matching", View: lazy(() => import("./views/matching.js").then((module) => module.MatchingView)) },
  policies: { title: "Policies", View: lazy(() => import("./views/policies.js").then((module) => module.PoliciesView)) },
  schedules: { title: "Schedules", View: lazy(() => import("./views/schedules.js").then((module) => module.SchedulesView)) },
  settings: { title: "Settings", View: lazy(() => import("./views/settings.js").then((module) => module.SettingsView)) },
  workers: { title: "Workers", View: lazy(() => import("./views/workers.js").then((module) => module.WorkersView)) },
  help: { title: "Help", View: lazy(() => import("./views/help.js").then((module) => module.HelpView)) },
  provider: { title: "Provider", View: lazy(() => import("./views/provider.js").then((module) => module.ProviderView)), parent: "now" },
  report: { title: "Health report", View: lazy(() => import("./views/report.js").then((module) => module.ReportView)), parent: "run" },
  stream: { title: "Stream", View: lazy(() => import("./views/stream.js").then((module) => module.StreamView)), parent: "results" },
};

function App() {
  const route = useRoute();
  const name = route.view in VIEWS ? route.view : "overview";
  const { View, parent = name, title } = VIEWS[name];
  useTitle(title);
  return html`
    <a class="skip" href="#main" onClick=${focusMain}>Skip to the content</a>
    <header>
      <h1>Stream checker</h1>
      <nav aria-label="Views">
        ${Object.entries(VIEWS)
          .filter(([, view]) => !view.parent)
          .map(([view, { title }]) => html`<a href=${link(view)} aria-current=${view === parent ? "page" : null}>${title}</a>`)}
      </nav>
    </header>
    <${Silence} />
    <main id="main" tabindex="-1"><${View} key=${name} ...${route} /></main>
  `;
}

/** Tells that the server is silent, so that what is shown may be old. */
function Silence() {
  const { isLost, lastAt } = useContact();
  return isLost && html`<p class="notice dead silence" role="alert">StreamFlow does not respond. Everything on this page is as of ${moment(lastAt)}. If it stays away, look whether <code>./streamflow up</code> or its container runs.</p>`;
}

function focusMain(event) {
  event.preventDefault();
  document.getElementById("main").focus();
}

followParentTheme();
keepPlaceInParent();
render(html`<${App} />`, document.getElementById("app"));
