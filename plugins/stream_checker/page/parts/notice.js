import { html } from "../html.js";

/** An error, told at once by a screen reader too. */
export const Failure = ({ error }) => error && html`<p class="notice dead" role="alert">${error.message}</p>`;

export const Loading = ({ of }) => html`<p class="muted" role="status">Loading ${of}…</p>`;
