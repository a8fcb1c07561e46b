import { apiUrl } from "../api.js";
import { html } from "../html.js";

/** Where players find the playlist of the working streams. Its token stays on the server: it opens all addresses. */
export const Playlist = () => html`
  <details>
    <summary>Playlist for players</summary>
    <p>The channels by number, each with its best working streams first: <code class="any">${apiUrl("playlist.m3u")}?token=…</code></p>
    <p class="muted">The token is the variable <code>STREAMFLOW_PLAYLIST_TOKEN</code> of the server. Without it there is no playlist. Whoever has it sees the passwords of your accounts.</p>
  </details>
`;
