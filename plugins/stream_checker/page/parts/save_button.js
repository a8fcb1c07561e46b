import { save } from "../airflow.js";
import { html, useState } from "../html.js";

/** A button that saves the file of a route, and shows why it cannot. */
export function SaveButton({ path, name, about, children }) {
  const [error, setError] = useState(null);
  const press = () => {
    setError(null);
    save(path, name).catch(setError);
  };
  return html`<button type="button" title=${about} onClick=${press}>${children}</button>${error && html`<span class="below dead small" role="alert">${error.message}</span>`}`;
}

/** Saves a playlist of one channel or stream. A player opens it and plays through Dispatcharr's proxy, without a login. */
export const Play = ({ query, name }) => html`<${SaveButton} path=${`proxy/playlist.m3u?${new URLSearchParams(query)}`} name=${`${name}.m3u`} about="Saves a playlist that a player such as VLC opens, through Dispatcharr’s proxy">Open in a player<//>`;
