// The button that opens the player, which is loaded with its library only then.

import { html, useState } from "../html.js";

/** `query` names a channel or a stream; `result` is the last result of a stream, from which its codecs are known. */
export function Watch({ query, name, account, result }) {
  const [Player, setPlayer] = useState(null);
  const [error, setError] = useState(null);
  const open = () => {
    setError(null);
    import("./player.js").then((module) => setPlayer(() => module.Player), () => setError("The player could not be loaded. Reload the page."));
  };
  return html`
    <button type="button" onClick=${open} aria-haspopup="dialog">Watch</button>
    ${error && html`<span class="below dead small" role="alert">${error}</span>`}
    ${Player && html`<${Player} query=${query} name=${name} account=${account} result=${result} close=${() => setPlayer(null)} />`}
  `;
}
