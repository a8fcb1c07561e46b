"""Compression of results in Redis."""

from __future__ import annotations

from hashlib import sha256

import pytest

from streamflow.records import AudioTrack, Result
from streamflow.udi.redis import packing
from streamflow.udi.redis.keys import LAYOUT
from support.udi_records import result, stream

WHOLE = result(
    10,
    url_hash=stream(10).url_hash,
    fps=25.0,
    video_codec="h264",
    video_profile="High",
    pixel_format="yuv420p",
    bitrate_kbps=6120,
    container="mpegts",
    audio=(AudioTrack(codec="aac", channels=2, sample_rate=48000, language="eng"),),
    black_ratio=0.0,
    frozen_ratio=0.01,
    silent_ratio=0.0,
    decode_errors=0,
    discontinuities=0,
    score=0.83,
)


@pytest.mark.parametrize(
    "given", [result(10, "dead"), WHOLE, result(1, detail="ü\n\0" * 9000, extra={"x": [1] * 9999})]
)
def test_a_packed_result_is_unpacked_unchanged(given: Result) -> None:
    assert packing.unpacked(packing.packed(given)) == given


def test_a_packed_result_takes_less_than_a_quarter_of_its_json() -> None:
    assert len(packing.packed(WHOLE)) < len(WHOLE.model_dump_json()) / 4


def test_the_dictionary_belongs_to_the_layout() -> None:
    assert (LAYOUT, sha256(packing.COMMON).hexdigest()[:16]) == ("2", "12af9c81f930a82a")
