from __future__ import annotations

import json
import re
from datetime import timedelta
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
        "release_delay": {},
    },
    "schedule": {
        "timezone": None, "refresh_udi": "*/30 * * * *",
        "checks": [{
            "name": "night", "cron": "0 3 * * *", "until": None, "groups": None, "channels": None, "accounts": None,
            "force": False, "only_if_viewers_below": None,
        }],
        "before_events": {"minutes": 20, "recordings": True, "titles": [], "groups": None},
    },
    "probe": {
        "sample_seconds": 10, "min_sample_seconds": 4.2, "connect_timeout": 10, "read_timeout": 10, "retries": 2,
        "retry_delay": 10,
        "user_agent": "VLC/3.0.20 LibVLC/3.0.20", "thumbnails": True, "proxy": None,
        "tls": "report", "account_proxies": {}, "by_account": {},
    },
    "scoring": {
        "weights": {
            "bitrate": 0.40, "resolution": 0.35, "fps": 0.15, "codec": 0.10, "hdr": 0.05, "audio": 0.05, "start": 0,
        },
        "prefer_h265": True,
        "prefer_accounts": {}, "bitrate_by_codec": True, "reliability_weight": 0.2,
        "reliability_half_life_days": 14, "switch_margin": 0.05,
        "unusable_reasons": ["black_video", "frozen_video", "not_live"],
    },
    "dead_streams": {"after_failures": 2, "action": "move_last", "keep_at_least": 1},
    "safety": {
        "provider_down_share": 0.9, "provider_down_least": 5, "canary": [], "max_removed_share": 0.2,
        "custom_streams": "pin", "approval_hours": 72, "scheduled_write_back": "ask",
    },
    "network": {"allow": []},
    "webhooks": {"channel_cooldown": 300},
    "freshness_hours": {"ok": 20, "degraded": 20, "dead": 20, "dead_most": 168},
    "matching": {
        "enabled": False, "approve": True, "refresh_providers": False, "refresh_hours": 12, "most_per_channel": 12,
        "most_per_account": None,
        "rules": [{"channels": ["*"], "by": ["tvg_id", "name"], "accounts": None, "exclude": []}],
        "dead_channels": {"action": "none", "after_failures": 2},
    },
    "policies": [],
    "max_streams_per_run": 500,
}  # fmt: skip


def test_missing_keys_take_the_contracts_defaults(tmp_path: Path) -> None:
    assert config.load(tmp_path / "none.json").model_dump(mode="json") == CONTRACT
    file = tmp_path / "part.json"
    file.write_text('{"probe": {"sample_seconds": 30}}')
    assert config.load(file).probe.sample_seconds == 30
    assert config.load(file).probe.retries == 2


def test_the_readme_shows_every_setting_with_its_default() -> None:
    blocks = (Path(__file__).parents[2] / "README.md").read_text().split("```json\n")[1:]
    shown = [json.loads(block.partition("```")[0]) for block in blocks]
    assert CONTRACT in shown


