// Numbers and times as people write them where they live: in the language chosen in Airflow's UI, else the browser's.

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
const known = (write) => (value) => (value === null || value === undefined ? NONE : write(value));
const number = (options) => {
  const format = new Intl.NumberFormat(LANGUAGE, options);
  return known((value) => format.format(value));
};
const time = (options) => {
  const format = new Intl.DateTimeFormat(LANGUAGE, options);
  return known((value) => format.format(new Date(value)));
};
const relative = new Intl.RelativeTimeFormat(LANGUAGE, { numeric: "auto" });
const collator = new Intl.Collator(LANGUAGE, { numeric: true });
const STEPS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

export const count = number({ maximumFractionDigits: 0 });
export const decimal = number({ maximumFractionDigits: 1 });
export const fps = number({ maximumFractionDigits: 2 });
export const score = number({ minimumFractionDigits: 2, maximumFractionDigits: 2 });
export const percent = number({ style: "percent" });
export const seconds = number({ style: "unit", unit: "second", unitDisplay: "narrow", maximumFractionDigits: 1 });
const megabits = number({ style: "unit", unit: "megabit-per-second", maximumFractionDigits: 1 });
export const bitrate = known((kbps) => megabits(kbps / 1000));
export const moment = time({ dateStyle: "medium", timeStyle: "medium" });
export const clock = time({ timeStyle: "medium" });
export const dayClock = time({ weekday: "short", hour: "2-digit", minute: "2-digit" });
export const day = time({ dateStyle: "medium" });
export const shortClock = time({ hour: "2-digit", minute: "2-digit" });

/** The order in which people look for names. */
export const byName = (a, b) => collator.compare(a.name, b.name);

/** A number with its noun. */
export const plural = (number, noun) => `${count(number)} ${noun}${number === 1 ? "" : "s"}`;

/** How long ago or ahead, in the largest unit that fits. */
export const ago = known((value) => {
  const away = (new Date(value) - Date.now()) / 1000;
  const [unit, length] = STEPS.find(([, length]) => Math.abs(away) >= length) ?? STEPS.at(-1);
  return relative.format(Math.round(away / length), unit);
});

export const size = (result) => (result?.width ? `${result.width}×${result.height}${result.interlaced ? "i" : ""}` : NONE);
export const words = (name) => name.replaceAll("_", " ");
