"""Bounds of the texts in records."""

from __future__ import annotations

import time
from typing import Any

import pytest
from pydantic import ValidationError

from streamflow.records import Account, AudioTrack, Channel, ChannelChange, Group, Result, Stream
from streamflow.records.text import ITEMS, cut
from support.udi_records import NOW, result, stream

MEGABYTES = "M" * 2_000_000


def bounded(extra: dict[str, Any]) -> dict[str, Any]:
    return result(1, extra=extra).extra


def test_a_result_takes_no_more_text_than_its_fields_allow() -> None:
    track = AudioTrack(codec=MEGABYTES, language="de" * 150_000)
    given = result(
        1,
        "dead",
        reason=MEGABYTES,
        detail=MEGABYTES,
        video_codec=MEGABYTES,
        container=MEGABYTES,
        label_mismatch=MEGABYTES,
        audio=(track,) * 1000,
        extra={MEGABYTES: [MEGABYTES] * 1000, "tries": [{"detail": MEGABYTES}]},
    )
    assert (len(given.detail), len(given.audio[0].language), len(given.audio[0].codec)) == (300, 35, 100)
    assert len(given.model_dump_json()) < 100_000


@pytest.mark.parametrize(
    "record",
    [
        stream(1, name=MEGABYTES, tvg_id=MEGABYTES, provider_id=MEGABYTES),
        Account(id=1, name=MEGABYTES, account_type=MEGABYTES, user_agent=MEGABYTES, server_host=MEGABYTES),
        Group(id=1, name=MEGABYTES),
        Channel(id=1, name=MEGABYTES, uuid=MEGABYTES),
        ChannelChange(channel_id=1, at=NOW, before=(), after=(), conflict=MEGABYTES),
    ],
    ids=lambda record: type(record).__name__,
)
def test_names_are_cut(record: Any) -> None:
    assert len(record.model_dump_json()) < 1300


def test_control_characters_are_removed_from_names_and_texts() -> None:
    assert stream(1, name="\x1b]52;c;evil\x07BBC\nOne\u202e").name == "]52;c;evil BBC One"
    assert result(1, detail="\x1b[2Jgone\r\n").detail == "[2Jgone"
    assert bounded({"server": "a\x00b"}) == {"server": "a b"}


def test_a_text_that_utf_8_cannot_encode_is_stored() -> None:
    given = stream(1, name="caf\udce9")
    assert Stream.model_validate_json(given.model_dump_json()) == given


def test_a_url_stays_on_its_line_and_can_be_encoded() -> None:
    given = stream(1, url="http://a.test/1.ts\r\n#EXTINF:-1,evil\nhttp://evil.test/\x1b\u2028\udce9")
    assert given.url == "http://a.test/1.ts#EXTINF:-1,evilhttp://evil.test/?"
    assert given.url_hash
    assert stream(1, url="http://ä.test/Das Erste|User-Agent=A B").url == "http://ä.test/Das Erste|User-Agent=A B"


def test_a_url_beyond_all_bounds_is_no_stream_but_a_stored_one_is_read() -> None:
    with pytest.raises(ValidationError, match="8,192"):
        stream(1, url="http://a.test/" + MEGABYTES)
    assert Stream.model_validate_json('{"id":1,"name":"a","url":"http://a.test/' + "x" * 9000 + '"}').url


def test_ordinary_names_stay_unchanged() -> None:
    for name in ('Zoë "4K" 📺', "Das\u00a0Erste", "قناة", "中央电视台-1"):
        assert stream(1, name=name).name == name


def test_a_copy_is_bounded_too() -> None:
    copy = result(1).model_copy(update={"detail": MEGABYTES, "audio": (AudioTrack(codec="aac"),)})
    assert len(copy.detail) == 300
    assert copy.audio == (AudioTrack(codec="aac"),)


def test_measurements_are_bounded_in_number_and_depth() -> None:
    nested: Any = "x"
    for _ in range(10_000):
        nested = [nested]
    found = bounded({"nested": nested, "many": list(range(5000)), "kept": [1, 2.5, None, True, {"a": "b"}]})
    assert len(found["many"]) == ITEMS
    assert found["kept"] == [1, 2.5, None, True, {"a": "b"}]
    assert str(found["nested"]).count("[") < 10


def test_cutting_a_long_text_of_control_characters_takes_no_time() -> None:
    started = time.monotonic()
    assert cut("\x1b" * 20_000_000, 300) == ""
    assert time.monotonic() - started < 0.5


def test_a_result_without_the_newest_fields_is_read() -> None:
    stored = '{"stream_id":1,"checked_at":"2026-01-02T03:04:05Z","verdict":"ok","unknown":1}'
    given = Result.model_validate_json(stored)
    assert (given.quality, given.tls_untrusted) == (None, False)
    assert Result.model_validate_json(result(1, quality=4.2, tls_untrusted=True).model_dump_json()).quality == 4.2
