"""What people write into playlists, and what is read from it."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamflow.errors import SourceRefused
from streamflow.sources.m3u import info
from streamflow.sources.m3u.films import is_film
from streamflow.sources.m3u.playlist import Entry, Unreadable, entries

URL = "http://one.test/a"


def read(*lines: str) -> list[Entry | Unreadable]:
    return list(entries(lines))


def one(*lines: str) -> Entry:
    (entry,) = read(*lines)
    assert isinstance(entry, Entry)
    return entry


@pytest.mark.parametrize(
    ("line", "attributes", "name"),
    [
        ('-1 tvg-id="a.de" group-title="News",Eins', {"tvg-id": "a.de", "group-title": "News"}, "Eins"),
        ("-1 tvg-id='a.de' group-title='News',Eins", {"tvg-id": "a.de", "group-title": "News"}, "Eins"),
        ("-1 tvg-id=a.de group-title=Old News,Eins", {"tvg-id": "a.de", "group-title": "Old News"}, "Eins"),
        ("-1 tvg-id=“a.de” group-title=“News”,Eins", {"tvg-id": "a.de", "group-title": "News"}, "Eins"),
        ('-1 tvg-id="a.de"group-title="News",Eins', {"tvg-id": "a.de", "group-title": "News"}, "Eins"),
        ('-1 TVG-ID = "a.de" , Eins', {"tvg-id": "a.de"}, "Eins"),
        ('-1 tvg-name="A, B" group-title="X, Y, Z",One, two, three', {"tvg-name": "A, B", "group-title": "X, Y, Z"},
         "One, two, three"),
        ('-1 tvg-name="The "Best" Show" tvg-id="b",Best', {"tvg-name": 'The "Best" Show', "tvg-id": "b"}, "Best"),
        ('-1 tvg-id="never closed,Eins', {"tvg-id": "never closed"}, "Eins"),
        ('-1 tvg-id="never closed group-title="News",Eins', {"tvg-id": "never closed", "group-title": "News"}, "Eins"),
        ('-1 tvg-id="" tvg-name=\'\',Eins', {"tvg-id": "", "tvg-name": ""}, "Eins"),
        ('-1, tvg-id="a" group-title="News",Eins', {"tvg-id": "a", "group-title": "News"}, "Eins"),
        ("-1,a=b", {}, ""),
        ("-1,Eins", {}, "Eins"),
        ("0,Eins", {}, "Eins"),
        ("10.5 ,Eins", {}, "Eins"),
        (",Eins", {}, "Eins"),
        ("-1 Eins", {}, ""),
        ("", {}, ""),
        ('-1 some words tvg-id="a",Eins', {"tvg-id": "a"}, "Eins"),
        ('-1 tvg-logo="data:image/png;base64,iVBORw0KGgo=" tvg-id="a",Eins', {"tvg-logo": "", "tvg-id": "a"}, "Eins"),
        ('-1 tvg-id="a" tvg-id="b",Eins', {"tvg-id": "a"}, "Eins"),
        ('-1 tvg-id="a" group-title="News" Eins', {"tvg-id": "a", "group-title": "News"}, "Eins"),
    ],
)  # fmt: skip
def test_attributes_and_names_are_read_in_any_notation(line: str, attributes: dict[str, str], name: str) -> None:
    found, found_name = info.read(line)
    if line == "-1,a=b":
        # Nothing tells a name with an equals sign from an attribute; the text is not lost.
        assert found == {"a": "b"}
        return
    assert (found, found_name) == (attributes, name)


PLAIN = st.text(st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="\"'`“”„‘’=,"), max_size=30)


@given(st.dictionaries(st.sampled_from(["tvg-id", "tvg-name", "group-title", "x"]), PLAIN), PLAIN)
def test_quoted_values_are_read_back(attributes: dict[str, str], name: str) -> None:
    told = "".join(f' {key}="{value}"' for key, value in attributes.items())
    found, found_name = info.read(f"-1{told},{name}")
    assert found == {key: value.strip() for key, value in attributes.items()}
    assert found_name == name.strip()


@given(st.text())
def test_any_line_is_read_to_its_end(line: str) -> None:
    attributes, name = info.read(line)
    assert all(key == key.lower() for key in attributes)
    assert isinstance(name, str)


@pytest.mark.parametrize(
    "part", ['" ', "a=", "a ", " ", "b", 'b="x"y ', 'b="p ', "b='p ", ",", "a-", '"a', "data:base64,", 'b=“x"y '],
)  # fmt: skip
def test_misleading_lines_are_read_in_linear_time(part: str) -> None:
    def seconds(chars: int) -> float:
        line = '-1 a="' + part * (chars // len(part)) + '",'
        started = time.process_time()
        info.read(line)
        return time.process_time() - started

    assert min(seconds(info.INFO_CHARS) for _ in range(3)) < 0.1
    assert min(seconds(1_000_000) for _ in range(2)) < 1


def test_an_entry_has_every_attribute_of_its_lines() -> None:
    entry = one('#EXTINF:-1 tvg-id="a.de" tvg-chno="7" group-title="News",Das  Erste\tHD', URL)
    assert entry == Entry(2, "Das Erste HD", URL, "News", "a.de", 7.0)


def test_a_url_alone_is_an_entry_named_by_its_line_number() -> None:
    assert one("#EXTM3U", "", URL) == Entry(3, "line 3", URL)


def test_a_missing_name_is_taken_from_other_attributes() -> None:
    assert one('#EXTINF:-1 tvg-name="Eins",', URL).name == "Eins"
    assert one('#EXTINF:-1 tvg-id="eins.de"', URL).name == "eins.de"


def test_a_group_line_applies_to_its_stream_or_to_all_following_ones() -> None:
    own = read("#EXTINF:-1,A", "#EXTGRP:Films", URL, "#EXTINF:-1,B", URL)
    standing = read("#EXTGRP:Films", "#EXTINF:-1,A", URL, '#EXTINF:-1 group-title="News",B', URL, "#EXTINF:-1,C", URL)
    assert [entry.group for entry in own if isinstance(entry, Entry)] == ["Films", ""]
    assert [entry.group for entry in standing if isinstance(entry, Entry)] == ["Films", "News", "Films"]


@pytest.mark.parametrize(
    ("option", "url"),
    [
        ("#EXTVLCOPT:http-user-agent=My Player/1", f"{URL}|User-Agent=My+Player%2F1"),
        ('#EXTVLCOPT:http-referrer="http://r.test/"', f"{URL}|Referer=http%3A%2F%2Fr.test%2F"),
        ("#extvlcopt:http-origin=http://o.test", f"{URL}|Origin=http%3A%2F%2Fo.test"),
        ("#EXTVLCOPT:network-caching=1000", URL),
        (
            "#KODIPROP:inputstream.adaptive.stream_headers=User-Agent=X&Referer=Y%26Z",
            f"{URL}|User-Agent=X&Referer=Y%26Z",
        ),
        ("#KODIPROP:inputstream=inputstream.adaptive", URL),
        ('#EXTHTTP:{"User-Agent": "X"}', f"{URL}|User-Agent=X"),
        ("#EXTHTTP:not json", URL),
        ('#EXTINF:-1 user-agent="X",A', f"{URL}|User-Agent=X"),
    ],
)
def test_request_headers_follow_the_url(option: str, url: str) -> None:
    assert one(option, URL).url == url


def test_headers_after_the_url_itself_win() -> None:
    assert one("#EXTVLCOPT:http-user-agent=X", f"{URL}|User-Agent=Y").url == f"{URL}|User-Agent=X&User-Agent=Y"


@pytest.mark.parametrize("part", ['a="', "a=“", " x", "a=b ", 'a="b" c=\'', "data:;base64,"])
def test_a_line_of_thousands_of_attributes_takes_no_time(part: str) -> None:
    lines = [f"#EXTINF:-1 {part * 5000},Name", "http://tv.test/1"] * 20
    started = time.monotonic()
    assert all(isinstance(entry, Entry) for entry in entries(lines))
    assert time.monotonic() - started < 1


def test_options_apply_to_one_stream() -> None:
    first, second = read("#EXTVLCOPT:http-user-agent=X", URL, URL)
    assert isinstance(first, Entry)
    assert isinstance(second, Entry)
    assert (first.url, second.url) == (f"{URL}|User-Agent=X", URL)


def test_a_url_without_end_is_left_out_and_named() -> None:
    found = read("#EXTINF:-1,A", URL + "x" * 10_000, "#EXTINF:-1,B", URL)
    assert found == [Unreadable(2, "a URL of more than 8,192 characters"), Entry(4, "B", URL)]


def test_an_unusable_line_is_named_without_its_text() -> None:
    found = read("#EXTINF:-1,A", "#EXTINF:-1,B", "secret.ts", URL, "#EXTINF:-1,C")
    assert found == [
        Unreadable(1, "an #EXTINF without a URL after it"),
        Unreadable(3, "neither a comment nor a URL"),
        Entry(4, "line 4", URL),
        Unreadable(5, "an #EXTINF without a URL after it"),
    ]
    assert "secret" not in repr(found)


def test_an_hls_tag_in_a_list_of_channels_is_ignored() -> None:
    tag = "#EXT-X-STREAM-INF:BANDWIDTH=2000000"
    found = read("#EXTM3U", "#EXT-X-VERSION:3", "#EXTINF:-1,One", URL, '#EXTINF:-1 tvg-id="b",Two', tag, URL)
    assert [entry.name for entry in found if isinstance(entry, Entry)] == ["One", "Two"]
    assert one("#EXTM3U", "#EXT-X-TARGETDURATION:10", "#EXTINF:-1,One", URL).name == "One"


def test_a_further_url_below_an_entry_is_a_second_stream_of_it() -> None:
    _, second, other = read('#EXTINF:-1 tvg-id="a",One', URL, URL + "2", "#EXTM3U", URL)
    assert isinstance(second, Entry)
    assert isinstance(other, Entry)
    assert (second.name, second.tvg_id, second.url) == ("One", "a", URL + "2")
    assert other.name == "line 5"


def test_a_name_over_two_lines_keeps_its_entry() -> None:
    found = read('#EXTINF:-1 tvg-id="a",Long', "name goes on", URL)
    assert [each.name for each in found if isinstance(each, Entry)] == ["Long"]


@pytest.mark.parametrize(
    ("line", "url"),
    [
        ("one.m3u8", "http://tv.test/lists/one.m3u8"),
        ("live/1.ts?token=a/b", "http://tv.test/lists/live/1.ts?token=a/b"),
        ("../play/a1", "http://tv.test/play/a1"),
        ("/live/u/p/1", "http://tv.test/live/u/p/1"),
        ("//other.test/1.ts", "http://other.test/1.ts"),
        ("?channel=7", "http://tv.test/lists/all.m3u?channel=7"),
        ("1.ts|User-Agent=Player", "http://tv.test/lists/1.ts|User-Agent=Player"),
    ],
)
def test_a_relative_address_belongs_to_the_address_of_its_playlist(line: str, url: str) -> None:
    (entry,) = entries(["#EXTINF:-1,One", line], "http://tv.test/lists/all.m3u?u=a")
    assert isinstance(entry, Entry)
    assert (entry.name, entry.url) == ("One", url)
    assert all(isinstance(each, Unreadable) for each in read("#EXTINF:-1,One", line))


@pytest.mark.parametrize("line", ["HD", "name goes on", "Sport / News 2", "http://[/1.ts"])
def test_a_line_that_is_no_reference_stays_a_name(line: str) -> None:
    found = list(entries(["#EXTINF:-1,One", line, URL], "http://tv.test/all.m3u"))
    assert [each.url for each in found if isinstance(each, Entry)][-1] == URL


def test_a_blank_in_place_of_the_colon_is_read() -> None:
    assert one('#EXTINF -1 tvg-id="a",One', URL).tvg_id == "a"


@pytest.mark.parametrize(("value", "is_radio"), [("true", True), ("True", True), ("1", True), ("false", False)])
def test_radio_is_marked(value: str, is_radio: bool) -> None:
    assert one(f'#EXTINF:-1 radio="{value}",One', URL).is_radio is is_radio


@pytest.mark.parametrize(
    ("url", "group", "duration", "film"),
    [
        ("http://tv.test/movie/u/p/1.mkv", "Films", -1, True),
        ("http://tv.test/movie/u/p/1.ts", "24/7", -1, False),
        ("http://tv.test/series/u/p/1.mp4", "24-7 Shows", -1, False),
        ("http://tv.test/vod/2.MKV|User-Agent=x", "", -1, True),
        ("http://tv.test/x/3.ts", "Films", 5400, True),
        ("http://tv.test/x/3.ts", "News", 10, False),
        ("http://tv.test/live/u/p/4.ts", "Movies", -1, False),
        ("http://tv.test/live/movie/5.m3u8", "Movies", -1, False),
    ],
)
def test_films_are_known_by_duration_path_and_suffix(url: str, group: str, duration: int, film: bool) -> None:
    assert is_film(Entry(1, "A", url, group, duration=float(duration))) is film


def test_the_playlist_of_one_hls_stream_is_refused() -> None:
    with pytest.raises(SourceRefused, match="one HLS stream"):
        read("#EXTM3U", "#EXT-X-VERSION:3", "#EXT-X-TARGETDURATION:6", "#EXTINF:6,", "a.ts")
    with pytest.raises(SourceRefused, match="one HLS stream"):
        read("#EXTM3U", "#EXT-X-STREAM-INF:BANDWIDTH=1", URL)


@given(st.lists(st.text()))
def test_any_lines_are_read_to_their_end(lines: list[str]) -> None:
    try:
        found = read(*lines)
    except SourceRefused:
        return
    assert all(1 <= each.line <= len(lines) for each in found)
