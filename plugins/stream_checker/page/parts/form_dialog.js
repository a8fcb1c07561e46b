import { html, useEffect, useId, useRef, useState } from "../html.js";
import { Failure } from "./notice.js";

/** A dialog with a form: `act` gets its data, and the dialog closes when that is done; an error stays in it. */
export function Ask({ title, action, danger = false, act, close, children }) {
  const dialog = useRef(null);
  const heading = useId();
  const [error, setError] = useState(null);
  const [busy, setBusy] = useState(false);
  useEffect(() => dialog.current.showModal(), []);
  const submit = async (event) => {
    event.preventDefault();
    setBusy(true);
    try {
      await act(new FormData(event.target));
      dialog.current.close();
    } catch (problem) {
      setError(problem);
    } finally {
      setBusy(false);
    }
  };
  return html`
    <dialog ref=${dialog} aria-labelledby=${heading} onClose=${close}>
      <form onSubmit=${submit}>
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
