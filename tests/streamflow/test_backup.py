"""Backups, and their restoration into a Dispatcharr that was set up again and gave everything other ids."""

from __future__ import annotations

import gzip
import json
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from lab import Account, Channel, Group, Lab, Library, Media, Stream, running
from streamflow import backup, config
from streamflow.config import Config
from streamflow.errors import BackupError
from streamflow.records import ChannelChange, DeadMemory, Decision, Move, Result
from streamflow.sources import opened
from streamflow.udi import Udi, open_udi
from streamflow.udi.sqlite.store import FileStore

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PASSWORD = "s3cretword"
PROXY = f"socks5://user:{PASSWORD}@192.0.2.1:1080"
SETTINGS: dict[str, Any] = {
    "concurrent_streams": {"global_limit": 7, "account_priority": {"1": 5, "South": 2, "99": 1}},
    "probe": {"proxy": PROXY, "account_proxies": {"2": PROXY}, "retries": 4},
    "policies": [
        {"name": "by ids", "match": {"groups": [10], "channels": [1, "Two"]}, "accounts": [2], "pin": [3]},
        {"name": "by names", "match": {"groups": ["News*"]}, "check": False},
    ],
}


@pytest.fixture
def dispatcharr(lab_media: Media) -> Iterator[Lab]:
    library = Library(
        [Account(1, "North", "north", "secret-n", 1), Account(2, "South", "south", "secret-s", 2)],
        [Stream(i, f"News {i}", 1 + i % 2) for i in range(1, 7)],
        [Channel(1, 1.0, "One", 10, (1, 2, 3)), Channel(2, 2.0, "Two", 10, (4, 5, 6))],
        [Group(10, "News")],
    )
    with running(library, lab_media) as lab:
        yield lab


def set_up_again(lab: Lab) -> None:
    """Give all accounts, groups, streams and channels of the lab's Dispatcharr other ids, in another order."""
    state = lab.servers.dispatcharr.state

    def new(former: int | None, base: int) -> int | None:
        return None if former is None else base - former

    for account in state.accounts:
        account["id"] = new(account["id"], 500)
    for group in state.groups:
        group["id"] = new(group["id"], 900)
    streams = [
        stream
        | {
            "id": new(stream["id"], 7000),
            "m3u_account": new(stream["m3u_account"], 500),
            "channel_group": new(stream.get("channel_group"), 900),
        }
        for stream in state.streams.values()
    ]
    state.streams = {stream["id"]: stream for stream in streams}
    channels = [
        channel
        | {
            "id": new(channel["id"], 300),
            "channel_group_id": new(channel.get("channel_group_id"), 900),
            "streams": [new(stream, 7000) for stream in channel["streams"]],
        }
        for channel in state.channels.values()
    ]
    state.channels = {channel["id"]: channel for channel in channels}


def refresh(udi: Udi, lab: Lab) -> None:
    env = {"DISPATCHARR_URL": lab.dispatcharr, "DISPATCHARR_API_KEY": lab.addresses()["api_key"]}
    with opened(env, Path("/nonexistent")) as source:
        udi.publish(source.fetch(), force=True)


def check(udi: Udi, stream_id: int, night: int, verdict: str = "ok", **fields: Any) -> None:
    stream = udi.library.stream(stream_id)
    assert stream
    udi.runs.settle(
        f"night {night}",
        Result.model_validate(
            {"stream_id": stream_id, "account_id": stream.account_id, "url_hash": stream.url_hash, "verdict": verdict}
            | {"checked_at": NOW + timedelta(days=night), "run_id": f"night {night}", **fields}
        ),
    )


