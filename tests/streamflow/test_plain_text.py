"""Text without control characters."""

from __future__ import annotations

import pytest

from streamflow.plain_text import inert_text, plain_text, plain_values


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


@pytest.mark.parametrize(
    ("text", "inert"),
    [
        ("<!channel> <@U1> <http://evil.test|ZDF>", "‹!channel› ‹＠U1› ‹http:⁄⁄evil․test|ZDF›"),
        ("@everyone [ZDF](https://evil.test/x)", "＠everyone ［ZDF](https:⁄⁄evil․test/x)"),
        ("www.evil.test `rm` **bold**", "www․evil․test 'rm' ∗∗bold∗∗"),
        ("Das Erste HD 1.5 & more", "Das Erste HD 1.5 & more"),
    ],
)
def test_a_name_is_no_mention_no_link_and_no_markup_in_a_chat(text: str, inert: str) -> None:
    assert inert_text(text) == inert


def test_every_text_of_a_json_value_is_plain() -> None:
    value = {"name\x1b": ["ZDF\x07", {"detail": "a\u202eb", "score": 0.5, "reason": None}]}
    assert plain_values(value) == {"name ": ["ZDF ", {"detail": "a b", "score": 0.5, "reason": None}]}
