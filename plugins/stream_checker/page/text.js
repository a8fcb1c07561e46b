// Text from providers without the characters that hide or reorder letters.

// Control characters, separators and the bidirectional controls of UAX #9, as in streamflow/plain_text.py.
// oxlint-disable-next-line no-control-regex -- to remove control characters is the purpose
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]+/g;

/** Return the text on one line, with a space for each run of control characters. */
export const plainText = (text) => text.replace(CONTROL, " ");

/** Parse JSON with plain texts only. */
export const parseJson = (json) => JSON.parse(json, (_, value) => (typeof value === "string" ? plainText(value) : value));
