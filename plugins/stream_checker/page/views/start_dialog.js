import { DAG } from "../airflow.js";
import { trigger } from "../api.js";
import { html } from "../html.js";
import { Ask } from "../parts/ask.js";
import { link } from "../place.js";

/** Starts a run of the checks through Airflow, and shows it. */
export function StartCheck({ accounts, close }) {
  const act = async (form) => {
    const account = form.get("account");
    const conf = {
      account_ids: account ? [Number(account)] : null,
      force: form.has("force"),
      write_back: form.has("write_back"),
      mode: form.get("mode"),
    };
    const run = await trigger(DAG, conf);
    location.hash = link("run", run);
  };
  // Streams without an account have a word for its id, which a run cannot be limited to.
  const real = accounts.filter((account) => Number.isInteger(account.account_id));
  return html`
    <${Ask} title="Start a check" action="Start" act=${act} close=${close}>
      <label>Streams of
        <select name="account">
          <option value="">every account</option>
          ${real.map((account) => html`<option value=${account.account_id}>${account.name || account.account_id}</option>`)}
        </select>
      </label>
      <label>Mode
        <select name="mode">
          <option value="auto">as configured</option>
          <option value="concurrent">at once</option>
          <option value="sequential">one after another</option>
        </select>
      </label>
      <label class="tick"><input type="checkbox" name="force" /> Check again what was checked a short time ago</label>
      <label class="tick"><input type="checkbox" name="write_back" checked /> Write order and statistics to Dispatcharr</label>
    <//>
  `;
}
