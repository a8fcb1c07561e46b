"""Every verdict and reason that a check can have is explained, in the code and in the documents."""

from __future__ import annotations

import ast
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from streamflow.explanations import REASONS, TERMS, VERDICTS, Explanation, explained
from streamflow.records import Verdict

ROOT = Path(__file__).parents[2]
# The calls that make a verdict with a reason, and the verdict of those that imply it.
MAKERS = {"Judgement": None, "Refusal": None, "undecided": None, "dead": "dead"}
ALL = [*VERDICTS.items(), *TERMS.items(), *(one for reasons in REASONS.values() for one in reasons.items())]


def made() -> Iterator[tuple[str, str]]:
    """Yield verdict and reason of each call in the product that names both."""
    for file in sorted((ROOT / "include" / "streamflow").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name not in MAKERS:
                continue
            words = [one.value for one in node.args[:2] if isinstance(one, ast.Constant) and isinstance(one.value, str)]
            verdict = MAKERS[name]
            if verdict is None and len(words) == 2 and words[0] in VERDICTS:
                yield words[0], words[1]
            elif verdict and words and words[0].isidentifier():
                yield verdict, words[0]


def test_every_verdict_is_explained() -> None:
    assert tuple(VERDICTS) == get_args(Verdict)
    assert set(REASONS) == set(VERDICTS) - {"ok"}


def test_every_reason_that_the_code_gives_is_explained() -> None:
    found = set(made())
    assert ("dead", "no_data") in found
    assert ("unknown", "source_unavailable") in found
    assert {pair for pair in found if pair[1] not in REASONS.get(pair[0], {})} == set()  # type: ignore[call-overload]


@pytest.mark.parametrize(("word", "one"), ALL)
def test_an_explanation_is_made_of_sentences(word: str, one: Explanation) -> None:
    for text in (one.meaning, one.advice):
        assert not text or (text[0].isupper() or text.startswith("max_")), word
        assert not text or text.endswith("."), word


def test_an_unknown_reason_has_the_explanation_of_its_verdict() -> None:
    assert explained("dead", "new_reason") == explained("dead", None) == VERDICTS["dead"]
    assert explained("ok", None).meaning == "The stream works."


def test_the_document_has_the_same_texts() -> None:
    script = runpy.run_path(str(ROOT / "docs" / "use" / "verdicts.py"))
    assert script["FILE"].read_text() == script["text"](), "run docs/use/verdicts.py"
