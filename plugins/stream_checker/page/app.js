// The frame of the page: the navigation and the view that the URL names.

import { html, render } from "./html.js";
import { link, useRoute } from "./router.js";
import { followParentTheme } from "./theme.js";
import { ApprovalsView } from "./views/approvals.js";
import { ChannelView } from "./views/channel.js";
import { HelpView } from "./views/help.js";
import { HistoryView } from "./views/history.js";
import { NowView } from "./views/now.js";
import { OverviewView } from "./views/overview.js";
import { PoliciesView } from "./views/policies.js";
import { ProviderView } from "./views/provider.js";
import { ReportView } from "./views/report.js";
import { ResultsView } from "./views/results.js";
import { RunView } from "./views/run.js";
import { SettingsView } from "./views/settings.js";
import { StreamView } from "./views/stream.js";
import { WorkersView } from "./views/workers.js";

// A view with `parent` has no entry in the navigation; the entry of its parent is marked instead.
const VIEWS = {
  overview: { title: "Overview", View: OverviewView },
  now: { title: "Now", View: NowView },
  run: { title: "Run", View: RunView },
  results: { title: "Results", View: ResultsView },
  channel: { title: "Channels", View: ChannelView },
  approvals: { title: "Approvals", View: ApprovalsView },
  history: { title: "History", View: HistoryView },
  policies: { title: "Policies", View: PoliciesView },
  settings: { title: "Settings", View: SettingsView },
  workers: { title: "Workers", View: WorkersView },
  help: { title: "Help", View: HelpView },
  provider: { title: "Provider", View: ProviderView, parent: "now" },
  report: { title: "Health report", View: ReportView, parent: "run" },
  stream: { title: "Stream", View: StreamView, parent: "results" },
};

function App() {
  const route = useRoute();
  const name = route.view in VIEWS ? route.view : "overview";
  const { View, parent = name, title } = VIEWS[name];
  document.title = `${title} · Stream checker`;
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
    <main id="main" tabindex="-1"><${View} key=${name} ...${route} /></main>
  `;
}

function focusMain(event) {
  event.preventDefault();
  document.getElementById("main").focus();
}

followParentTheme();
render(html`<${App} />`, document.getElementById("app"));
