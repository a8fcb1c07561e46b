// StreamFlow's routes and Airflow's REST API, by the session of Airflow's UI. Addresses are relative to the page,
// so they hold behind a proxy's path prefix.

const ROUTES = new URL("../", document.baseURI);
const AIRFLOW = new URL("../../", ROUTES);

/** An answer that is a problem document, or no answer at all. */
export class Problem extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export const route = (path) => new URL(path, ROUTES).href;
export const airflow = (path) => new URL(path, AIRFLOW).href;

/** The JSON of one of StreamFlow's routes. */
export const get = (path, options) => ask(route(path), options);
export const put = (path, body) => ask(route(path), { method: "PUT", body });
export const post = (path, body) => ask(route(path), { method: "POST", body });

/** Start a run of a DAG; answers its id. */
export async function trigger(dag, conf) {
  const body = { logical_date: null, conf };
  return (await ask(airflow(`api/v2/dags/${dag}/dagRuns`), { method: "POST", body })).dag_run_id;
}

/** Whether a DAG is paused. */
export const isPaused = async (dag) => (await ask(airflow(`api/v2/dags/${dag}`))).is_paused;

/** Pause a DAG or let it go on; answers whether it is paused. */
export const pause = async (dag, paused) =>
  (await ask(airflow(`api/v2/dags/${dag}?update_mask=is_paused`), { method: "PATCH", body: { is_paused: paused } })).is_paused;

async function ask(address, { method = "GET", body, signal, tries = 3 } = {}) {
  const headers = body === undefined ? {} : { "Content-Type": "application/json" };
  let answer;
  try {
    answer = await fetch(address, { method, headers, signal, body: JSON.stringify(body) });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, "The server does not answer.");
  }
  if (answer.status === 429 && tries > 1) {
    await new Promise((resolve) => setTimeout(resolve, 1000 * (Number(answer.headers.get("retry-after")) || 1)));
    return ask(address, { method, body, signal, tries: tries - 1 });
  }
  const type = answer.headers.get("content-type") ?? "";
  const data = type.includes("json") ? await answer.json() : null;
  // Health is a 503 with its own document when nothing can be checked.
  if (answer.ok || (data && answer.status === 503 && !type.includes("problem"))) return data;
  throw new Problem(answer.status, explain(answer, data));
}

function explain(answer, data) {
  if (answer.status === 401) return "Your session has ended: log in to Airflow again.";
  const detail = data?.detail ?? data?.title;
  return typeof detail === "string" ? detail : `The server answered ${answer.status} ${answer.statusText}`;
}
