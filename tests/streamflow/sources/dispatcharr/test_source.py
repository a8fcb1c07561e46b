"""Dispatcharr over real HTTP: the lab's stand-in behaves like the API, and fails on request."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from lab import Account, Channel, Group, Lab, Library, Media, Stream, running
from streamflow.errors import ConfigError, SourceConflict, SourceRefused, SourceUnavailable, UnknownRecord
from streamflow.sources.dispatcharr import Dispatcharr, session
from streamflow.sources.dispatcharr import source as source_module
from streamflow.sources.dispatcharr.stream_stats import stream_stats
from support.library import NOW, result


@pytest.fixture
def served(lab_media: Media) -> Iterator[Lab]:
    library = Library(
        [
            Account(1, "North", "north", "secret-n", max_streams=1),
            Account(2, "South", "south", "secret-s", max_streams=2),
        ],
        # Names repeat, so that pages in their order are not stable.
        [Stream(i, f"News {i % 2}", 1 + i % 2) for i in range(1, 8)],
        [Channel(1, 1.0, "One", 10, (1, 2, 3)), Channel(2, 2.5, "Two", 10, (4, 5))],
        [Group(10, "News")],
    )
    with running(library, lab_media) as lab:
        yield lab


@contextmanager
def by_login(served: Lab, home: Path, password: str | None = None) -> Iterator[Dispatcharr]:
    login = served.addresses()
    env = {"DISPATCHARR_URL": served.dispatcharr, "DISPATCHARR_USERNAME": login["username"]}
    env["DISPATCHARR_PASSWORD"] = password or login["password"]
    with closing(Dispatcharr.from_env(env, home)) as source:
        yield source


def faults(served: Lab, *answers: dict[str, Any]) -> None:
    httpx.post(f"{served.dispatcharr}/lab/faults", json={"faults": list(answers)}).raise_for_status()


def state(served: Lab) -> dict[str, Any]:
    return dict(httpx.get(f"{served.dispatcharr}/lab/dispatcharr").json())


# -- reading ---------------------------------------------------------------------------------
def test_the_whole_library_is_read_page_by_page(
    source: Dispatcharr, monkeypatch: pytest.MonkeyPatch, served: Lab
) -> None:
    monkeypatch.setattr(source_module, "PAGE_SIZE", 2)
    snapshot = source.fetch()
    assert sorted(stream.id for stream in snapshot.streams) == [1, 2, 3, 4, 5, 6, 7]
    assert {account.name: account.max_streams for account in snapshot.accounts} == {"North": 1, "South": 2, "custom": 0}
    assert [(c.id, c.number, c.group_id, c.stream_ids) for c in snapshot.channels] == [
        (1, 1.0, 10, (1, 2, 3)), (2, 2.5, 10, (4, 5)),
    ]  # fmt: skip
    assert [group.name for group in snapshot.groups] == ["News"]
    assert {s.id: s.url for s in snapshot.streams}[1] == served.url(1)
    assert next(iter(snapshot.accounts)).user_agent == "VLC/3.0.20 LibVLC/3.0.20"
    assert snapshot.broken == []


def test_streams_that_pages_missed_are_fetched_by_their_ids(
    source: Dispatcharr, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = session.Session.pages
    monkeypatch.setattr(
        session.Session, "pages", lambda self, path, size: (page[:4] for page in whole(self, path, size))
    )
    assert len(source.fetch().streams) == 7


def test_broken_records_are_skipped_and_named(source: Dispatcharr, served: Lab) -> None:
    dispatcharr = served.servers.dispatcharr.state
    dispatcharr.streams[3]["name"] = ["not", "a", "name"]
    del dispatcharr.channels[2]["streams"]
    snapshot = source.fetch()
    assert 3 not in {stream.id for stream in snapshot.streams}
    assert [channel.id for channel in snapshot.channels] == [1]
    assert sorted(name for name, _ in snapshot.broken) == ["channel 2", "stream 3"]


def test_a_users_overrides_of_a_channel_win(source: Dispatcharr, served: Lab) -> None:
    raw = served.servers.dispatcharr.state.channels[1]
    own_name = raw["name"]
    raw |= {"effective_name": "Uno", "effective_channel_number": 7.0}
    first, second = list(source.fetch().channels)[:2]
    assert (first.name, first.number) == ("Uno", 7.0)
    # Dispatcharr's events name the channel without the override.
    assert (first.own_name, second.own_name) == (own_name, None)


def test_channels_that_are_hidden_from_output_are_read_too(source: Dispatcharr, served: Lab) -> None:
    served.servers.dispatcharr.state.channels[2]["hidden_from_output"] = True
    assert len(source._session.records("/api/channels/channels/")) == 1
    assert [channel.id for channel in source.fetch().channels] == [1, 2]


def test_passwords_that_an_administrator_receives_are_not_read(source: Dispatcharr, served: Lab) -> None:
    assert "secret-n" in json.dumps(source._session.records("/api/m3u/accounts/"))
    snapshot = source.fetch()
    assert "secret-" not in repr([list(snapshot.accounts), snapshot.broken])


def test_accounts_that_share_a_login_share_a_budget(source: Dispatcharr, served: Lab) -> None:
    for stream in served.servers.dispatcharr.state.streams.values():
        stream["url"] = f"http://tv.test/live/Me/word/{stream['id']}.ts"
    budgets = {account.name: account.budget for account in source.fetch().accounts}
    assert budgets["North"] == budgets["South"]
    assert budgets["custom"] != budgets["North"]


def test_viewers_are_counted_by_profile_one_connection_for_each_channel(source: Dispatcharr, served: Lab) -> None:
    watched = [
        {"channel_id": "a", "state": "active", "client_count": 3, "m3u_profile_id": 10},
        {"channel_id": "b", "state": "waiting_for_clients", "client_count": 1, "m3u_profile_id": 10},
        {"channel_id": "c", "state": "stopping", "client_count": 0, "m3u_profile_id": 20},
    ]
    httpx.post(f"{served.dispatcharr}/lab/viewers", json={"channels": watched}).raise_for_status()
    assert source.viewers() == {10: 2}


# -- logging in ------------------------------------------------------------------------------
def test_one_login_serves_all_processes_of_a_home(served: Lab, tmp_path: Path) -> None:
    def ask() -> None:
        with by_login(served, tmp_path) as source:
            source.channels.order(1)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert state(served)["logins"] == 1


def test_an_expired_token_is_renewed_without_a_login(served: Lab, tmp_path: Path) -> None:
    served.servers.dispatcharr._access_seconds = -1
    with by_login(served, tmp_path) as source:
        with pytest.raises(SourceRefused):
            source.channels.order(1)
        served.servers.dispatcharr._access_seconds = 60
        assert source.channels.order(1) == (1, 2, 3)
    assert state(served)["logins"] == 1


def test_tokens_are_readable_by_their_owner_alone(served: Lab, tmp_path: Path) -> None:
    with by_login(served, tmp_path) as source:
        source.channels.order(1)
    (file,) = (tmp_path / "dispatcharr").glob("*.json")
    assert file.stat().st_mode & 0o077 == 0


def test_a_wrong_password_is_rejected_with_the_fix_and_not_retried(served: Lab, tmp_path: Path) -> None:
    with by_login(served, tmp_path, "wrong") as source, pytest.raises(SourceRefused, match="DISPATCHARR_PASSWORD"):
        source.channels.order(1)
    assert len(served.servers.dispatcharr._login_times) == 1


@pytest.mark.parametrize(
    "env",
    [{}, {"DISPATCHARR_URL": "192.0.2.7:9191"}, {"DISPATCHARR_URL": "http://192.0.2.7", "DISPATCHARR_USERNAME": "a"}],
)
def test_missing_settings_are_named(env: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="DISPATCHARR_"):
        Dispatcharr.from_env(env, Path())


# -- temporary and final failures ------------------------------------------------------------
@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_a_temporary_failure_is_retried(source: Dispatcharr, served: Lab, status: int) -> None:
    faults(served, {"status": status}, {"status": status})
    assert source.channels.order(1) == (1, 2, 3)


def test_a_web_page_instead_of_json_is_retried_and_then_named(source: Dispatcharr, served: Lab) -> None:
    faults(served, *[{"status": 200, "body": "<html>welcome</html>"}] * session.TRIES)
    with pytest.raises(SourceUnavailable, match=r"not JSON \(text/html.*DISPATCHARR_URL"):
        source.channels.order(1)


def test_a_rejected_request_is_not_retried(source: Dispatcharr, served: Lab) -> None:
    faults(served, {"status": 403})
    with pytest.raises(SourceRefused, match="administrator"):
        source.channels.order(1)
    assert source.channels.order(1) == (1, 2, 3)


def test_a_missing_server_is_unavailable() -> None:
    env = {"DISPATCHARR_URL": "http://127.0.0.1:9", "DISPATCHARR_API_KEY": "key"}
    with closing(Dispatcharr.from_env(env, Path())) as source:
        unreachable = pytest.raises(SourceUnavailable, match="cannot be reached")
        with unreachable:
            source.channels.order(1)


def test_a_throttled_request_names_the_seconds_to_wait() -> None:
    answer = httpx.Response(429, text='{"detail":"Request was throttled. Expected available in 16 seconds."}')
    with pytest.raises(session.Throttled) as throttled:
        session.content(answer, "the login")
    assert throttled.value.seconds == 16


# -- writing back ----------------------------------------------------------------------------
def test_an_order_is_written_unless_it_changed_meanwhile(source: Dispatcharr, served: Lab) -> None:
    source.channels.write_order(1, (1, 2, 3), (3, 1, 2))
    assert state(served)["channels"][0]["streams"] == [3, 1, 2]
    with pytest.raises(SourceConflict):
        source.channels.write_order(1, (1, 2, 3), (2, 1, 3))
    assert state(served)["channels"][0]["streams"] == [3, 1, 2]


def test_a_stream_that_vanished_is_a_conflict(source: Dispatcharr) -> None:
    with pytest.raises(SourceConflict, match="does not exist any more"):
        source.channels.write_order(1, (1, 2, 3), (1, 2, 99))


def test_a_missing_channel_is_an_unknown_record(source: Dispatcharr) -> None:
    with pytest.raises(UnknownRecord):
        source.channels.order(99)


def test_measurements_keep_the_keys_of_others_and_are_written_once(source: Dispatcharr, served: Lab) -> None:
    served.servers.dispatcharr.state.streams[1]["stream_stats"] = {"video_codec": "mpeg2", "theirs": 1}
    for _ in range(2):
        source.channels.write_results(1, [result(1)])
    written = state(served)
    stream = next(stream for stream in written["streams"] if stream["id"] == 1)
    assert stream["stream_stats"] == {"theirs": 1} | stream_stats(result(1))
    assert stream["stream_stats_updated_at"] == NOW.isoformat()
    assert written["writes"] == 1


def test_a_write_back_goes_on_after_a_failure(source: Dispatcharr, served: Lab) -> None:
    results = [result(i) for i in (1, 2, 3)]
    faults(served, *[{"status": 500, "path": "/api/channels/streams/2/"}] * session.TRIES)
    with pytest.raises(SourceUnavailable):
        source.channels.write_results(1, results)
    source.channels.write_results(1, results)
    assert state(served)["writes"] == 3
