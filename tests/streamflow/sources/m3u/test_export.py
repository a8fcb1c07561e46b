"""A library as a playlist, and the playlist as a library again."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamflow.errors import UnknownRecord
from streamflow.records import Account
from streamflow.sources.m3u import Playlist, export
from streamflow.sources.m3u.playlist import Entry, entries
from support.library import NOW, result, stored, stream

# Surrounding and repeated blanks are not kept.
PLAIN = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp", "Zs"))).map(
    lambda text: " ".join(text.split())
)
ENTRY = st.builds(
    Entry,
    line=st.just(0),
    name=PLAIN.filter(bool),
    url=st.sampled_from(
        ["http://tv.test/u/p/1.ts", "http://tv.test/1|User-Agent=A+B&Referer=x", "rtp://239.0.0.1:1234"]
    ),
    group=PLAIN.map(lambda text: text.replace('"', "'")),
    tvg_id=PLAIN.map(lambda text: text.replace('"', "'")),
    is_radio=st.booleans(),
    number=st.none() | st.integers(0, 99_999).map(float),
)


@given(st.lists(ENTRY, max_size=5))
def test_written_entries_are_read_back(wanted: list[Entry]) -> None:
    read = list(entries(export.lines(wanted)))
    assert [{**vars(each), "line": 0} for each in read] == [vars(each) for each in wanted]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\u2028", "\x0b", "\x85"])
def test_an_address_never_becomes_two_lines(end: str) -> None:
    written = list(export.lines([Entry(line=0, name="a", url=f"http://tv.test/1{end}http://evil.test/")]))
    assert "\n".join(written).splitlines() == written
    assert len(written) == 3


def test_channels_are_written_in_order_best_stream_first_without_dead_ones(tmp_path: Path) -> None:
    store = stored(tmp_path, {2: (5, 4), 1: (3, 2, 1)}, streams=[stream(i, tvg_id=f"t{i}") for i in range(1, 7)])
    store.runs.settle("no run", result(2, "dead"))
    store.runs.settle("no run", result(3, "unknown"))
    assert list(export.lines(export.library(store)))[:3] == [
        "#EXTM3U",
        '#EXTINF:-1 tvg-id="t3" tvg-chno="1" group-title="group 1",stream 3',
        "http://provider.test/live/u/p/3.ts",
    ]
    assert [entry.name for entry in export.library(store)] == [
        "stream 3",
        "stream 1",
        "stream 5",
        "stream 4",
        "stream 6",
    ]
    assert [entry.name for entry in export.library(store, 1, with_dead=True)] == [
        "stream 3",
        "[dead] stream 2",
        "stream 1",
    ]
    with pytest.raises(UnknownRecord, match="channel 9"):
        list(export.library(store, 9))


def test_an_export_is_a_library_of_the_same_streams(tmp_path: Path) -> None:
    store = stored(tmp_path, {1: (3, 2, 1), 2: (4,)}, accounts=[Account(id=1, name="one")])
    file = tmp_path / "export.m3u"
    file.write_text("\n".join(export.lines(export.library(store))))
    snapshot = Playlist(str(file)).fetch()
    assert [each.url for each in snapshot.streams] == [
        each.url for each in map(store.library.stream, (3, 2, 1, 4)) if each
    ]
    assert [each.name for each in snapshot.groups] == ["group 1", "group 2"]


def test_streams_that_show_nothing_are_in_no_playlist(tmp_path: Path) -> None:
    store = stored(tmp_path, {1: (1, 2, 3)})
    store.runs.settle("no run", result(1, "degraded", reason="black_video"))
    store.runs.settle("no run", result(2, "degraded", reason="silent_audio"))
    assert [entry.name for entry in export.library(store, unusable=["black_video"])] == ["stream 2", "stream 3"]
    marked = [entry.name for entry in export.library(store, with_dead=True, unusable=["black_video"])]
    assert marked == ["[black video] stream 1", "stream 2", "stream 3"]
    assert [entry.name for entry in export.library(store)] == ["stream 1", "stream 2", "stream 3"]


def test_an_outage_changes_only_the_age_of_the_entries(tmp_path: Path) -> None:
    store = stored(tmp_path, {1: (1, 2, 3)})
    store.runs.settle("no run", result(1))
    store.runs.settle("no run", result(2, "dead"))
    store.runs.settle("no run", result(3, "degraded", reason="black_video"))
    before = [entry.name for entry in export.library(store, unusable=["black_video"])]
    for night in range(1, 8):
        for one in (1, 2, 3):
            down = result(one, "unknown", reason="source_unavailable", at=NOW + timedelta(days=night))
            store.runs.settle("no run", down)
    found = list(export.library(store, unusable=["black_video"]))
    assert [entry.name for entry in found] == before == ["stream 1"]
    assert f' streamflow-as-of="{NOW:%Y-%m-%dT%H:%M:%SZ}" ' in list(export.lines(found))[1]
