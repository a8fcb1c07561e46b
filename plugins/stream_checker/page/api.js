// Requests to StreamFlow's routes and to Airflow's REST API with the session of Airflow's UI. URLs are relative to the
// page, so they also work behind a proxy's path prefix.

import { failed, responded } from "./contact.js";
import { parseJson } from "./text.js";

const STREAMFLOW = new URL("../", document.baseURI);
const AIRFLOW = new URL("../../", STREAMFLOW);
const MAX_TRIES = 3;

/** A failed request: the server sent a problem document, or did not respond (status 0). `faults` are its wrong fields. */
export class Problem extends Error {
  constructor(status, message, faults = []) {
    super(message);
    this.status = status;
    this.faults = faults;
  }
}

export const apiUrl = (path) => new URL(path, STREAMFLOW).href;
export const airflowUrl = (path) => new URL(path, AIRFLOW).href;

/** Send a request to one of StreamFlow's routes and return its JSON. */
export const get = (path, options) => request(apiUrl(path), options);
export const getFile = (path) => request(apiUrl(path), { isFile: true });
export const put = (path, body) => request(apiUrl(path), { method: "PUT", body });
export const post = (path, body) => request(apiUrl(path), { method: "POST", body });

/** Return whether a DAG is paused. */
export const isPaused = async (dag) => (await request(airflowUrl(`api/v2/dags/${dag}`))).is_paused;

/** Pause or resume a DAG and return whether it is paused. */
export const setPaused = async (dag, paused) =>
  (await request(airflowUrl(`api/v2/dags/${dag}?update_mask=is_paused`), { method: "PATCH", body: { is_paused: paused } })).is_paused;

/** Start a run of a DAG and return its id. */
export const startRun = async (dag, conf) =>
  (await request(airflowUrl(`api/v2/dags/${dag}/dagRuns`), { method: "POST", body: { logical_date: null, conf } })).dag_run_id;

const REMOVALS = "api/v2/dags/approve_removals/dagRuns";

/** Return the removals that wait for an answer, each with its run, its question and its channels. */
export async function openRequests() {
  const open = await request(airflowUrl(`${REMOVALS}/~/hitlDetails?response_received=false&limit=20`));
  return Promise.all(
    open.hitl_details.map(async ({ subject, task_instance: { dag_run_id: runId } }) => {
      const run = await request(airflowUrl(`${REMOVALS}/${encodeURIComponent(runId)}`));
      return { runId, subject, channels: run.conf.channels };
    }),
  );
}

/** Answer a question about removals with one of its options, and the ids of the chosen channels. */
export const answerRequest = (runId, option, channels) =>
  request(airflowUrl(`${REMOVALS}/${encodeURIComponent(runId)}/taskInstances/ask/-1/hitlDetails`), {
    method: "PATCH",
    body: { chosen_options: [option], params_input: { channel_ids: channels } },
  });

async function request(url, { method = "GET", body, signal, isFile = false, tries = MAX_TRIES } = {}) {
  const headers = body === undefined ? {} : { "Content-Type": "application/json" };
  let response;
  try {
    response = await fetch(url, body === undefined ? { method, headers, signal } : { method, headers, signal, body: JSON.stringify(body) });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    failed();
    throw new Problem(0, "The server does not respond.");
  }
  responded();
  if (response.status === 429 && tries > 1) {
    await new Promise((resolve) => setTimeout(resolve, 1000 * (Number(response.headers.get("retry-after")) || 1)));
    return request(url, { method, body, signal, isFile, tries: tries - 1 });
  }
  if (isFile && response.ok) return response.blob();
  const type = response.headers.get("content-type") ?? "";
  const data = type.includes("json") ? parseJson(await response.text()) : null;
  // The health of the workers has status 503 when nothing can be checked.
  if (response.ok || (data && response.status === 503 && !type.includes("problem"))) return data;
  throw new Problem(response.status, errorMessage(response, data), data?.errors);
}

function errorMessage(response, data) {
  if (response.status === 401) return "Your session has expired. Log in to Airflow again.";
  const detail = data?.detail ?? data?.title;
  return typeof detail === "string" ? detail : `The server responded with ${response.status} ${response.statusText}.`;
}
