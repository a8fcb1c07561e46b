"""Makes verdicts.md from the explanations that the page shows, too.

PYTHONPATH=include .venv/bin/python docs/use/verdicts.py
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from streamflow.explanations import REASONS, TERMS, VERDICTS, Explanation

FILE = Path(__file__).with_name("verdicts.md")


def rows(name: str, explained: Mapping[str, Explanation]) -> Iterator[str]:
    """Yield the lines of a table."""
    yield f"| {name} | meaning | what to do |"
    yield "|---|---|---|"
    for word, one in explained.items():
        yield f"| {word if name == 'figure' else f'`{word}`'} | {one.meaning} | {one.advice} |"
    yield ""


def text() -> str:
    """Return the document."""
    lines = [
        "# Verdicts, reasons and figures",
        "",
        "A result has a verdict and, unless the stream works, a reason. The page's view *Help* shows the same texts.",
        "",
    ]
    for verdict, meaning in VERDICTS.items():
        lines += [f"## {verdict}", "", meaning.meaning, ""]
        if verdict in REASONS:
            lines += rows("reason", REASONS[verdict])
    lines += ["## Figures", "", *rows("figure", TERMS)]
    return "\n".join(lines)


if __name__ == "__main__":
    FILE.write_text(text())
