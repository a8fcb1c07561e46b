import { post } from "../api.js";
import { html, useState } from "../html.js";
import { Estimate } from "../parts/estimate.js";
import { FormDialog } from "../parts/form_dialog.js";
import { link } from "../router.js";

/** The dialog that starts a run of the checks in Airflow and then shows the run. */
export function StartDialog({ accounts, close }) {
  const [query, setQuery] = useState({});
  const estimate = ({ account, force }) => setQuery({ ...(account.value && { accounts: account.value }), ...(force.checked && { force: true }) });
  const submit = async (form) => {
    const account = form.get("account");
    const conf = {
      accounts: account ? [Number(account)] : null,
      force: form.has("force"),
      write_back: form.has("write_back"),
      mode: form.get("mode"),
    };
    location.hash = link("run", (await post("checks", conf)).run_id);
  };
  // Streams without an account have a word instead of an account id, and a run cannot be limited to them.
  const choices = accounts.filter((account) => Number.isInteger(account.account_id));
  return html`
    <${FormDialog} title="Start a check" action="Start" submit=${submit} close=${close} change=${estimate}>
      <label>Account
        <select name="account">
          <option value="">all accounts</option>
          ${choices.map((account) => html`<option value=${account.account_id}>${account.name || account.account_id}</option>`)}
        </select>
      </label>
      <label>Mode
        <select name="mode">
          <option value="auto">as configured</option>
          <option value="concurrent">several streams at the same time</option>
          <option value="sequential">one stream after another</option>
        </select>
      </label>
      <label class="tick"><input type="checkbox" name="force" /> Also check streams with a recent result</label>
      <label class="tick"><input type="checkbox" name="write_back" checked /> Write order and statistics to Dispatcharr</label>
      <p role="status"><${Estimate} query=${query} /></p>
    <//>
  `;
}
