// What the words of the page mean, and what to do.

import { words } from "../format.js";
import { html } from "../html.js";
import { useExplanations } from "../parts/explanation.js";
import { Loading } from "../parts/notice.js";
import { Table } from "../parts/table.js";
import { Verdict } from "../parts/verdict.js";

export function HelpView() {
  const explanations = useExplanations();
  if (!explanations) return html`<${Loading} what="the explanations" />`;
  return html`
    <section aria-labelledby="figures">
      <h2 id="figures">Figures</h2>
      <${Explained} caption="Figures of this page" word="Figure" rows=${explanations.terms} />
    </section>
    ${explanations.verdicts.map((verdict) => html`
      <section aria-labelledby=${verdict.word}>
        <h2 id=${verdict.word}><${Verdict} of=${verdict.word} /></h2>
        <p>${verdict.meaning}</p>
        ${verdict.reasons.length > 0 && html`<${Explained} caption=${`Reasons of ${verdict.word}`} word="Reason" rows=${verdict.reasons} />`}
      </section>
    `)}
  `;
}

const Explained = ({ caption, word, rows }) => html`
  <${Table} caption=${caption} rows=${rows} id=${(row) => row.word}
    columns=${[
      { title: word, head: true, cell: (row) => words(row.word) },
      { title: "Meaning", cell: (row) => row.meaning },
      { title: "What to do", cell: (row) => row.advice },
    ]} />
`;
