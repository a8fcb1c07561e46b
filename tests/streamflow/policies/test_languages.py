from __future__ import annotations

import pytest

from streamflow.policies.languages import language


@pytest.mark.parametrize(
    ("code", "same"),
    [("deu", "deu"), ("ger", "deu"), ("de", "deu"), ("GER", "deu"), ("pt-BR", "por"), ("en_US", "eng"), ("xyz", "xyz")],
)
def test_the_codes_of_a_language_are_one(code: str, same: str) -> None:
    assert language(code) == same


@pytest.mark.parametrize("code", [None, "", "und", "mul", "zxx"])
def test_a_track_can_declare_no_language(code: str | None) -> None:
    assert language(code) is None