@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        ({"probe": {"sample_second": 3}}, "probe.sample_second"),
        ({"concurrent_streams": {"global_limit": "many"}}, "concurrent_streams.global_limit"),
        ({"scoring": {"weights": {"fps": -1}}}, "scoring.weights.fps"),
        ({"dead_streams": {"action": "burn"}}, "dead_streams.action"),
        ({"schedule": {"check_streams": "at night"}}, "schedule.checks.0.cron"),
        ({"schedule": {"check_streams": "0 3 * * *", "checks": []}}, "schedule"),
        ({"schedule": {"timezone": "Berlin"}}, "schedule.timezone"),
        ({"schedule": {"checks": [{"name": "night", "cron": "0 3 * * *", "until": "6:00"}]}}, "checks.0.until"),
        ({"schedule": {"checks": [{"name": "a b", "cron": "0 3 * * *"}]}}, "schedule.checks.0.name"),
        ({"schedule": {"checks": [{"name": "streams", "cron": "0 3 * * *"}]}}, "schedule.checks.0.name"),
        ({"schedule": {"checks": [{"name": "a", "cron": "0 3 * * *"}] * 2}}, "schedule.checks"),
        ({"schedule": {"checks": [{"name": "a", "cron": "*/10 * * * * *"}]}}, "schedule.checks.0.cron"),
        ({"max_streams_per_run": 5000}, "max_streams_per_run"),
        ({"freshness_hours": {"ok": -1}}, "freshness_hours.ok"),
        ({"freshness_hours": True}, "freshness_hours"),
        ({"safety": {"canary": ["http://me:secret@host/"]}}, r"safety.canary.0"),
        ({"safety": {"canary": ["host"]}}, r"safety.canary.0"),
        ({"probe": {"by_account": {"North": {"tls": "secret"}}}}, "probe.by_account.North.tls"),
        ({"network": {"allow": ["192.168.1.1/secret"]}}, r"network.allow.0"),
        ({"policies": [{}, {"match": {"group": ["secret"]}}]}, r"policies.1.match.group"),
        ({"policies": [{"pin": ["re:(secret"]}]}, r"policies.0.pin.0"),
        ({"policies": [{"match": {"channels": [True]}}]}, r"policies.0.match.channels.0"),
        ({"policies": [{"order": "secret"}]}, r"policies.0.order"),
        ({"policies": [{"order": "quality", "accounts": ["secret"]}]}, r"policies.0"),
        ({"policies": [{"limits": {"min_height": 720, "max_height": 576}}]}, r"policies.0.limits"),
        ({"policies": [{"dead_like": ["secret"]}]}, r"policies.0.dead_like.0"),
        ({"policies": [{"audio": ["German"]}]}, r"policies.0.audio.0"),
        ({"probe": {"proxy": "ftp://me:secret@host"}}, "probe.proxy"),
        ({"probe": {"proxy": "host:8080"}}, "probe.proxy"),
        ({"probe": {"proxy": "http://me:secret@host:99999"}}, "probe.proxy"),
        ({"probe": {"account_proxies": {"North": "socks4://me:secret@host"}}}, "probe.account_proxies.North"),
    ],
)
def test_unknown_and_ill_typed_keys_are_refused_with_their_path(wrong: dict[str, Any], path: str) -> None:
    with pytest.raises(ConfigError, match=rf"{path}: ") as refused:
        config.parse(wrong)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"probe": {"sample_second": 3}}, "probe.sample_second: unknown setting; did you mean sample_seconds?"),
        ({"prob": {}}, "prob: unknown setting; did you mean probe?"),
        (
            {"probe": {"by_account": {"North": {"retry": 1}}}},
            "probe.by_account.North.retry: unknown setting; did you mean retries?",
        ),
        ({"policies": [{}, {"ordr": 1}]}, "policies.1.ordr: unknown setting; did you mean order?"),
        ({"policies": [{"match": {"group": 1}}]}, "policies.0.match.group: unknown setting; did you mean groups?"),
        (
            {"dead_streams": {"x": 1}},
            "dead_streams.x: unknown setting; known here: after_failures, action, keep_at_least",
        ),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_known_one(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        config.parse(wrong)
    assert str(refused.value).endswith(message)


def test_one_number_of_hours_holds_for_every_verdict() -> None:
    hours = config.parse({"freshness_hours": 6}).freshness_hours
    assert (hours.ok, hours.degraded, hours.dead, hours.dead_most) == (6, 6, 6, 168)
    longer = config.parse({"freshness_hours": 300}).freshness_hours
    assert longer.pause("dead", failures=9) == longer.pause("ok") == timedelta(hours=300)


def test_the_pause_of_a_dead_stream_doubles_with_each_failure_up_to_its_bound() -> None:
    hours = config.parse({"freshness_hours": {"ok": 12, "dead": 20, "dead_most": 100}}).freshness_hours
    assert [hours.pause("dead", failures=n) / timedelta(hours=1) for n in (0, 1, 2, 3, 4, 99_999)] == [
        20, 20, 40, 80, 100, 100,
    ]  # fmt: skip
    assert (hours.pause("ok"), hours.pause("degraded")) == (timedelta(hours=12), timedelta(hours=20))
    assert hours.pause("unknown") == hours.pause("skipped") == timedelta(0)


def test_an_account_may_have_probe_settings_of_its_own(tmp_path: Path) -> None:
    given = {"tls": "verify", "by_account": {"North": {"read_timeout": 30, "tls": "ignore"}, "7": {"read_timeout": 60}}}
    file = tmp_path / "settings.json"
    config.save(config.parse({"probe": given}), file)
    probe = config.load(file).probe
    north, seven = probe.for_account(1, "North"), probe.for_account(7, "North")
    assert (north.read_timeout, north.tls, north.connect_timeout) == (30, "ignore", 10)
    assert (seven.read_timeout, seven.tls) == (60, "ignore")
    assert probe.for_account(8, "South") is probe


def test_an_account_has_a_proxy_of_its_own_by_id_or_name() -> None:
    own = {"7": "socks5://seven:1080", "North": "http://north:8080", "Lan": None}
    probe = config.parse({"probe": {"proxy": "http://me:secret@all:8080", "account_proxies": own}}).probe
    proxies = [probe.for_account(*account).proxy for account in ((7, "North"), (8, "North"), (9, "Lan"), (1, "South"))]
    assert proxies == ["socks5://seven:1080", "http://north:8080", None, "http://me:secret@all:8080"]
    assert probe.for_account(None, None).proxy == "http://me:secret@all:8080"
    assert "secret" not in repr(probe)


@pytest.mark.parametrize("priority", [10**23, -(10**23), 2**63])
def test_a_priority_is_a_number_that_redis_can_add(priority: int) -> None:
    with pytest.raises(ConfigError, match=r"concurrent_streams\.account_priority\.A"):
        config.parse({"concurrent_streams": {"account_priority": {"A": priority}}})


def test_a_file_that_is_not_json_is_named_with_line_and_column(tmp_path: Path) -> None:
    file = tmp_path / "broken.json"
    file.write_text('{"probe": \n}')
    with pytest.raises(ConfigError, match=r"broken.json: not JSON at line 2"):
        config.load(file)


def test_saved_settings_are_read_back_and_leave_no_other_file(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    settings = config.with_section(Config(), "concurrent_streams", {"global_limit": 3})
    config.save(settings, file)
    assert config.load(file) == settings
    assert json.loads(file.read_text())["concurrent_streams"]["global_limit"] == 3
    assert list(tmp_path.iterdir()) == [file]


def test_a_refused_change_of_a_section_names_the_field() -> None:
    with pytest.raises(ConfigError, match=r"concurrent_streams.lease_ttl"):
        config.with_section(Config(), "concurrent_streams", {"lease_ttl": 0})


@pytest.mark.parametrize(("cron", "entries"), [("15 4 * * *", [("night", "15 4 * * *")]), ("", [])])
def test_the_former_schedule_is_read_as_one_entry(cron: str, entries: list[tuple[str, str]]) -> None:
    schedule = Config.model_validate({"schedule": {"check_streams": cron}}).schedule
    assert [(entry.name, entry.cron) for entry in schedule.checks] == entries
    assert Config.model_validate_json(Config(schedule=schedule).model_dump_json()).schedule == schedule


@pytest.mark.parametrize(
    ("matching", "message"),
    [
        ({"rules": [{"by": ["names"]}]}, "matching.rules.0.by: not a way to find streams"),
        ({"rules": [{"channels": []}]}, "matching.rules.0.channels"),
        ({"rules": [{"chanels": ["*"]}]}, "matching.rules.0.chanels: unknown setting; did you mean channels?"),
        ({"most_per_channel": 0}, "matching.most_per_channel"),
        ({"dead_channels": {"action": "remove"}}, "matching.dead_channels.action"),
    ],
)
def test_a_wrong_rule_of_matching_is_named(matching: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        config.parse({"matching": matching})
