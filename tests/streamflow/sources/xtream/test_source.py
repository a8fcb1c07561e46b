"""The live streams of an Xtream login: from the lab's panel, and from the lists of other panels."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from lab import Account, Group, Lab, Library, Media, Stream, running
from streamflow.errors import SourceRefused, SourceUnavailable
from streamflow.sources import listing
from streamflow.sources.xtream import Panel, Xtream
from support.web_server import serving


@pytest.fixture
def provider(lab_media: Media) -> Iterator[Lab]:
    accounts = [Account(1, "One", "user", "pa55word", max_streams=2), Account(2, "Two", "other", "word")]
    streams = [
        Stream(7, "News HD", 1, group_id=3),
        Stream(8, "News FHD", 1, group_id=3),
        Stream(9, "Films", 1),
        Stream(10, "Theirs", 2),
    ]
    with running(Library(accounts, streams, groups=[Group(3, "World")]), lab_media) as lab:
        yield lab


def of_lists(
    streams: Any, categories: Any = (), info: dict[str, Any] | None = None, *, raw: bytes | None = None
) -> Any:
    """Return the library of a panel with these lists; ``raw`` is its list of streams as bytes."""
    actions = {
        "get_live_streams": raw if raw is not None else json.dumps(streams).encode(),
        "get_live_categories": json.dumps(categories).encode(),
    }
    with serving(json.dumps({"user_info": info or {}}).encode(), actions=actions) as address:
        return Xtream(Panel(address, "us/er", "pa55 word")).fetch()


def test_a_login_becomes_a_library(provider: Lab) -> None:
    snapshot = Xtream(Panel(f"{provider.provider}/", "user", "pa55word")).fetch()
    (account,) = snapshot.accounts
    assert (account.name, account.account_type, account.max_streams, account.is_active) == ("127.0.0.1", "XC", 2, True)
    assert [(group.id, group.name) for group in snapshot.groups] == [(3, "World")]
    assert [(s.id, s.group_id, s.provider_id, s.url) for s in snapshot.streams] == [
        (7, 3, "7", provider.url(7)), (8, 3, "8", provider.url(8)), (9, None, "9", provider.url(9)),
    ]  # fmt: skip
    assert [(c.name, c.group_id, c.stream_ids) for c in snapshot.channels] == [
        ("News HD", 3, (7, 8)), ("Films", None, (9,)),
    ]  # fmt: skip


def test_a_summary_names_status_and_limit(provider: Lab) -> None:
    assert "Active, connections: 2" in Xtream(Panel(provider.provider, "user", "pa55word")).summary()
    with pytest.raises(SourceRefused):
        Xtream(Panel(provider.provider, "user", "wrong")).fetch()


@pytest.mark.parametrize(
    ("info", "limit", "active"),
    [
        ({"max_connections": "0"}, 0, True),
        ({"max_connections": "5", "status": "Active"}, 5, True),
        ({}, 1, True),
        ({"max_connections": "5", "status": "Expired"}, 5, False),
        ({"max_connections": "5", "status": "BANNED"}, 5, False),
    ],
)
def test_limit_and_state_are_the_panels_and_a_missing_limit_is_one(
    info: dict[str, Any], limit: int, active: bool
) -> None:
    (account,) = of_lists([{"stream_id": 1, "name": "A"}], info=info).accounts
    assert (account.max_streams, account.is_active) == (limit, active)


def test_names_and_numbers_are_read_in_any_notation() -> None:
    snapshot = of_lists(
        {"1": {"stream_id": "12", "name": None, "category_id": 4, "epg_channel_id": "a.de"}, "5": {"stream_id": 13}},
        [{"category_id": "4", "category_name": "News"}, {"category_id": "x", "category_name": None}],
    )
    first, second = snapshot.streams
    assert (first.id, first.name, first.group_id, first.tvg_id) == (12, "stream 12", 4, "a.de")
    assert (second.id, second.group_id) == (13, None)
    assert [group.name for group in snapshot.groups] == ["News", "category x"]


def test_urls_have_a_quoted_login_and_a_format_that_the_panel_offers() -> None:
    (stream,) = of_lists([{"stream_id": 1}], info={"allowed_output_formats": ["m3u8"]}).streams
    assert stream.url.endswith("/live/us%2Fer/pa55%20word/1.m3u8")


def test_broken_records_are_skipped_and_named() -> None:
    snapshot = of_lists([{"stream_id": 1}, {"stream_id": "one"}, {"name": "A"}, "text", None, {"stream_id": [2]}])
    assert [stream.id for stream in snapshot.streams] == [1]
    assert [name for name, _ in snapshot.broken] == ["stream one", "stream without id", "stream [2]"]


def test_bytes_that_are_not_utf8_do_not_break_a_list() -> None:
    snapshot = of_lists(None, raw=b'\xef\xbb\xbf [{"stream_id": 1, "name": "Caf\xe9"}, {"stream_id": 2}]')
    assert [stream.id for stream in snapshot.streams] == [1, 2]


@pytest.mark.parametrize("raw", [b"[]", b"{}", b"null", b'{"user_info": {"auth": 0}}'])
def test_a_list_without_a_stream_is_refused(raw: bytes) -> None:
    with pytest.raises(SourceRefused, match="no live stream"):
        of_lists(None, raw=raw)


@pytest.mark.parametrize("raw", [b'[{"stream_id": 1}, {"stream', b"<html>", b"", b'[{"stream_id": 1} oops]'])
def test_a_list_that_is_cut_off_or_not_json_is_an_error(raw: bytes) -> None:
    with pytest.raises(SourceUnavailable, match="get_live_streams"):
        of_lists(None, raw=raw)


@pytest.mark.parametrize(
    "record",
    [
        '{"stream_id": 1e999}',
        '{"stream_id": 9223372036854775808}',
        '{"stream_id": NaN}',
        '{"stream_id": -1}',
        '{"stream_id": true}',
        '{"stream_id": 1.5}',
        '{"stream_id": "0x1"}',
        '{"stream_id": null}',
        '{"name": "A"}',
        '{"stream_id": 1, "name": ' + "9" * 5000 + "}",
        '{"stream_id": ' + "[" * 100_000 + "]" * 100_000 + "}",
        '{"stream_id": "' + "x" * 5000 + '"}',
        '{"stream_id": 3, "na\\"me}": [1 2]}',
    ],
    ids=range(13),
)
def test_a_broken_record_is_left_out_of_the_list(record: str) -> None:
    raw = f'[{{"stream_id": 7}}, {record}, {{"stream_id": 8.0}}]'
    snapshot = of_lists(None, raw=raw.encode())
    assert [stream.id for stream in snapshot.streams] == [7, 8]
    (broken,) = snapshot.broken
    assert len(broken[0]) <= 60


def test_a_category_without_an_id_is_left_out() -> None:
    categories = [{"category_name": "Lost"}, {"category_id": None}, {"category_id": 5, "category_name": "News"}]
    snapshot = of_lists([{"stream_id": 1, "category_id": 5}], categories)
    assert [group.name for group in snapshot.groups] == ["News"]
    assert [name for name, _ in snapshot.broken] == ["category without id"] * 2


@pytest.mark.parametrize("raw", [b"[" * 500_000, b'[{"stream_id": "' + b"x" * 3_000_000])
def test_a_list_without_an_end_is_reported(raw: bytes) -> None:
    with pytest.raises(SourceUnavailable, match="get_live_streams"):
        of_lists(None, raw=raw)


def test_a_list_of_too_many_records_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "MOST_STREAMS", 3)
    assert len(of_lists([{"stream_id": 1}] * 3).streams) == 1
    with pytest.raises(SourceRefused, match="get_live_streams lists more than 3 records"):
        of_lists([{"stream_id": 1}] * 4)


def test_radio_is_marked() -> None:
    snapshot = of_lists([{"stream_id": 1, "stream_type": "radio_streams"}, {"stream_id": 2, "stream_type": "live"}])
    assert [stream.is_radio for stream in snapshot.streams] == [True, False]
