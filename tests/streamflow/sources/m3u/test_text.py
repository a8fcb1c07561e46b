"""Any bytes become lines: compression, encodings, line ends."""

from __future__ import annotations

import codecs
import gzip
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamflow.errors import SourceRefused, SourceUnavailable
from streamflow.sources.m3u import text
from streamflow.sources.m3u.text import lines

LINES = st.lists(st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp"))).map(str.strip), max_size=20)
WANTED = ["#EXTM3U", "#EXTINF:-1,Señal ä 中", "http://one.test/a"]


def read(data: bytes) -> list[str]:
    return list(lines(io.BytesIO(data)))


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    "encode",
    [
        str.encode,
        lambda whole: codecs.BOM_UTF8 + whole.encode(),
        lambda whole: whole.encode("utf-16"),
        lambda whole: codecs.BOM_UTF16_BE + whole.encode("utf-16-be"),
        lambda whole: gzip.compress(whole.encode()),
        lambda whole: gzip.compress(gzip.compress(codecs.BOM_UTF8 + whole.encode())),
        lambda whole: gzip.compress(whole[:9].encode()) + gzip.compress(whole[9:].encode()),
    ],
    ids=["utf-8", "bom", "utf-16", "utf-16-be", "gzip", "gzip twice", "gzip in parts"],
)
def test_lines_are_the_same_in_any_form(encode: object, end: str) -> None:
    assert read(encode(end.join(WANTED))) == WANTED  # type: ignore[operator]


def test_lines_may_have_different_encodings() -> None:
    assert read("Café\n".encode() + "Café\n".encode("cp1252")) == ["Café", "Café"]


@given(LINES, st.sampled_from(["\n", "\r\n"]), st.integers(1, 40))
def test_the_size_of_pieces_makes_no_difference(wanted: list[str], end: str, size: int) -> None:
    data = end.join([*wanted, ""]).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text, "PIECE_BYTES", size)
        found = read(data)
    # A piece that ends between CR and LF makes one more empty line.
    assert [line for line in found if line] == [line for line in wanted if line]


@given(st.binary(max_size=500))
def test_only_damaged_gzip_data_is_an_error(data: bytes) -> None:
    try:
        read(data)
    except SourceUnavailable:
        assert data.startswith(b"\x1f\x8b")


@pytest.mark.parametrize("cut", [-1, 12])
def test_gzip_data_that_is_cut_off_is_reported(cut: int) -> None:
    with pytest.raises(SourceUnavailable, match=r"gzip|cut off"):
        read(gzip.compress(b"#EXTM3U\n" * 100)[:cut])


def test_damaged_gzip_data_is_reported() -> None:
    data = bytearray(gzip.compress(bytes(range(256)) * 50))
    data[len(data) // 2] ^= 0xFF
    with pytest.raises(SourceUnavailable, match="gzip data cannot be read"):
        read(bytes(data))


def test_a_file_without_line_ends_is_not_a_playlist() -> None:
    with pytest.raises(SourceRefused, match="not a playlist"):
        read(b"\0" * (text.LINE_BYTES + text.PIECE_BYTES + 1))


def test_compressed_text_without_bounds_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "TEXT_BYTES", 10 << 20)
    with pytest.raises(SourceRefused, match="more than 10 MB"):
        read(gzip.compress(b"#EXTM3U\n" * (2 << 20)))
