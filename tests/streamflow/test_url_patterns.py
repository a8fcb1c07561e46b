from __future__ import annotations

import time

import pytest

from streamflow.errors import UnusablePattern
from streamflow.records.text import URL_LENGTH
from streamflow.url_patterns import MAX_LENGTH, MAX_REPLACED, check, rewritten

URL = "http://tv.test/live/alice/one/7.ts"
OTHER = "http://tv.test/live/bob/two/7.ts"


@pytest.mark.parametrize(
    ("search", "replace", "expected"),
    [
        ("/alice/one/", "/bob/two/", OTHER),
        (r"live/[^/]+/[^/]+/(\d+)", "live/bob/two/$1", OTHER),
        (r"(?<head>.*)/alice/one/(?<id>.*)", "$<head>/bob/two/$<id>", OTHER),
        # Dispatcharr searches with Python, whose names of groups some users write.
        (r"(?P<head>.*)/alice/one/(?P<id>.*)", "$<head>/bob/two/$<id>", OTHER),
        (r"\/(alice)\/(one)\/", "/bob/two/", OTHER),
        ("no such part", "x", URL),
        ("^(.*)$", "$1", URL),
        ("", "x", URL),
        ("t", "T", "hTTp://Tv.TesT/live/alice/one/7.Ts"),
        ("alice", "$$", "http://tv.test/live/$/one/7.ts"),
        ("alice", "$$1", "http://tv.test/live/$1/one/7.ts"),
        ("alice", "$&-$&", "http://tv.test/live/alice-alice/one/7.ts"),
        ("/7.ts$", "$`", "http://tv.test/live/alice/onehttp://tv.test/live/alice/one"),
        ("^http://tv.test/", "$'?", "live/alice/one/7.ts?live/alice/one/7.ts"),
        # A reference to no group stands for itself, one to a group that took no part for nothing.
        ("alice", "$1$0$<name>$", "http://tv.test/live/$1$0$<name>$/one/7.ts"),
        ("(alice)", "$12", "http://tv.test/live/alice2/one/7.ts"),
        ("alice|(bob)", "$1", "http://tv.test/live//one/7.ts"),
        ("(?<name>alice)", "$<other>", "http://tv.test/live//one/7.ts"),
        ("alice", r"\1\g<0>", r"http://tv.test/live/\1\g<0>/one/7.ts"),
    ],
)
def test_patterns_have_the_syntax_of_javascript(search: str, replace: str, expected: str) -> None:
    assert rewritten(URL, search, replace) == expected


@pytest.mark.parametrize(
    ("search", "replace", "reason"),
    [
        ("(?=secret)", "", "no look-around"),
        ("(?!secret)", "", "no look-around"),
        ("(?<=secret)", "", "no look-around"),
        ("(?<!secret)", "", "no look-around"),
        (r"(secret)\1", "", "no back references"),
        (r"(?<name>secret)\k<name>", "", "no back references"),
        ("(secret", "", r"missing \)"),
        ("a{1001}", "", "invalid repetition size"),
        ("(.?){1000}", "", "too large"),
        ("x" * (MAX_LENGTH + 1), "", "more than 1000 characters"),
        ("x", "x" * (MAX_LENGTH + 1), "more than 1000 characters"),
    ],
)
def test_a_pattern_that_cannot_be_used_is_refused_without_repeating_it(search: str, replace: str, reason: str) -> None:
    for use in (lambda: check(search, replace), lambda: rewritten(URL, search, replace)):
        with pytest.raises(UnusablePattern, match=reason) as refused:
            use()
        assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("search", "replace"), [("a", "$&" * 400), ("a*$", "$`" * 400), ("^", "$'" * 500), ("a", "b"), ("", "b")]
)
def test_no_pattern_lengthens_a_url_beyond_its_bound(search: str, replace: str) -> None:
    url = "a" * URL_LENGTH
    try:
        assert len(rewritten(url, search, replace)) <= URL_LENGTH
    except UnusablePattern as refused:
        assert str(URL_LENGTH // 1000) in str(refused) or str(MAX_REPLACED) in str(refused)


@pytest.mark.parametrize("search", ["(a+)+$", "(a*)*b", "(a|a)*b", "(a|aa)+$", "(.*a){20}b", r"(\w+\s?)*!"])
def test_no_pattern_takes_exponential_time(search: str) -> None:
    began = time.process_time()
    assert rewritten("a" * 5000 + "!", search, "x")
    assert time.process_time() - began < 2
