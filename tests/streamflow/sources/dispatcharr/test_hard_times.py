"""Dispatcharr behind proxies, with private certificates, with invalid replies, and with concurrent changes."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme

from lab import Account, Channel, Group, Lab, Library, Media, Stream, running
from streamflow.errors import ConfigError, SourceConflict, SourceRefused, SourceUnavailable, UnknownRecord
from streamflow.sources import opened
from streamflow.sources.dispatcharr import Dispatcharr, session
from streamflow.sources.dispatcharr import source as source_module
from support.library import result
from support.probing.scripted import Drip, Scripted, response
from support.web_server import serving

CHANNEL = json.dumps({"id": 1, "streams": [3, 1, 2]}).encode()


@pytest.fixture
def served(lab_media: Media) -> Iterator[Lab]:
    library = Library(
        [Account(1, "North", "north", "secret-n", max_streams=1)],
        [Stream(i, f"News {i % 2}", 1) for i in range(1, 8)],
        [Channel(1, 1.0, "One", 10, (1, 2, 3))],
        [Group(10, "News")],
    )
    with running(library, lab_media) as lab:
        yield lab


@pytest.fixture
def source(served: Lab) -> Iterator[Dispatcharr]:
    with at(served.dispatcharr, DISPATCHARR_API_KEY=served.addresses()["api_key"]) as source:
        yield source


@contextmanager
def at(address: str, **env: str) -> Iterator[Dispatcharr]:
    with opened({"DISPATCHARR_URL": address, "DISPATCHARR_API_KEY": "key"} | env) as source:
        assert isinstance(source, Dispatcharr)
        yield source


def state(served: Lab) -> Any:
    return served.servers.dispatcharr.state


@contextmanager
def logged_in(address: str, login: Mapping[str, str], home: Path) -> Iterator[Dispatcharr]:
    user = {"DISPATCHARR_USERNAME": login["username"], "DISPATCHARR_PASSWORD": login["password"]}
    with opened({"DISPATCHARR_URL": address} | user, home) as source:
        assert isinstance(source, Dispatcharr)
        yield source


# -- the connection --------------------------------------------------------------------------
def certified(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


def test_a_private_certificate_is_trusted_by_its_authority_alone(tmp_path: Path) -> None:
    authority, file = trustme.CA(), tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    with serving(CHANNEL, context=certified(authority)) as address:
        with at(address, DISPATCHARR_CA_FILE=str(file)) as source:
            assert source.channels.order(1) == (3, 1, 2)
        with at(address) as source, pytest.raises(SourceRefused, match="DISPATCHARR_CA_FILE"):
            source.channels.order(1)
    with (
        serving(CHANNEL, context=certified(trustme.CA())) as address,
        at(address, DISPATCHARR_CA_FILE=str(file)) as source,
        pytest.raises(SourceRefused, match="not trusted"),
    ):
        source.channels.order(1)


@pytest.mark.parametrize("content", [None, "not a certificate"])
def test_a_wrong_certificate_file_is_named(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "ca.pem"
    if content:
        file.write_text(content)
    wrong = pytest.raises(ConfigError, match=r"DISPATCHARR_CA_FILE: .*ca\.pem")
    with wrong, at("https://127.0.0.1", DISPATCHARR_CA_FILE=str(file)):
        pass


@pytest.mark.parametrize("address", ["{}/tv/box", "{}/tv/box/"])
def test_a_path_prefix_precedes_every_path(address: str) -> None:
    with serving(CHANNEL, prefix="/tv/box/api/") as root:
        with at(address.format(root)) as source:
            assert source.channels.order(1) == (3, 1, 2)
        with at(root) as source, pytest.raises(SourceRefused, match="path prefix"):
            source.summary()


# -- redirects -------------------------------------------------------------------------------
REDIRECTS = [301, 302, 303, 307, 308]


@pytest.mark.parametrize("status", REDIRECTS)
def test_no_redirect_leads_the_api_key_to_another_server(status: int) -> None:
    with closing(Scripted()) as other, closing(Scripted()) as box:
        box.url("/api/channels/channels/1/", response(b"", status=status, Location=other.url("/api/x")))
        with at(box.url("")) as source, pytest.raises(SourceRefused, match="another server"):
            source.channels.order(1)
        assert (len(box.asked), other.asked) == (1, [])


@pytest.mark.parametrize("status", REDIRECTS)
def test_no_redirect_leads_the_password_to_another_server(status: int, tmp_path: Path) -> None:
    login = {"username": "admin", "password": "secret"}
    with closing(Scripted()) as other, closing(Scripted()) as box:
        box.url("/api/accounts/token/", response(b"", status=status, Location=other.url("/api/accounts/token/")))
        with logged_in(box.url(""), login, tmp_path) as source, pytest.raises(SourceRefused, match="another server"):
            source.channels.order(1)
        assert (len(box.asked), other.asked) == (1, [])


@pytest.mark.parametrize(
    ("before", "after", "is_followed"),
    [
        ("http://box/a", "http://box/b", True),
        ("http://box/a", "https://box/a", True),
        ("http://box:9191/a", "http://box:9191/b", True),
        ("https://box/a", "http://box/a", False),
        ("http://box/a", "https://other/a", False),
        ("http://box:9191/a", "https://box/a", False),
        ("http://box/a", "https://box:444/a", False),
        ("http://box/a", "http://box.evil.example/a", False),
        ("https://box/a", "https://box:9191/a", False),
    ],
)
def test_a_redirect_stays_with_the_server_and_never_leaves_tls(before: str, after: str, is_followed: bool) -> None:
    redirected = httpx.Request("GET", after)
    if is_followed:
        assert session._within_origin(httpx.URL(before), redirected) is redirected
        return
    with pytest.raises(SourceRefused, match="another server"):
        session._within_origin(httpx.URL(before), redirected)


def test_a_redirect_within_the_server_is_followed_with_the_key() -> None:
    with closing(Scripted()) as box:
        box.url("/api/channels/channels/1/", response(b"", status=301, Location="/tv/1"))
        box.url("/tv/1", response(CHANNEL))
        with at(box.url("")) as source:
            assert source.channels.order(1) == (3, 1, 2)
        assert all("x-api-key: key" in head.lower() for head in box.heads)


def test_redirects_without_end_are_refused() -> None:
    with closing(Scripted()) as box:
        box.url("/api/channels/channels/1/", response(b"", status=302, Location="/api/channels/channels/1/"))
        with at(box.url("")) as source, pytest.raises(SourceRefused, match="without end"):
            source.channels.order(1)


def test_a_reply_that_drips_ends_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "EXCHANGE_SECONDS", 0.4)
    with closing(Scripted()) as box:
        box.url("/api/channels/channels/1/", Drip(b"HTTP/1.1 103 Early Hints\r\n\r\n", every=0.05))
        with at(box.url("")) as source, pytest.raises(SourceUnavailable, match="in time"):
            source._session.call_once("GET", "/api/channels/channels/1/")


# -- logging in ------------------------------------------------------------------------------
def test_a_new_secret_of_the_server_causes_a_new_login(served: Lab, tmp_path: Path) -> None:
    with logged_in(served.dispatcharr, served.addresses(), tmp_path) as source:
        source.channels.order(1)
        served.servers.dispatcharr._secret = "changed" * 6
        assert source.channels.order(1) == (1, 2, 3)
    assert state(served).logins == 2


def test_after_a_change_of_the_password_the_old_one_is_rejected_and_the_new_one_works(
    served: Lab, tmp_path: Path
) -> None:
    login = served.addresses()
    with logged_in(served.dispatcharr, login, tmp_path) as source:
        source.channels.order(1)
        # Changing the password makes all tokens invalid.
        served.servers.dispatcharr.password, served.servers.dispatcharr._secret = "new", "changed" * 6
        with pytest.raises(SourceRefused, match="DISPATCHARR_PASSWORD"):
            source.channels.order(1)
    with logged_in(served.dispatcharr, login | {"password": "new"}, tmp_path) as source:
        assert source.channels.order(1) == (1, 2, 3)


# -- invalid replies -------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, SourceRefused), (401, SourceRefused), (403, SourceRefused), (404, UnknownRecord), (405, SourceRefused),
        (429, SourceUnavailable), (500, SourceUnavailable), (502, SourceUnavailable), (504, SourceUnavailable),
    ],
)  # fmt: skip
def test_every_status_has_its_error_class(status: int, error: type[Exception]) -> None:
    with (
        serving(b"<html>no</html>", status) as address,
        at(address) as source,
        pytest.raises(error, match=str(status) if status != 404 else "no such"),
    ):
        source.channels.order(1)


def test_a_reply_that_is_cut_off_is_retried_and_then_reported() -> None:
    reached = pytest.raises(SourceUnavailable, match="cannot be reached")
    with serving(CHANNEL, length=500) as address, at(address) as source, reached:
        source.channels.order(1)


@pytest.mark.parametrize("body", [b"[" * 500_000, b'{"id": ' + b"9" * 5000 + b"}"], ids=["brackets", "digits"])
def test_json_that_cannot_be_parsed_is_reported(body: bytes) -> None:
    with serving(body) as address, at(address) as source, pytest.raises(SourceUnavailable, match="not JSON"):
        source._session.call_once("GET", "/api/channels/channels/1/")


@pytest.mark.parametrize("body", [b"null", b"[]", b"{}", b'"text"', b'{"streams": null}'])
@pytest.mark.parametrize(
    "ask",
    [
        lambda source: source.channels.order(1),
        lambda source: source.fetch(),
        lambda source: source.channels.write_order(1, (1,), (2,)),
        lambda source: source.viewers(),
        lambda source: source.channels.write_results(1, [result(1)]),
    ],
    ids=["order", "fetch", "write_order", "viewers", "write_results"],
)
def test_json_of_another_shape_is_an_error_or_empty(body: bytes, ask: Callable[[Dispatcharr], object]) -> None:
    with serving(body) as address, at(address) as source:
        try:
            found = ask(source)
        except SourceUnavailable:
            return
    # An empty reply means an empty library.
    assert not found or list(found.streams) == []  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [({"Retry-After": "7"}, 7), ({"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, None), ({}, None)],
)
def test_a_throttled_request_waits_as_the_header_says(headers: dict[str, str], seconds: float | None) -> None:
    with pytest.raises(SourceUnavailable) as raised:
        session.content(httpx.Response(429, headers=headers, text="slow down"), "a call")
    assert getattr(raised.value, "seconds", None) == seconds


# -- lists in motion -------------------------------------------------------------------------
def test_a_server_without_pages_returns_the_whole_list(served: Lab) -> None:
    streams = list(state(served).streams.values())
    paths = {"streams/": streams, "ids/": [each["id"] for each in streams]}
    lists = {path: json.dumps(records).encode() for path, records in paths.items()}
    with serving(b"[]", paths=lists) as address, at(address) as source:
        assert len(list(source.fetch().streams)) == 7


def test_pages_that_repeat_and_miss_rows_make_a_whole_library(
    source: Dispatcharr, served: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_module, "PAGE_SIZE", 2)
    whole = session.Session.pages

    def shifting(self: session.Session, path: str, size: int) -> Iterator[list[Any]]:
        last: list[Any] = []
        for page in whole(self, path, size):
            # Each page repeats the first row of the page before and misses its own last row.
            yield [*last[:1], *page[:-1]]
            last = page

    monkeypatch.setattr(session.Session, "pages", shifting)
    assert sorted(stream.id for stream in source.fetch().streams) == [1, 2, 3, 4, 5, 6, 7]


def test_a_list_that_shrinks_between_two_pages_ends(
    source: Dispatcharr, served: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_module, "PAGE_SIZE", 2)
    whole = session.Session.call_once

    def shrinking(self: session.Session, method: str, path: str, **options: Any) -> Any:
        answer = whole(self, method, path, **options)
        if (options.get("params") or {}).get("page") == 2:
            for stream_id in (4, 5, 6, 7):
                state(served).streams.pop(stream_id, None)
        return answer

    monkeypatch.setattr(session.Session, "call_once", shrinking)
    assert {stream.id for stream in source.fetch().streams} >= {1, 2, 3}


def test_streams_that_vanish_before_they_are_read_by_id_are_left_out(
    source: Dispatcharr, served: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = session.Session.call

    def vanishing(self: session.Session, method: str, path: str, **options: Any) -> Any:
        answer = whole(self, method, path, **options)
        return [*answer, 98, 99] if path.endswith("/ids/") else answer

    monkeypatch.setattr(session.Session, "call", vanishing)
    assert len(list(source.fetch().streams)) == 7


def test_ten_thousand_streams_are_read_in_a_few_pages(source: Dispatcharr, served: Lab) -> None:
    one = state(served).streams[1]
    state(served).streams = {i: one | {"id": i, "name": f"stream {i}"} for i in range(1, 10_001)}
    assert len(list(source.fetch().streams)) == 10_000


def test_stale_custom_and_nameless_streams_are_kept(source: Dispatcharr, served: Lab) -> None:
    state(served).streams[1] |= {"is_stale": True}
    state(served).streams[2] |= {"m3u_account": None, "is_custom": True, "stream_id": None}
    state(served).streams[3] |= {"url": "  ", "name": None}
    state(served).streams[4] |= {"url": None, "channel_group": None}
    found = {stream.id: stream for stream in source.fetch().streams}
    assert (found[1].is_stale, found[2].is_custom, found[2].account_id) == (True, True, None)
    assert (found[3].url, found[3].name, found[4].url, found[4].group_id) == (None, "", None, None)


def test_accounts_have_their_profiles_user_agents_and_server_groups(source: Dispatcharr, served: Lab) -> None:
    account = state(served).accounts[0]
    account["server_group"] = 4
    account["user_agent"] = 77
    account["profiles"].append(
        {"id": 11, "name": "second", "max_streams": 2, "is_active": False, "is_default": False,
         "search_pattern": "north", "replace_pattern": "other"}
    )  # fmt: skip
    found = next(each for each in source.fetch().accounts if each.id == 1)
    # The account's user agent is not in the list, so the default one is sent.
    assert (found.server_group, found.user_agent, found.budget) == (4, None, "profile-10")
    assert [(each.id, each.max_streams, each.is_active, each.search_pattern) for each in found.profiles] == [
        (10, 1, True, "^(.*)$"), (11, 2, False, "north"),
    ]  # fmt: skip


def test_a_profile_whose_pattern_cannot_be_used_is_reported_and_no_login(source: Dispatcharr, served: Lab) -> None:
    further = {"max_streams": 2, "is_active": True, "is_default": False, "replace_pattern": "$1"}
    account = state(served).accounts[0]
    account["profiles"] += [
        further | {"id": 11, "name": "second", "search_pattern": "(?<!x)password"},
        further | {"id": 12, "name": "third", "search_pattern": "(?<user>[^/]+)"},
    ]
    fetched = source.fetch()
    found = next(each for each in fetched.accounts if each.id == 1)
    assert [(each.id, each.is_active) for each in found.profiles] == [(10, True), (11, False), (12, True)]
    [(record, reason)] = fetched.broken
    assert record == f"profile second of {found.name}"
    assert "no look-around" in reason
    assert "password" not in reason


@pytest.mark.parametrize(
    ("groups", "words", "share"),
    [((4, 4), ("word", "word"), True), ((4, 5), ("word", "word"), False), ((4, 4), ("word", "other"), False)],
)
def test_accounts_of_one_server_group_share_a_budget_where_they_share_a_login(
    source: Dispatcharr, served: Lab, groups: tuple[int, int], words: tuple[str, str], share: bool
) -> None:
    known, hosts = state(served), ("one.test", "two.test:8080")
    accounts = known.accounts[:2]
    for account, group in zip(accounts, groups, strict=True):
        account["server_group"] = group
    for number, stream in enumerate(known.streams.values()):
        own = number % 2
        address = f"http://{hosts[own]}/live/alice/{words[own]}/{stream['id']}.ts"
        stream |= {"m3u_account": accounts[own]["id"], "url": address}
    first, second = (account.budget for account in source.fetch().accounts[:2])
    assert (first == second) is share


# -- writing back ----------------------------------------------------------------------------
def test_a_users_edit_after_a_lost_reply_stays(
    source: Dispatcharr, served: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = session.Session._raw

    def losing(self: session.Session, method: str, path: str, **options: Any) -> Any:
        answer = whole(self, method, path, **options)
        if method == "PATCH":
            state(served).channels[1]["streams"] = [2, 3]
            raise SourceUnavailable("the reply was lost")
        return answer

    monkeypatch.setattr(session.Session, "_raw", losing)
    with pytest.raises(SourceConflict):
        source.channels.write_order(1, (1, 2, 3), (3, 2, 1))
    assert state(served).channels[1]["streams"] == [2, 3]


def test_an_order_whose_reply_was_lost_is_not_written_twice(
    source: Dispatcharr, served: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, lost = session.Session._raw, []

    def losing(self: session.Session, method: str, path: str, **options: Any) -> Any:
        answer = whole(self, method, path, **options)
        if method == "PATCH" and not lost:
            lost.append(path)
            raise SourceUnavailable("the reply was lost")
        return answer

    monkeypatch.setattr(session.Session, "_raw", losing)
    source.channels.write_order(1, (1, 2, 3), (3, 2, 1))
    assert (state(served).channels[1]["streams"], state(served).writes) == ([3, 2, 1], 1)


def test_measurements_of_a_stream_that_vanishes_meanwhile_are_left_out(
    source: Dispatcharr, served: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = session.Session.call

    def vanishing(self: session.Session, method: str, path: str, **options: Any) -> Any:
        answer = whole(self, method, path, **options)
        state(served).streams.pop(2, None)
        return answer

    monkeypatch.setattr(session.Session, "call", vanishing)
    source.channels.write_results(1, [result(i) for i in (1, 2, 3)])
    assert state(served).streams[3]["stream_stats"]["streamflow_verdict"] == "ok"


# -- web pages -------------------------------------------------------------------------------
PROFILES = [
    {"id": 1, "command": "ffmpeg"},
    {"id": 2, "command": "streamlink"},
    {"id": 3, "command": "/usr/bin/yt-dlp"},
    {"id": 4, "command": ""},
    {"id": 5, "command": "/data/my-script.sh"},
    {"id": 6, "command": None},
    {"id": [7], "command": "streamlink"},
    "not a profile",
]


def page_ids(served: Lab, channel: dict[str, Any], streams: dict[int, dict[str, Any]]) -> list[int]:
    """Return the streams that are web pages, of a Dispatcharr with such a channel and such streams."""
    raw_streams = [state(served).streams[i] | streams.get(i, {}) for i in range(1, 8)]
    lists = {
        "streamprofiles/": PROFILES,
        "channels/channels/": [
            {"id": 1, "name": "One", "streams": [1, 2], **channel},
            {"stream_profile_id": [7], "streams": [[]]},
        ],
        "streams/": raw_streams,
        "ids/": list(range(1, 8)),
    }
    paths = {path: json.dumps(records).encode() for path, records in lists.items()}
    with serving(b"[]", paths=paths) as address, at(address) as source:
        return sorted(stream.id for stream in source.fetch().streams if stream.is_page)


def test_the_stream_profile_distinguishes_a_web_page_from_media(served: Lab) -> None:
    profiles = {i: {"stream_profile_id": i} for i in range(1, 7)}
    assert page_ids(served, {}, profiles) == [2, 3, 5]


def test_a_stream_without_a_profile_has_that_of_its_channel(served: Lab) -> None:
    assert page_ids(served, {"stream_profile_id": 2}, {2: {"stream_profile_id": 1}}) == [1]
    overridden = {"stream_profile_id": 1, "effective_stream_profile_id": 2}
    assert page_ids(served, overridden, {}) == [1, 2]


def test_a_page_of_a_known_site_is_a_web_page(served: Lab) -> None:
    urls = {1: "https://www.youtube.com/watch?v=1", 2: "https://cdn.twitch.tv/live.m3u8", 3: "https://mytwitch.tv/a"}
    assert page_ids(served, {}, {i: {"url": url} for i, url in urls.items()}) == [1]


def test_a_version_without_stream_profiles_has_no_web_pages(source: Dispatcharr) -> None:
    assert not any(stream.is_page for stream in source.fetch().streams)
