"""Passwords in settings are hidden when shown, and restored when they come back hidden."""

from __future__ import annotations

from typing import Any

import pytest

from streamflow.errors import ConfigError
from streamflow.hidden_passwords import hide_passwords, restore_passwords

STORED = {
    "proxy": "socks5://me:hunter2-secret@host:1080",
    "by_account": {"North": {"proxy": "http://you:hunter2-secret@[2001:db8::1]:80"}, "South": {"proxy": None}},
    "allow": ["192.168.0.0/16", "http://plain:80"],
    "number": 3,
}


def test_hidden_settings_keep_everything_but_the_passwords() -> None:
    assert hide_passwords(STORED) == {
        "proxy": "socks5://me:***@host:1080",
        "by_account": {"North": {"proxy": "http://you:***@[2001:db8::1]:80"}, "South": {"proxy": None}},
        "allow": ["192.168.0.0/16", "http://plain:80"],
        "number": 3,
    }


def test_hidden_settings_that_come_back_are_restored() -> None:
    assert restore_passwords(hide_passwords(STORED), STORED) == STORED
    moved = {"by_account": {"7": {"proxy": "http://you:***@[2001:db8::1]:80"}}}
    assert restore_passwords(moved, STORED)["by_account"]["7"]["proxy"] == "http://you:hunter2-secret@[2001:db8::1]:80"


@pytest.mark.parametrize("url", ["socks5://me:***@other:1080", "socks5://you:***@host:1080", "http://me:***@host:1080"])
def test_a_hidden_password_never_goes_to_another_address(url: str) -> None:
    change: dict[str, Any] = {"proxy": url}
    with pytest.raises(ConfigError, match=r"probe.proxy: the password is hidden") as refused:
        restore_passwords(change, STORED, ("probe",))
    assert refused.value.faults[0][0] == "probe.proxy"
    assert "hunter2" not in str(refused.value)
