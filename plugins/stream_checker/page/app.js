// The frame of the page: its navigation and the view that the place names.

import { html, render } from "./html.js";
import { link, usePlace } from "./place.js";
import { followParent } from "./theme.js";
import { ChannelView } from "./views/channel.js";
import { HistoryView } from "./views/history.js";
import { NowView } from "./views/now.js";
import { ReportView } from "./views/report.js";
import { ResultsView } from "./views/results.js";
import { RunView } from "./views/run.js";
import { StreamView } from "./views/stream.js";
import { WorkersView } from "./views/workers.js";

// `under`: the entry of the navigation that a view without one of its own belongs to.
const VIEWS = {
  now: { title: "Now", View: NowView },
  run: { title: "Run", View: RunView },
  results: { title: "Results", View: ResultsView },
  channel: { title: "Channels", View: ChannelView },
  history: { title: "History", View: HistoryView },
  workers: { title: "Workers", View: WorkersView },
  report: { title: "Health report", View: ReportView, under: "run" },
  stream: { title: "Stream", View: StreamView, under: "results" },
};

function App() {
  const place = usePlace();
  const name = place.view in VIEWS ? place.view : "now";
  const { View, under = name, title } = VIEWS[name];
  document.title = `${title} · Stream checker`;
  return html`
    <a class="skip" href="#main" onClick=${toMain}>Skip to the content</a>
    <header>
      <h1>Stream checker</h1>
      <nav aria-label="Views">
        ${Object.entries(VIEWS)
          .filter(([, view]) => !view.under)
          .map(([view, { title }]) => html`<a href=${link(view)} aria-current=${view === under ? "page" : null}>${title}</a>`)}
      </nav>
    </header>
    <main id="main" tabindex="-1"><${View} key=${name} ...${place} /></main>
  `;
}

function toMain(event) {
  event.preventDefault();
  document.getElementById("main").focus();
}

followParent();
render(html`<${App} />`, document.getElementById("app"));
