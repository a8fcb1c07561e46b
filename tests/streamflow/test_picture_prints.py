"""Fingerprints in the comment of a JPEG."""

from __future__ import annotations

import io
from fractions import Fraction

import av
import pytest
from av.video.frame import VideoFrame

from streamflow.picture_prints import MOST, prints_of, with_prints
from streamflow.probing.media.thumbnail import thumbnail

PRINTS = (0, 1, 2**64 - 1)


@pytest.fixture(scope="module")
def jpeg() -> bytes:
    made = thumbnail(VideoFrame(64, 36, "yuv420p"), Fraction(1))
    assert made
    return made


def test_a_picture_with_fingerprints_is_still_a_picture(jpeg: bytes) -> None:
    marked = with_prints(jpeg, PRINTS)
    assert prints_of(marked) == PRINTS
    with av.open(io.BytesIO(marked)) as opened:
        assert next(opened.decode(video=0)).width == 320


def test_the_number_of_fingerprints_is_bounded_and_none_changes_nothing(jpeg: bytes) -> None:
    assert len(prints_of(with_prints(jpeg, range(100)))) == MOST
    assert with_prints(jpeg, ()) == jpeg
    assert prints_of(jpeg) == ()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xd8\xff\xfe",
        b"\xff\xd8\xff\xfe\xff\xffstreamflow ",
        b"\xff\xd8\xff\xfe\x00\x00streamflow " + b"0" * 16,
        b"\xff\xd8\xff\xfe\x00\x1cstreamflow " + b"z" * 16,
        b"\xff\xd8\xff\xfe\x00\x12another one here",
    ],
)
def test_other_comments_have_no_fingerprints(data: bytes) -> None:
    assert prints_of(data) == ()
