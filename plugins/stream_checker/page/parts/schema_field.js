// A form field for one value of a JSON schema, with its meaning, range, default and fault.

import { html, useId, useState } from "../html.js";
import { useRights } from "../rights.js";

/** Return the schema of a value without references, and whether the value may be null. */
export function shape(schema, defs) {
  const found = resolve(schema, defs);
  if (!found.anyOf) return { ...found, nullable: false };
  const choices = found.anyOf.map((one) => resolve(one, defs));
  const others = choices.filter((one) => one.type !== "null");
  const only = others.length === 1 ? others[0] : { type: "string" };
  return { ...only, ...found, type: only.type, anyOf: undefined, nullable: others.length < choices.length };
}

function resolve({ $ref, ...schema }, defs) {
  return $ref ? { ...defs[$ref.split("/").at(-1)], ...schema } : schema;
}

export const isObject = ({ type, properties }) => type === "object" && Boolean(properties);
const isList = ({ type, items }) => type === "array" && !isObject(items ?? {});
const isNumber = ({ type }) => type === "integer" || type === "number";

/** Return the name of a key as people read it. */
export const keyName = (key) => {
  const words = key.replaceAll("_", " ").replace(/\bkbps\b/, "(kbit/s)").replace(/\b(fps|tls|hdr)\b/g, (word) => word.toUpperCase());
  return words[0].toUpperCase() + words.slice(1);
};

export const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

/** Return a value in a few words. */
export function shown(value) {
  if (value === null || value === undefined) return "not set";
  if (value === true) return "yes";
  if (value === false) return "no";
  if (Array.isArray(value)) return value.length ? value.map(shown).join(", ") : "empty";
  if (typeof value === "object") return Object.keys(value).length ? JSON.stringify(value) : "empty";
  return value === "" ? "empty" : String(value);
}

function range({ minimum, maximum, exclusiveMinimum }) {
  if (minimum === undefined && exclusiveMinimum === undefined && maximum === undefined) return null;
  const low = minimum ?? (exclusiveMinimum !== undefined ? `above ${exclusiveMinimum}` : null);
  if (maximum === undefined) return `from ${low}`;
  return low === null ? `up to ${maximum}` : `${low} to ${maximum}`;
}

/**
 * A field. `value` is JSON, `onChange` receives the new one, `undefined` for a value that is left out. `faults` maps
 * paths to messages; `path` is that of the value.
 */
export function SchemaField({ name, schema, defs, path, value, onChange, faults = {}, showDefault = true }) {
  const kind = shape(schema, defs);
  const id = useId();
  const { mayEdit } = useRights();
  if (isObject(kind)) {
    return html`
      <fieldset class="nested">
        <legend>${keyName(name)}</legend>
        ${kind.description && html`<p class="muted small">${kind.description.split("\n")[0]}</p>`}
        <${Fault} id=${`${id}-fault`} message=${faults[path]} />
        ${Object.entries(kind.properties).map(([key, property]) => html`
          <${SchemaField} key=${key} name=${key} schema=${property} defs=${defs} path=${`${path}.${key}`} value=${value?.[key]} faults=${faults} showDefault=${showDefault}
            onChange=${(next) => onChange(without({ ...value, [key]: next }))} />
        `)}
      </fieldset>
    `;
  }
  const standard = kind.default;
  const hints = [range(kind), showDefault && standard !== undefined && `default ${shown(standard)}`].filter(Boolean).join(" · ");
  const fault = Object.entries(faults).find(([key]) => key === path || key.startsWith(`${path}.`))?.[1];
  const described = { "aria-describedby": `${id}-about${fault ? ` ${id}-fault` : ""}`, "aria-invalid": fault ? "true" : null };
  return html`
    <div class="setting">
      <label for=${id}>${keyName(name)}</label>
      <div class="row">
        <${Input} id=${id} kind=${kind} value=${value} onChange=${onChange} described=${described} />
        ${mayEdit && showDefault && standard !== undefined && !same(value, standard) && html`<button type="button" onClick=${() => onChange(standard)} aria-label=${`Reset ${keyName(name)} to its default`}>Reset</button>`}
      </div>
      <div id=${`${id}-about`} class="muted small">${withCode(kind.description)}${hints && html` <span class="whole">(${hints})</span>`}</div>
      <${Fault} id=${`${id}-fault`} message=${fault} />
    </div>
  `;
}

