// Numbers, times and words for people, in the language of Airflow's UI if the user chose one, else the browser's.

function language() {
  const chosen = localStorage.getItem("i18nextLng");
  try {
    return chosen ? Intl.getCanonicalLocales(chosen)[0] : undefined;
  } catch {
    return undefined;
  }
}

const LANGUAGE = language();
const NONE = "–";
const unlessNull = (write) => (value) => (value === null || value === undefined ? NONE : write(value));
const number = (options) => {
  const format = new Intl.NumberFormat(LANGUAGE, options);
  return unlessNull((value) => format.format(value));
};
const time = (options) => {
  const format = new Intl.DateTimeFormat(LANGUAGE, options);
  return unlessNull((value) => format.format(new Date(value)));
};
const relative = new Intl.RelativeTimeFormat(LANGUAGE, { numeric: "auto" });
const collator = new Intl.Collator(LANGUAGE, { numeric: true });
const ACRONYMS = /\b(http|dns|tls|drm)\b/g;
const ISO_TIME = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)/g;
const STEPS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

export const count = number({ maximumFractionDigits: 0 });
export const decimal = number({ maximumFractionDigits: 1 });
export const fps = number({ maximumFractionDigits: 2 });
export const score = number({ minimumFractionDigits: 2, maximumFractionDigits: 2 });
/** Write the estimated quality of a picture, from 1 to 5. */
export const quality = number({ minimumFractionDigits: 1, maximumFractionDigits: 1 });
export const percent = number({ style: "percent" });
export const seconds = number({ style: "unit", unit: "second", unitDisplay: "narrow", maximumFractionDigits: 1 });
const megabits = number({ style: "unit", unit: "megabit-per-second", maximumFractionDigits: 1 });
export const bitrate = unlessNull((kbps) => megabits(kbps / 1000));
export const moment = time({ dateStyle: "medium", timeStyle: "medium" });
export const dayClock = time({ weekday: "short", hour: "2-digit", minute: "2-digit" });
const shortMoment = time({ weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
export const day = time({ dateStyle: "medium" });
export const shortClock = time({ hour: "2-digit", minute: "2-digit" });
// Sunday is day 0, as in cron; 1 January 2023 was one.
export const weekday = (number) => time({ weekday: "short", timeZone: "UTC" })(Date.UTC(2023, 0, 1 + number));

/** Return a formatter of times by the clock of a time zone; UTC for a zone that the browser does not know. */
const zoned = (options) => {
  const formats = new Map();
  return (value, zone) => {
    if (!formats.has(zone)) {
      try {
        formats.set(zone, new Intl.DateTimeFormat(options.language ?? LANGUAGE, { ...options, timeZone: zone }));
      } catch {
        formats.set(zone, new Intl.DateTimeFormat(options.language ?? LANGUAGE, { ...options, timeZone: "UTC", timeZoneName: "short" }));
      }
    }
    return formats.get(zone).format(new Date(value));
  };
};
export const zonedClock = zoned({ hour: "2-digit", minute: "2-digit" });
export const zonedTime = zoned({ weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const digits = zoned({ language: "en-GB", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

/** Return the minute of the day by the clock of a time zone. */
export const minuteOfDay = (value, zone) => {
  const [hour, minute] = digits(value, zone).split(":").map((part) => parseInt(part, 10));
  return hour * 60 + minute;
};

/** Compare two objects by name, as people sort them. */
export const byName = (a, b) => collator.compare(a.name, b.name);

/** Return a number with its noun. */
export const plural = (number, noun, nouns = `${noun}s`) => `${count(number)} ${number === 1 ? noun : nouns}`;

/** Return a length of time in seconds or minutes, a long one in hours and minutes. */
export const duration = unlessNull((length) => {
  if (length < 90) return plural(Math.max(1, Math.round(length)), "second");
  const minutes = Math.round(length / 60);
  if (minutes < 90) return plural(minutes, "minute");
  return `${count(Math.floor(minutes / 60))} h${minutes % 60 ? ` ${minutes % 60} min` : ""}`;
});

/** Return the time from or until now in the largest unit that fits. */
export const ago = unlessNull((value) => {
  const away = (new Date(value) - Date.now()) / 1000;
  const [unit, length] = STEPS.find(([, length]) => Math.abs(away) >= length) ?? STEPS.at(-1);
  return relative.format(Math.round(away / length), unit);
});

/** Return the size of the picture. */
export const size = (result) => (result?.width ? `${result.width}×${result.height}${result.interlaced ? "i" : ""}` : NONE);

const KINDS = [
  [/^schedule__(.*?)__\d/, (found) => `scheduled check “${found[1]}”`],
  [/^schedul/, () => "scheduled check"],
  [/^hook__/, () => "check by a webhook"],
  [/^manual__/, () => "check by hand"],
];

/** Return what started a run, by its id in Airflow. */
export function runKind(id) {
  const [kind, name] = KINDS.map(([pattern, name]) => [pattern.exec(id), name]).find(([found]) => found) ?? [null, () => "check"];
  const part = /__part(\d+)$/.exec(id)?.[1];
  return `${name(kind)}${part ? `, part ${part}` : ""}`;
}

/** Return a name for a run: what started it, and when. */
export function runName(id, startedAt) {
  const kind = runKind(id);
  return `${kind[0].toUpperCase()}${kind.slice(1)}, ${shortMoment(startedAt)}`;
}

/** Return the words of a reason or another name of the API. */
export const words = (name) => name.replaceAll("_", " ").replace(ACRONYMS, (acronym) => acronym.toUpperCase());

/** Return the reason of a move; the names of streams in it stay as they are. */
export const moveReason = (why) => why.split(/(“[^”]*”)/).map((part, i) => (i % 2 ? part : words(part))).join("");

/** Return a text with its ISO 8601 times as local times. */
export const localTimes = (text) => text.replace(ISO_TIME, (time) => moment(time));
