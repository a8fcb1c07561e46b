import { html } from "../html.js";

/** A path through the values (null: a gap), over a box of the given size; `most` is the value at its top. */
export function path(values, width, height, most) {
  const step = values.length > 1 ? width / (values.length - 1) : 0;
  let pen = "M";
  return values
    .map((value, i) => {
      if (value === null || value === undefined) {
        pen = "M";
        return "";
      }
      const point = `${pen}${(i * step).toFixed(1)} ${(height - (value / (most || 1)) * height).toFixed(1)}`;
      pen = "L";
      return point;
    })
    .join("");
}

/** A small line of values from 0 to 1, oldest first. */
export const Spark = ({ values, label }) => html`
  <svg class="spark" viewBox="0 0 100 20" preserveAspectRatio="none" role="img" aria-label=${label}>
    <path d=${path(values, 100, 20, 1)} />
  </svg>
`;