/** Return a text with its parts between backticks as code. */
const withCode = (text = "") => text.split("`").map((part, i) => (i % 2 ? html`<code>${part}</code>` : part));

/** What is wrong with the value of a field. */
export const Fault = ({ id, message }) => message && html`<div id=${id} class="dead small" role="alert">${message}</div>`;

const without = (object) => Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));

function Input({ id, kind, value, onChange, described }) {
  if (kind.enum) {
    return html`
      <select id=${id} ...${described} onChange=${(event) => onChange(event.target.value || undefined)}>
        ${(kind.nullable || value === undefined) && html`<option value="" selected=${!value}>as in general</option>`}
        ${kind.enum.map((one) => html`<option value=${one} selected=${one === value}>${one.replaceAll("_", " ")}</option>`)}
      </select>
    `;
  }
  if (kind.type === "boolean" && kind.nullable) {
    const choices = [["", "as in general", undefined], ["yes", "yes", true], ["no", "no", false]];
    return html`
      <select id=${id} ...${described} onChange=${(event) => onChange(choices.find(([key]) => key === event.target.value)[2])}>
        ${choices.map(([key, title, one]) => html`<option value=${key} selected=${one === (value ?? undefined)}>${title}</option>`)}
      </select>
    `;
  }
  if (kind.type === "boolean") {
    return html`<input id=${id} type="checkbox" ...${described} checked=${value ?? kind.default ?? false} onChange=${(event) => onChange(event.target.checked)} />`;
  }
  if (isNumber(kind)) {
    const parsed = (text) => (text === "" ? (kind.nullable ? null : undefined) : Number(text));
    const bounds = { min: kind.minimum ?? kind.exclusiveMinimum, max: kind.maximum, step: kind.type === "integer" ? 1 : "any" };
    return html`<input id=${id} type="number" ...${described} ...${bounds} required=${!kind.nullable && kind.default !== undefined && kind.default !== null} value=${value ?? ""} onInput=${(event) => onChange(parsed(event.target.value))} />`;
  }
  if (isList(kind)) return html`<${Lines} id=${id} value=${value} onChange=${onChange} described=${described} hasIds=${Boolean(kind.items?.anyOf)} empty=${kind.nullable ? null : []} />`;
  if (kind.type === "object" || kind.type === "array") return html`<${Json} id=${id} value=${value} onChange=${onChange} described=${described} />`;
  return html`<input id=${id} type="text" class="wide" maxlength=${kind.maxLength ?? 2000} ...${described} value=${value ?? ""} onInput=${(event) => onChange(event.target.value || (kind.nullable ? null : ""))} />`;
}

/** A list, one item a line. With `hasIds` a line of digits is an id; `empty` is the value without any line. */
function Lines({ id, value, onChange, described, hasIds, empty }) {
  const [text, setText] = useState((value ?? []).join("\n"));
  const change = (event) => {
    setText(event.target.value);
    const lines = event.target.value.split("\n").map((line) => line.trim()).filter(Boolean);
    if (lines.length) onChange(lines.map((line) => (hasIds && /^\d+$/.test(line) ? Number(line) : line)));
    else onChange(value === undefined ? undefined : empty);
  };
  const current = (value ?? []).join("\n");
  // A reset from outside replaces the text; empty lines that the user is typing stay.
  const same = text.split("\n").map((line) => line.trim()).filter(Boolean).join("\n") === current;
  return html`<textarea id=${id} class="wide" rows=${Math.min(6, Math.max(2, (value ?? []).length + 1))} placeholder="one a line" ...${described} value=${same ? text : current} onInput=${change}></textarea>`;
}

function Json({ id, value, onChange, described }) {
  const [text, setText] = useState(null);
  const change = (event) => {
    setText(event.target.value);
    try {
      onChange(JSON.parse(event.target.value || "null"));
      event.target.setCustomValidity("");
    } catch {
      event.target.setCustomValidity("This is not JSON.");
    }
  };
  return html`<textarea id=${id} class="wide code" rows="3" spellcheck="false" ...${described} value=${text ?? JSON.stringify(value, null, 1)} onInput=${change} onBlur=${() => setText(null)}></textarea>`;
}