@pytest.fixture
def old(redis_client: Redis, dispatcharr: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home before Dispatcharr was set up again: two nights of results, and a stream that was removed."""
    home = tmp_path / "old"
    monkeypatch.setenv("STREAMFLOW_HOME", str(home))
    monkeypatch.delenv("STREAMFLOW_CONFIG", raising=False)
    config.save(config.parse(SETTINGS))
    udi = open_udi(redis_client, home)
    refresh(udi, dispatcharr)
    for night in range(2):
        for stream in range(1, 6):
            check(udi, stream, night, width=1280, height=720, score=stream / 10)
        check(udi, 6, night, "dead", reason="no_data", detail="http://provider.test/***")
    for hour, (before, after) in enumerate([((4, 6, 5), (4, 5, 6)), ((4, 5, 6), (4, 5))]):
        left = Move(stream_id=6, before=1 + hour, after=None if hour else 2, why="dead")
        udi.runs.finish_channel(
            ChannelChange(
                channel_id=2, run_id="night 1", at=NOW + timedelta(hours=hour), before=before, after=after,
                moves=(left,), held=() if hour else (6, 77), written=True,
            )
        )  # fmt: skip
    udi.results.remember_dead({6: DeadMemory(failures=2, first_dead=NOW, removed_from={2: 1, 77: 0})})
    return home


@pytest.fixture
def file(old: Path, tmp_path: Path) -> Path:
    file = tmp_path / "my.backup"
    assert backup.write(FileStore(old / "udi" / "udi.db"), config.load(), file) == 6
    return file


@pytest.fixture
def new(redis_client: Redis, dispatcharr: Lab, file: Path, tmp_path: Path) -> Udi:
    """The UDI of a new home, with the library of the Dispatcharr that was set up again."""
    redis_client.flushall()
    set_up_again(dispatcharr)
    udi = open_udi(redis_client, tmp_path / "new")
    refresh(udi, dispatcharr)
    assert udi.library.stream_ids() == [6994, 6995, 6996, 6997, 6998, 6999]
    assert [channel.id for channel in udi.library.channels()] == [298, 299]
    return udi


def test_results_memory_and_removals_come_back_under_the_new_ids(new: Udi, file: Path) -> None:
    report = backup.restore(new, file, Config())
    assert (report.results, report.streams, report.memories, report.removed) == (12, 6, 1, 1)
    assert [result.run_id for result in new.results.history(6999)] == ["night 1", "night 0"]
    latest = new.results.latest(6998)
    assert latest
    stream = new.library.stream(6998)
    assert stream
    assert (latest.score, latest.account_id, latest.url_hash) == (0.2, stream.account_id, stream.url_hash)
    assert new.results.streams_of_verdict("dead") == [6994]
    assert new.results.dead_memory([6994]) == {6994: DeadMemory(failures=2, first_dead=NOW, removed_from={298: 1})}
    assert new.results.removed_streams(298) == {6994: 1}
    assert "references to 1 accounts, 1 channels that have no counterpart" in report.left_out[-1]


def test_the_changes_of_channels_come_back_under_the_new_ids_once(new: Udi, file: Path) -> None:
    assert [backup.restore(new, file, Config()).changes for _ in range(2)] == [2, 0]
    removed, moved = new.runs.changes(298)
    assert (removed.at, removed.before, removed.after) == (NOW + timedelta(hours=1), (6996, 6995, 6994), (6996, 6995))
    assert (moved.before, moved.after, moved.held) == ((6996, 6994, 6995), (6996, 6995, 6994), (6994,))
    assert moved.moves == (Move(stream_id=6994, before=1, after=2, why="dead"),)


def test_a_backup_of_format_1_has_no_changes(new: Udi, file: Path) -> None:
    header, *rest, _, end = lines(file)
    changed(file, [header | {"format": 1}, *rest, {"streams": end["streams"]}])
    report = backup.restore(new, file, Config())
    assert (report.results, report.changes) == (12, 0)


def test_settings_name_the_new_ids_and_keep_this_machines_proxies(new: Udi, file: Path) -> None:
    own = "http://192.0.2.9:8080"
    report = backup.restore(new, file, config.parse({"probe": {"proxy": own}}))
    settings = report.settings
    assert settings
    assert settings.concurrent_streams.global_limit == 7
    assert settings.concurrent_streams.account_priority == {"499": 5, "South": 2}
    assert (settings.probe.retries, settings.probe.proxy) == (4, own)
    assert settings.probe.account_proxies == {"498": None}
    assert "set probe.account_proxies.498 again" in report.left_out[0]
    first = settings.policies[0].model_dump(mode="json")
    assert first["match"] == {"groups": [890], "channels": [299, "Two"]}
    assert (first["accounts"], first["pin"]) == ([498], [6997])
    assert settings.policies[1].match.groups == ("News*",)


def test_a_backup_holds_no_address_and_no_password_and_only_its_owner_reads_it(file: Path, dispatcharr: Lab) -> None:
    text = gzip.decompress(file.read_bytes()).decode()
    assert PASSWORD not in text
    assert "192.0.2.1" not in text
    assert dispatcharr.url(1) not in text
    assert {part.split('"')[0] for part in text.split("://")[1:]} == {"provider.test/***"}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_restoring_twice_changes_nothing_and_later_results_stay(new: Udi, file: Path) -> None:
    check(new, 6994, 5)
    new.results.remember_dead({6994: DeadMemory(failures=0)})
    for _ in range(2):
        backup.restore(new, file, Config())
        latest = new.results.latest(6994)
        assert latest
        assert (latest.verdict, latest.run_id) == ("ok", "night 5")
        assert [result.run_id for result in new.results.history(6994)] == ["night 5", "night 1", "night 0"]
        assert new.results.dead_memory([6994]) == {6994: DeadMemory(failures=0)}


def test_the_restored_results_are_in_both_stores(new: Udi, file: Path, tmp_path: Path) -> None:
    backup.restore(new, file, Config())
    own = FileStore(tmp_path / "new" / "udi" / "udi.db")
    ids = new.library.stream_ids()
    assert own.results.latest_of(ids) == new.results.latest_of(ids)
    new.merge()
    assert own.journal() == []


def test_streams_that_left_the_library_are_counted(new: Udi, file: Path, dispatcharr: Lab) -> None:
    del dispatcharr.servers.dispatcharr.state.streams[6999]
    refresh(new, dispatcharr)
    report = backup.restore(new, file, Config())
    assert (report.streams, report.left_out[0]) == (5, "the addresses of proxies, which no backup holds: set "
                                                    "probe.proxy, probe.account_proxies.498 again")  # fmt: skip
    assert "1 streams that are not in the library now" in report.left_out


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in gzip.decompress(file.read_bytes()).splitlines()]


def changed(file: Path, records: list[dict[str, Any]]) -> Path:
    file.write_bytes(gzip.compress("".join(json.dumps(record) + "\n" for record in records).encode()))
    return file


def test_a_newer_format_is_refused_with_the_fix(new: Udi, file: Path) -> None:
    header, *rest = lines(file)
    changed(file, [header | {"format": 3, "version": "3.0.0", "names": "another shape"}, *rest])
    with pytest.raises(BackupError, match=r"format 3.*update StreamFlow to 3\.0\.0 or later"):
        backup.restore(new, file, Config())


def test_unknown_settings_are_refused_with_the_fix_and_results_can_be_restored_without_them(
    new: Udi, file: Path
) -> None:
    header, *rest = lines(file)
    changed(file, [header | {"version": "0.9.0", "settings": header["settings"] | {"of_the_future": 1}}, *rest])
    with pytest.raises(BackupError, match=r"of_the_future.*StreamFlow 0\.9\.0.*--without-settings"):
        backup.restore(new, file, Config())
    assert new.results.latest(6999) is None
    report = backup.restore(new, file, None)
    assert (report.results, report.settings) == (12, None)


def test_settings_of_an_older_version_are_completed(new: Udi, file: Path) -> None:
    header, *rest = lines(file)
    changed(file, [header | {"settings": {"max_streams_per_run": 50}}, *rest])
    settings = backup.restore(new, file, Config()).settings
    assert settings == config.parse({"max_streams_per_run": 50})


@pytest.mark.parametrize("damage", ["truncated", "without an end", "another file", "no record", "long line", "json"])
def test_a_damaged_file_is_refused_and_nothing_is_restored(
    new: Udi, file: Path, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    match damage:
        case "truncated":
            file.write_bytes(file.read_bytes()[:-20])
        case "without an end":
            changed(file, lines(file)[:-1])
        case "another file":
            file.write_text("#EXTM3U\n")
        case "no record":
            changed(file, [*lines(file)[:2], {"url_hash": 3}, {"streams": 2}])
        case "long line":
            monkeypatch.setattr(backup, "MAX_LINE", 50)
        case "json":
            changed(file, [{"kind": "another"}])
    with pytest.raises(BackupError, match=r"damaged|incomplete|no backup"):
        backup.restore(new, file, Config())
    assert new.results.last_checks() == {}


def test_without_a_library_there_is_nothing_to_back_up_or_to_restore_into(
    redis_client: Redis, file: Path, tmp_path: Path
) -> None:
    with pytest.raises(BackupError, match="holds no library"):
        backup.write(FileStore(tmp_path / "empty" / "udi.db"), Config(), tmp_path / "no.backup")
    assert not (tmp_path / "no.backup").exists()
    redis_client.flushall()
    with pytest.raises(BackupError, match="run refresh_udi first"):
        backup.restore(open_udi(redis_client, tmp_path / "empty"), file, Config())


def test_a_backup_is_made_every_night_and_seven_are_kept(old: Path) -> None:
    midnight = datetime(2026, 3, 1, tzinfo=UTC)
    (old / "backups").mkdir()
    (old / "backups" / "mine.backup").write_text("of a person")
    made = []
    for hour in range(24 * 10):
        now = midnight + timedelta(hours=hour)
        if backup.is_due(old, now):
            made.append(now)
            backup.make_nightly(old, now)
    assert [(now.day, now.hour) for now in made] == [(day, 5) for day in range(1, 11)]
    kept = sorted(file.name for file in (old / "backups").iterdir())
    assert kept == [*(f"2026-03-{day:02}.backup" for day in range(4, 11)), "mine.backup"]
    assert backup.restore(open_udi(None, old), old / "backups" / kept[0], Config()).results == 12


def test_rejected_streams_that_were_never_checked_stay_rejected(
    redis_client: Redis, dispatcharr: Lab, tmp_path: Path
) -> None:
    rejected, file = Decision(state="rejected", at=NOW), tmp_path / "my.backup"
    old = open_udi(redis_client, tmp_path / "old")
    refresh(old, dispatcharr)
    old.results.remember_dead({5: DeadMemory(decisions={1: rejected})})
    backup.write(FileStore(tmp_path / "old" / "udi" / "udi.db"), Config(), file)
    redis_client.flushall()
    set_up_again(dispatcharr)
    new = open_udi(redis_client, tmp_path / "new")
    refresh(new, dispatcharr)
    new.results.remember_dead({6995: DeadMemory(failures=3)})
    backup.restore(new, file, None)
    assert new.results.decided() == {6995: DeadMemory(failures=3, decisions={299: rejected})}
