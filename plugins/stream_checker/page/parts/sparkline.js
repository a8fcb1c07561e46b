import { html } from "../html.js";

/** Return the path through the values in a box of this size. A null value is a gap; `most` is the value at the top. */
export function path(values, width, height, most) {
  const step = values.length > 1 ? width / (values.length - 1) : 0;
  let command = "M";
  return values
    .map((value, i) => {
      if (value === null || value === undefined) {
        command = "M";
        return "";
      }
      const point = `${command}${(i * step).toFixed(1)} ${(height - (value / (most || 1)) * height).toFixed(1)}`;
      command = "L";
      return point;
    })
    .join("");
}

/** A small line chart of values from 0 to 1, oldest first. */
export const Sparkline = ({ values, label }) => html`
  <svg class="spark" viewBox="0 0 100 20" preserveAspectRatio="none" role="img" aria-label=${label}>
    <path d=${path(values, 100, 20, 1)} />
  </svg>
`;
