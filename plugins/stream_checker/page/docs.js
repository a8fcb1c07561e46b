// The OpenAPI document as a page: every route with its parameters, body and responses.

import { html, render } from "./html.js";
import { Failure } from "./parts/notice.js";
import { Table } from "./parts/table.js";

const root = document.getElementById("docs");

function Docs({ api }) {
  const routes = Object.entries(api.paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, route]) => ({ path, method, ...route })));
  return html`
    <h1>${api.info.title}</h1>
    <p>${api.info.description} The OpenAPI document is <a href="openapi.json">openapi.json</a>.</p>
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
