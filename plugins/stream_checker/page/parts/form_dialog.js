import { html, useEffect, useId, useRef, useState } from "../html.js";
import { Failure } from "./notice.js";

/**
 * A dialog with a form. `submit` receives the form's data; the dialog closes when it succeeds and shows its error.
 * `change` receives the form's fields after each change.
 */
export function FormDialog({ title, action, danger = false, submit, close, change, children }) {
  const dialog = useRef(null);
  const heading = useId();
  const [error, setError] = useState(null);
  const [busy, setBusy] = useState(false);
  useEffect(() => dialog.current.showModal(), []);
  const onSubmit = async (event) => {
    event.preventDefault();
    setBusy(true);
    try {
      await submit(new FormData(event.target));
      dialog.current.close();
    } catch (problem) {
      setError(problem);
    } finally {
      setBusy(false);
    }
  };
  return html`
    <dialog ref=${dialog} aria-labelledby=${heading} onClose=${close}>
      <form onSubmit=${onSubmit} onChange=${change && ((event) => change(event.currentTarget.elements))}>
        <h2 id=${heading}>${title}</h2>
        <${Failure} error=${error} />
        ${children}
        <div class="row">
          <button type="button" onClick=${() => dialog.current.close()}>Cancel</button>
          <button type="submit" class=${danger ? "danger" : "main"} disabled=${busy}>${action}</button>
        </div>
      </form>
    </dialog>
  `;
}
