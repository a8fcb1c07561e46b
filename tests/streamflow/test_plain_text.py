"""Text without control characters."""

from __future__ import annotations

import pytest

from streamflow.plain_text import plain_text, plain_values


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Das Erste HD", "Das Erste HD"),
        ("\x1b]52;c;cm0gLXJm\x07ZDF", " ]52;c;cm0gLXJm ZDF"),
        ("two\r\nlines\tand\x00more", "two lines and more"),
        ("C1 \x9b31m", "C1  31m"),
        ("gnp.\u202eexe", "gnp. exe"),
        ("Ünïcødé 日本 العربية 🇩🇪", "Ünïcødé 日本 العربية 🇩🇪"),
    ],
)
def test_control_characters_become_spaces(text: str, plain: str) -> None:
    assert plain_text(text) == plain


def test_every_text_of_a_json_value_is_plain() -> None:
    value = {"name\x1b": ["ZDF\x07", {"detail": "a\u202eb", "score": 0.5, "reason": None}]}
    assert plain_values(value) == {"name ": ["ZDF ", {"detail": "a b", "score": 0.5, "reason": None}]}
