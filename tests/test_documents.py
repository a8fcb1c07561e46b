"""The documents name tests and files that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
NAMED_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
LINK = re.compile(r"\]\((?!https?:|#|/)([^)#]+)")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_test_and_file_named_in_a_document_exists(document: Path) -> None:
    text = document.read_text()
    missing = [
        f"{file}::{name}"
        for file, name in NAMED_TEST.findall(text)
        if not (ROOT / file).exists() or f"def {name}(" not in (ROOT / file).read_text()
    ]
    missing += [target for target in LINK.findall(text) if not (document.parent / target).exists()]
    assert missing == []


def test_the_threat_model_names_a_test_for_every_attempt() -> None:
    text = (ROOT / "docs" / "use" / "security.md").read_text()
    rows = text.partition("## Known attacks")[2].partition("\n## ")[0]
    attempts = [row for row in rows.splitlines() if row.startswith("|")][2:]
    assert len(attempts) > 10
    assert [row for row in attempts if not NAMED_TEST.search(row)] == []
