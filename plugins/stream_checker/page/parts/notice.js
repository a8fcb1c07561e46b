import { html } from "../html.js";

/** An error message, which screen readers announce at once. */
export const Failure = ({ error }) => error && html`<p class="notice dead" role="alert">${error.message}</p>`;

export const Loading = ({ what }) => html`<p class="muted" role="status">Loading ${what}…</p>`;
