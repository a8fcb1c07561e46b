"""The promises of a stream's name are compared with what was measured."""

from __future__ import annotations

import pytest

from streamflow.probing.judgement import label


@pytest.mark.parametrize(
    ("name", "size", "mismatch"),
    [
        ("Sport 4K", (1920, 1080), "named 4K, measured 1080p"),
        ("UHD: Sport", (3840, 2160), None),
        ("Cinema 4K scope", (3840, 1608), None),
        ("UK| News FHD", (1280, 720), "named FHD, measured 720p"),
        ("News 1080p", (1920, 800), None),
        ("News HD", (720, 576), "named HD, measured 576p"),
        ("News HD", (960, 540), "named HD, measured 540p"),
        ("Cinema HD scope", (1280, 536), None),
        ("Demo 8K", (3840, 2160), "named 8K, measured 2160p"),
        ("ES_News_HD_", (720, 576), "named HD, measured 576p"),
        ("Adhesive channel", (720, 576), None),
        ("News", (720, 576), None),
    ],
)
def test_the_promised_size_is_compared(name: str, size: tuple[int, int], mismatch: str | None) -> None:
    assert label.mismatch(name, *size, "h264", None, interlaced=False) == mismatch


def test_interlaced_lines_are_named_so() -> None:
    assert label.mismatch("News HD", 720, 576, "h264", None, interlaced=True) == "named HD, measured 576i"


@pytest.mark.parametrize(
    ("name", "codec", "mismatch"),
    [
        ("Movies HEVC", "h264", "named HEVC, measured h264"),
        ("Movies H.265", "h264", "named HEVC, measured h264"),
        ("Movies x265", "hevc", None),
        ("Movies", "h264", None),
    ],
)
def test_the_promised_codec_is_compared(name: str, codec: str, mismatch: str | None) -> None:
    assert label.mismatch(name, 1920, 1080, codec, None, interlaced=False) == mismatch


@pytest.mark.parametrize(("hdr", "mismatch"), [(None, "named HDR, measured SDR"), ("hlg", None)])
def test_promised_hdr_is_compared(hdr: str | None, mismatch: str | None) -> None:
    assert label.mismatch("Movies HDR10", 3840, 2160, "hevc", hdr, interlaced=False) == mismatch


def test_radio_is_recognised_by_a_word_of_its_own() -> None:
    assert label.says_radio("Radio One")
    assert not label.says_radio("Radiology TV")
