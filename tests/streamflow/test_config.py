from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from streamflow import config
from streamflow.config import Config
from streamflow.errors import ConfigError

CONTRACT: dict[str, Any] = {
    "concurrent_streams": {
        "enabled": True, "global_limit": 10, "lease_ttl": 30, "stale_after": 3600, "stagger_delay": 0.2,
        "respect_viewers": True, "adaptive": False, "adaptive_floor": 2, "adaptive_ceiling": 32, "account_priority": {},
    },
    "schedule": {"check_streams": "0 3 * * *", "refresh_udi": "*/30 * * * *"},
    "probe": {
        "sample_seconds": 10, "min_sample_seconds": None, "connect_timeout": 10, "read_timeout": 10, "retries": 2,
        "retry_delay": 10,
        "user_agent": "VLC/3.0.20 LibVLC/3.0.20", "thumbnails": True, "proxy": None,
        "account_proxies": {},
    },
    "scoring": {
        "weights": {"bitrate": 0.40, "resolution": 0.35, "fps": 0.15, "codec": 0.10}, "prefer_h265": True,
        "prefer_accounts": {},
    },
    "dead_streams": {"after_failures": 2, "action": "move_last", "keep_at_least": 1},
    "freshness_hours": 24,
    "max_streams_per_run": 500,
}  # fmt: skip


def test_missing_keys_take_the_contracts_defaults(tmp_path: Path) -> None:
    assert config.load(tmp_path / "none.json").model_dump(mode="json") == CONTRACT
    file = tmp_path / "part.json"
    file.write_text('{"probe": {"sample_seconds": 30}}')
    assert config.load(file).probe.sample_seconds == 30
    assert config.load(file).probe.retries == 2


@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        ({"probe": {"sample_second": 3}}, "probe.sample_second"),
        ({"concurrent_streams": {"global_limit": "many"}}, "concurrent_streams.global_limit"),
        ({"scoring": {"weights": {"fps": -1}}}, "scoring.weights.fps"),
        ({"dead_streams": {"action": "burn"}}, "dead_streams.action"),
        ({"schedule": {"check_streams": "at night"}}, "schedule.check_streams"),
        ({"max_streams_per_run": 5000}, "max_streams_per_run"),
        ({"probe": {"proxy": "ftp://me:secret@host"}}, "probe.proxy"),
        ({"probe": {"proxy": "host:8080"}}, "probe.proxy"),
        ({"probe": {"proxy": "http://me:secret@host:99999"}}, "probe.proxy"),
        ({"probe": {"account_proxies": {"North": "socks4://me:secret@host"}}}, "probe.account_proxies.North"),
    ],
)
def test_unknown_and_ill_typed_keys_are_refused_by_their_path(wrong: dict[str, Any], path: str) -> None:
    with pytest.raises(ConfigError, match=rf"{path}: ") as refused:
        config.parse(wrong)
    assert "secret" not in str(refused.value)


def test_an_account_has_its_own_proxy_by_id_or_name_or_that_of_all() -> None:
    own = {"7": "socks5://seven:1080", "North": "http://north:8080", "Lan": None}
    probe = config.parse({"probe": {"proxy": "http://me:secret@all:8080", "account_proxies": own}}).probe
    told = [probe.for_account(*account).proxy for account in ((7, "North"), (8, "North"), (9, "Lan"), (1, "South"))]
    assert told == ["socks5://seven:1080", "http://north:8080", None, "http://me:secret@all:8080"]
    assert probe.for_account(None, None).proxy == "http://me:secret@all:8080"
    assert "secret" not in repr(probe)


def test_a_file_that_is_no_json_is_named_with_the_place(tmp_path: Path) -> None:
    file = tmp_path / "broken.json"
    file.write_text('{"probe": \n}')
    with pytest.raises(ConfigError, match=r"broken.json: not JSON at line 2"):
        config.load(file)


def test_what_is_saved_is_read_again_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    settings = Config().with_section("concurrent_streams", {"global_limit": 3})
    config.save(settings, file)
    assert config.load(file) == settings
    assert json.loads(file.read_text())["concurrent_streams"]["global_limit"] == 3
    assert list(tmp_path.iterdir()) == [file]


def test_a_refused_change_of_a_section_names_the_field() -> None:
    with pytest.raises(ConfigError, match=r"concurrent_streams.lease_ttl"):
        Config().with_section("concurrent_streams", {"lease_ttl": 0})
