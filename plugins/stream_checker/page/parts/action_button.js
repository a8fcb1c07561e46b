import { post } from "../api.js";
import { html, useState } from "../html.js";
import { useRights } from "../rights.js";
import { link } from "../router.js";

/** A button of users who may edit. It is busy until `action` ends, and shows its error. */
export function ActionButton({ action, children, kind = "", label }) {
  const { mayEdit } = useRights();
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(null);
  if (!mayEdit) return null;
  const press = async () => {
    setBusy(true);
    setError(null);
    try {
      await action();
    } catch (problem) {
      setError(problem);
    } finally {
      setBusy(false);
    }
  };
  return html`<button type="button" class=${kind} disabled=${busy} aria-label=${label} onClick=${press}>${children}</button>${error && html`<span class="dead small below" role="alert">${error.message}</span>`}`;
}

/** Checks what `of` names (the body of `POST /checks`) at once, and shows the run. */
export const CheckNow = ({ of, label, kind, children = "Check now" }) => html`
  <${ActionButton} label=${label} kind=${kind} action=${async () => (location.hash = link("run", (await post("checks", { force: true, ...of })).run_id))}>${children}<//>
`;
