// The OpenAPI document as a page: every route with its parameters, body and responses.

import { html, render } from "./html.js";
import { Failure } from "./parts/notice.js";
import { Table } from "./parts/table.js";

const root = document.getElementById("docs");

function Docs({ api }) {
  const routes = Object.entries(api.paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, route]) => ({ path, method, ...route })));
  return html`
    <h1>${api.info.title}</h1>
    ${api.info.description.trim().split("\n\n").map((part) => (part.startsWith("    ") ? html`<pre>${part.replace(/^ {4}/gm, "").replaceAll("ADDRESS", location.origin)}</pre>` : html`<p>${part}</p>`))}
    <p>The OpenAPI document is <a href="openapi.json">openapi.json</a>.</p>
    ${routes.map((route) => html`<${Route} ...${route} />`)}
    <h2>Schemas</h2>
    ${Object.entries(api.components.schemas).map(([name, schema]) => html`
      <details id=${`schema-${name}`} class="card"><summary>${name}</summary>
        <p>${schema.description}</p>
        <${Table} caption=${`Fields of ${name}`} rows=${Object.entries(schema.properties ?? {})} id=${([field]) => field} empty=${typeOf(schema)}
          columns=${[
            { title: "Field", head: true, cell: ([field]) => field },
            { title: "Type", cell: ([, property]) => typeOf(property) },
            { title: "Meaning", cell: ([, property]) => property.description },
            { title: "Example", cell: ([, property]) => property.examples && JSON.stringify(property.examples[0]) },
          ]} />
      </details>
    `)}
  `;
}

function Route({ path, method, summary, description, parameters = [], requestBody, responses }) {
  const body = requestBody?.content?.["application/json"]?.schema;
  return html`
    <details class="card">
      <summary><strong>${method.toUpperCase()} ${path}</strong> ${summary}</summary>
      <p>${description}</p>
      <pre>${example(method, path, parameters, body)}</pre>
      ${parameters.length > 0 && html`
        <${Table} caption="Parameters" rows=${parameters} id=${(one) => one.name}
          columns=${[
            { title: "Name", head: true, cell: (one) => `${one.name}${one.required ? " (required)" : ""}` },
            { title: "In", cell: (one) => one.in },
            { title: "Type", cell: (one) => typeOf(one.schema) },
            { title: "Meaning", cell: (one) => one.description ?? one.schema?.description },
          ]} />
      `}
      ${body && html`<p>Body: ${typeOf(body)}${body.examples && html` <code>${JSON.stringify(body.examples[0])}</code>`}</p>`}
      <${Table} caption="Responses" rows=${Object.entries(responses)} id=${([status]) => status}
        columns=${[
          { title: "Status", head: true, cell: ([status]) => status },
          { title: "Meaning", cell: ([, response]) => response.description },
          { title: "Content", cell: ([, response]) => Object.entries(response.content ?? {}).map(([type, { schema }]) => html`<div>${type}: ${typeOf(schema)}</div>`) },
        ]} />
    </details>
  `;
}

/** Return a command that calls the route, with example values for its parameters. */
function example(method, path, parameters, body) {
  const value = (one) => encodeURIComponent(one.example ?? one.examples?.[0] ?? one.schema?.examples?.[0] ?? one.schema?.default ?? one.name.toUpperCase());
  const address = new URL(`.${path}`, location).href;
  const filled = parameters.filter((one) => one.in === "path").reduce((text, one) => text.replace(`%7B${one.name}%7D`, value(one)), address);
  const query = parameters.filter((one) => one.in === "query" && one.required).map((one) => `${one.name}=${value(one)}`).join("&");
  const parts = ["curl", method === "get" ? "" : `-X ${method.toUpperCase()}`, `'${filled}${query && `?${query}`}'`, "-H 'Authorization: Bearer TOKEN'"];
  if (body) parts.push(`-H 'Content-Type: application/json' -d '${JSON.stringify(body.examples?.[0] ?? {})}'`);
  return parts.filter(Boolean).join(" ");
}

/** Return the type of a schema in a few words, with links to named schemas. */
function typeOf(schema) {
  if (!schema) return "";
  if (schema.$ref) {
    const name = schema.$ref.split("/").at(-1);
    return html`<a href=${`#schema-${name}`}>${name}</a>`;
  }
  const alternatives = schema.anyOf ?? schema.oneOf;
  if (alternatives) return alternatives.map((one, i) => html`${i > 0 && " or "}${typeOf(one)}`);
  if (schema.enum) return schema.enum.join(" | ");
  if (schema.type === "array") return html`list of ${typeOf(schema.items)}`;
  return schema.type ?? "any";
}

fetch("openapi.json")
  .then((response) => response.json())
  .then((api) => render(html`<${Docs} api=${api} />`, root))
  .catch((error) => render(html`<${Failure} error=${error} />`, root));
