// Cron expressions that are due once on chosen days of the week, which a form can show without the expression.

/** The days of the week by their numbers in cron, in the order of most calendars. */
export const DAYS = [1, 2, 3, 4, 5, 6, 0];

/** Return `{time, days}` of an expression that is due once on some days of the week; null for any other. */
export function readDaily(cron) {
  const [, minute, hour, weekdays] = /^(\d{1,2}) (\d{1,2}) \* \* ([\d,*-]+)$/.exec(cron.trim()) ?? [];
  if (minute === undefined || minute > 59 || hour > 23) return null;
  const days = weekdays === "*" ? DAYS : weekdays.split(",").flatMap(span);
  if (days.some((day) => !DAYS.includes(day))) return null;
  return { time: `${hour.padStart(2, "0")}:${minute.padStart(2, "0")}`, days: DAYS.filter((day) => days.includes(day)) };
}

/** Return the days of a part such as `5` or `1-5`; NaN for one that is neither. */
function span(part) {
  const [, first, last = first] = /^(\d)(?:-(\d))?$/.exec(part) ?? [];
  if (first === undefined || last < first) return [NaN];
  return Array.from({ length: last - first + 1 }, (_, i) => (Number(first) + i === 7 ? 0 : Number(first) + i));
}

/** Return the expression of a time of day on some days of the week. */
export function writeDaily({ time, days }) {
  const [hour, minute] = time.split(":").map(Number);
  return `${minute} ${hour} * * ${days.length === DAYS.length ? "*" : days.toSorted().join(",")}`;
}
