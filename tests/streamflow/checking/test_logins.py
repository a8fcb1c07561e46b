from __future__ import annotations

import pytest

from streamflow.checking.logins import rewritten, url_for
from streamflow.records import Account, Profile, Stream

URL = "http://tv.test/live/alice/one/7.ts"


@pytest.mark.parametrize(
    ("search", "replace", "expected"),
    [
        ("/alice/one/", "/bob/two/", "http://tv.test/live/bob/two/7.ts"),
        (r"live/[^/]+/[^/]+/(\d+)", "live/bob/two/$1", "http://tv.test/live/bob/two/7.ts"),
        (r"(?<head>.*)/alice/one/(?<id>.*)", "$<head>/bob/two/$<id>", "http://tv.test/live/bob/two/7.ts"),
        ("no such part", "x", URL),
        ("^(.*)$", "$1", URL),
        ("", "", URL),
        ("alice", r"\1", r"http://tv.test/live/\1/one/7.ts"),
    ],
)
def test_the_patterns_of_a_profile_have_the_syntax_of_javascript(search: str, replace: str, expected: str) -> None:
    assert rewritten(URL, Profile(id=1, search_pattern=search, replace_pattern=replace)) == expected


def test_the_url_is_that_of_the_login_whose_slot_is_held() -> None:
    further = Profile(id=11, search_pattern="alice/one", replace_pattern="bob/two")
    account = Account(id=1, name="one", budget="profile-10", profiles=(Profile(id=10, is_default=True), further))
    stream = Stream(id=7, name="seven", url=URL, account_id=1)
    assert url_for(stream, account, "profile-10") == URL
    assert url_for(stream, account, "profile-11") == "http://tv.test/live/bob/two/7.ts"
    assert url_for(stream, None, None) == URL
    assert url_for(Stream(id=8, name="eight"), account, "profile-10") == ""
