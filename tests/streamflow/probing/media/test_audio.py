"""Silent and clipping sound is recognized in every format of decoders."""

from __future__ import annotations

import math
from array import array

import pytest
from av.audio.frame import AudioFrame

from streamflow.probing.media.audio import AudioLevels

CODES = {"flt": ("f", 1.0), "s16": ("h", 32767), "s32": ("i", 2147483647), "dbl": ("d", 1.0)}


def frame(kind: str, level: float, samples: int = 960) -> AudioFrame:
    """Return a stereo sine at ``level`` of full scale."""
    code, scale = CODES[kind.removesuffix("p")]
    made = AudioFrame(format=kind, layout="stereo", samples=samples)
    made.sample_rate = 48000
    wave = [max(-1.0, min(1.0, level * math.sin(at / 12))) * scale for at in range(samples)]
    values = wave if kind.endswith("p") else [value for value in wave for _ in range(2)]
    data = array(code, [value if code in "fd" else int(value) for value in values]).tobytes()
    for plane in made.planes:
        plane.update(data.ljust(plane.buffer_size, b"\0"))
    return made


def heard(kind: str, level: float) -> AudioLevels:
    sound = AudioLevels()
    for number in range(20):
        sound.hear(frame(kind, level), number / 10)
    return sound


@pytest.mark.parametrize("kind", ["flt", "fltp", "s16", "s16p", "s32", "s32p", "dbl", "dblp"])
def test_loudness_is_the_same_in_every_format(kind: str) -> None:
    sound = heard(kind, 0.5)
    assert sound.loudness_db == pytest.approx(-9.0, abs=0.2)
    assert (sound.silent_ratio, sound.clipped_ratio) == (0.0, 0.0)
    assert sound.evidence_s == pytest.approx(1.9)


def test_digital_silence_has_no_loudness() -> None:
    sound = heard("fltp", 0.0)
    assert (sound.silent_ratio, sound.loudness_db, sound.digital_zero) == (1.0, None, 20)


def test_sound_that_cannot_be_heard_is_silent_and_a_quiet_programme_is_not() -> None:
    assert heard("s16", 0.0005).silent_ratio == 1.0
    assert heard("s16", 0.01).silent_ratio == 0.0


def test_sound_that_is_cut_off_at_full_scale_clips() -> None:
    assert heard("fltp", 4.0).clipped_ratio == 1.0


def test_nothing_heard_is_no_evidence() -> None:
    assert (
        AudioLevels().silent_ratio,
        AudioLevels().clipped_ratio,
        AudioLevels().evidence_s,
        AudioLevels().loudness_db,
    ) == (
        None,
        None,
        0,
        None,
    )
