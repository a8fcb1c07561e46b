from __future__ import annotations

import pytest

from streamflow.checking.logins import url_for
from streamflow.errors import UnusablePattern
from streamflow.records import Account, Profile, Stream

URL = "http://tv.test/live/alice/one/7.ts"


def test_the_url_is_that_of_the_login_whose_slot_is_held() -> None:
    further = Profile(id=11, search_pattern="alice/one", replace_pattern="bob/two")
    account = Account(id=1, name="one", budget="profile-10", profiles=(Profile(id=10, is_default=True), further))
    stream = Stream(id=7, name="seven", url=URL, account_id=1)
    assert url_for(stream, account, "profile-10") == URL
    assert url_for(stream, account, "profile-11") == "http://tv.test/live/bob/two/7.ts"
    assert url_for(stream, None, None) == URL
    assert url_for(Stream(id=8, name="eight"), account, "profile-10") == ""


def test_a_pattern_that_cannot_be_used_names_its_profile() -> None:
    further = Profile(id=11, name="second", search_pattern="(?=alice)")
    account = Account(id=1, name="one", budget="profile-10", profiles=(further,))
    with pytest.raises(UnusablePattern, match=r"the profile second cannot be used: .*no look-around"):
        url_for(Stream(id=7, name="seven", url=URL, account_id=1), account, "profile-11")
