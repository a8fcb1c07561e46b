import { words } from "../format.js";
import { html } from "../html.js";

export const VERDICTS = ["ok", "degraded", "dead", "unknown", "skipped"];

/** The reasons of each verdict that has reasons. */
export const REASONS = {
  degraded: ["black_video", "frozen_video", "silent_audio", "no_audio", "unstable", "low_bitrate", "not_live"],
  dead: [
    "dns_failure", "connection_refused", "tls_error", "connect_timeout", "no_data", "http_404", "http_410", "http_4xx", "http_5xx",
    "unauthorized", "not_media", "no_video", "undecodable", "geo_blocked", "drm_protected",
  ],
  unknown: [
    "provider_busy", "slot_timeout", "limiter_unavailable", "source_unavailable", "cancelled", "internal_error", "codec_unsupported",
    "no_key_frame",
  ],
  skipped: ["fresh", "account_inactive", "unsupported_protocol", "window_closed", "not_probeable", "excluded"],
};

/** A verdict or the state of a stream, shown by word, shape and colour. */
export const Verdict = ({ of, reason }) => html`
  <span class="verdict ${of}">${of}${reason ? html`<span class="muted small">${words(reason)}</span>` : null}</span>
`;
