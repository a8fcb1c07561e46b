"""A playlist as a library: over HTTP, from a file, from standard input."""

from __future__ import annotations

import gzip
import io
import logging
import tracemalloc
from collections.abc import Iterable
from pathlib import Path

import pytest

from streamflow.errors import SourceRefused, SourceUnavailable
from streamflow.sources import broken, listing, m3u
from streamflow.sources.m3u import Playlist
from support.web_server import serving

LIST = """#EXTM3U
#EXTINF:-1 tvg-id="eins.de" group-title="News",Eins HD
http://tv.test/live/user/pa55word/1.ts
#EXTINF:-1 tvg-id="eins.de" group-title="News",Eins
http://tv.test/live/user/pa55word/2.ts
#EXTINF:-1 group-title="Films",Zwei
http://tv.test/live/user/pa55word/3.ts
#EXTINF:-1 group-title="Best of",Zwei again
http://tv.test/live/user/pa55word/3.ts
"""


def written(folder: Path, text: str | Iterable[str] = LIST) -> Playlist:
    file = folder / "list.m3u"
    file.write_text("".join(text))
    return Playlist(str(file))


def test_a_playlist_becomes_accounts_groups_channels_and_streams(tmp_path: Path) -> None:
    snapshot = written(tmp_path).fetch()
    (account,) = snapshot.accounts
    assert (account.name, account.max_streams, account.budget) == ("list.m3u", 1, "account-1")
    assert [group.name for group in snapshot.groups] == ["News", "Films", "Best of"]
    assert [stream.url for stream in snapshot.streams] == [
        f"http://tv.test/live/user/pa55word/{i}.ts" for i in (1, 2, 3)
    ]
    one, two, three = (stream.id for stream in snapshot.streams)
    assert [(c.name, c.stream_ids) for c in snapshot.channels] == [
        ("Eins HD", (one, two)), ("Zwei", (three,)), ("Zwei again", (three,)),
    ]  # fmt: skip
    assert {stream.account_id for stream in snapshot.streams} == {account.id}
    assert snapshot.broken == []


def test_ids_do_not_depend_on_the_position_in_the_list(tmp_path: Path) -> None:
    before = written(tmp_path).fetch()
    head, *rest = LIST.splitlines(keepends=True)
    after = written(tmp_path, [head, *rest[4:], *rest[:4]]).fetch()
    assert {s.id: s.url for s in before.streams} == {s.id: s.url for s in after.streams}
    assert {c.id for c in before.channels} == {c.id for c in after.channels}


def test_a_playlist_is_read_from_its_address_compressed_or_not() -> None:
    for body in (LIST.encode(), gzip.compress(LIST.encode())):
        with serving(body) as address:
            assert len(Playlist(f"{address}/get.php?password=pa55word").fetch().streams) == 3


def test_unreadable_lines_are_skipped_counted_and_named_without_their_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broken, "MOST_NAMED", 2)
    snapshot = written(tmp_path, [LIST, *["pa55word\n"] * 5]).fetch()
    assert snapshot.broken == [
        ("line 10", "neither a comment nor a URL"),
        ("line 11", "neither a comment nor a URL"),
        ("3 more lines", "could not be read either"),
    ]


def test_films_and_episodes_are_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    films = "#EXTINF:-1,Film\nhttp://tv.test/movie/u/p/9.mkv\n#EXTINF:-1,S01E01\nhttp://tv.test/series/u/p/8.mp4\n"
    assert len(written(tmp_path, [LIST, films]).fetch().streams) == 3
    assert "left out 2 films" in caplog.text


@pytest.mark.parametrize("text", ["", "#EXTM3U\n", "<!DOCTYPE html>\n<title>Welcome</title>\n"])
def test_a_file_without_a_stream_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(SourceRefused, match="holds no stream"):
        written(tmp_path, text).fetch()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable, match=r"missing\.m3u cannot be read: No such file"):
        Playlist(str(tmp_path / "missing.m3u")).fetch()


@pytest.mark.parametrize(("status", "error"), [(403, SourceRefused), (404, SourceRefused), (503, SourceUnavailable)])
def test_the_error_of_an_address_hides_its_password(status: int, error: type[Exception]) -> None:
    with serving(b"no", status) as address:
        playlist = Playlist(f"{address}/get.php?username=u&password=pa55word")
        with pytest.raises(error, match=str(status)) as failed:
            playlist.fetch()
    assert "pa55word" not in f"{failed.value}{playlist!r}{playlist.name}"


def test_a_download_that_is_cut_off_is_an_error() -> None:
    with serving(LIST.encode(), length=10_000) as address, pytest.raises(SourceUnavailable):
        Playlist(address).fetch()


def test_a_file_may_be_named_by_its_url(tmp_path: Path) -> None:
    file = tmp_path / "my list.m3u"
    file.write_text(LIST)
    assert Playlist(file.as_uri()).summary().endswith("4 streams")


def test_only_the_owner_can_read_a_stored_playlist(tmp_path: Path) -> None:
    m3u.store_playlist(io.BytesIO(LIST.encode()), tmp_path)
    m3u.store_playlist(io.BytesIO(b""), tmp_path)
    assert m3u.stored_playlist(tmp_path).read_text() == LIST
    assert m3u.stored_playlist(tmp_path).stat().st_mode & 0o077 == 0
    assert [file.name for file in tmp_path.iterdir()] == ["playlist.m3u"]


def test_reading_forty_megabytes_line_by_line_takes_little_memory(tmp_path: Path) -> None:
    playlist = written(tmp_path, (f"#EXTINF:-1,A\nhttp://tv.test/{i}/{'x' * 400}\n" for i in range(100_000)))
    tracemalloc.start()
    count = sum(1 for _ in playlist.entries())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 100_000
    assert peak < 2_000_000


def test_a_playlist_of_too_many_streams_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "MOST_STREAMS", 3)
    file = tmp_path / "list.m3u"
    # The same address again and again takes memory too.
    file.write_text("#EXTM3U\n" + "#EXTINF:-1,One\nhttp://tv.test/1\n" * 3)
    assert len(Playlist(str(file)).fetch().streams) == 1
    file.write_text("#EXTM3U\n" + "#EXTINF:-1,One\nhttp://tv.test/1\n" * 4)
    with pytest.raises(SourceRefused, match="more than 3 live streams"):
        Playlist(str(file)).fetch()


def test_films_take_no_memory(tmp_path: Path) -> None:
    def peak(films: int) -> int:
        file = tmp_path / f"{films}.m3u.gz"
        with gzip.open(file, "wt", compresslevel=1) as out:
            out.write("#EXTM3U\n#EXTINF:-1,News\nhttp://tv.test/live/u/p/1.ts\n")
            for n in range(films):
                out.write(f'#EXTINF:-1 group-title="Films",Film {n}\nhttp://tv.test/movie/u/p/{n}.mkv\n')
        tracemalloc.start()
        try:
            assert len(Playlist(str(file), 1).fetch().streams) == 1
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(10)
    assert peak(20_000) - peak(1_000) < 1_000_000
