"""Black, frozen and repeating pictures are recognized, and a thumbnail shows the picture."""

from __future__ import annotations

import io
import random
from dataclasses import replace
from fractions import Fraction

import av
import pytest
from av.video.frame import VideoFrame

from streamflow.probing.media.freeze import IDLE_BITS, LIVE_BITS, picture_statistics
from streamflow.probing.media.luma import HEIGHT, WIDTH, Picture, Scaler
from streamflow.probing.media.thumbnail import thumbnail
from streamflow.probing.target import MAX_THUMBNAIL_BYTES

SIZE = WIDTH * HEIGHT


def grey(level: int) -> bytes:
    return bytes((level,)) * SIZE


def noisy(seed: int, spread: int = 60) -> bytes:
    noise = random.Random(seed)
    return bytes(noise.randrange(100, 100 + spread) for _ in range(SIZE))


def sample(*greys: bytes, step: float = 1.0) -> list[Picture]:
    return [Picture(number * step, each) for number, each in enumerate(greys)]


def frame(luma: bytes, width: int, height: int) -> VideoFrame:
    made = VideoFrame(width, height, "yuv420p")
    line = made.planes[0].line_size
    rows = (luma[row * width : (row + 1) * width].ljust(line, b"\0") for row in range(height))
    made.planes[0].update(b"".join(rows))
    for plane in made.planes[1:]:
        plane.update(b"\x80" * plane.buffer_size)
    return made


def test_different_pictures_are_alive() -> None:
    statistics = picture_statistics(sample(*(noisy(seed) for seed in range(8))))
    assert (statistics.black_ratio, statistics.frozen_ratio, statistics.period_s, statistics.evidence_s) == (
        0.0,
        0.0,
        None,
        7.0,
    )


def test_the_same_picture_with_the_trace_of_encoding_is_frozen() -> None:
    still = noisy(1)
    again = bytes(level + 2 for level in still)
    assert picture_statistics(sample(still, again, still, again)).frozen_ratio == 1.0


def test_a_still_scene_with_a_live_cameras_noise_is_not_frozen() -> None:
    scenes = [bytes(level + random.Random(seed).randrange(9) for level in noisy(0)) for seed in range(6)]
    scenes = [scene[:-1] + bytes((seed * 20,)) for seed, scene in enumerate(scenes)]
    assert picture_statistics(sample(*scenes)).frozen_ratio == 0.0


def test_a_loop_of_pictures_is_frozen_with_its_period() -> None:
    a, b, c = noisy(1), noisy(2), noisy(3)
    statistics = picture_statistics(sample(a, b, c, a, b, c, a, step=2.0))
    assert (statistics.frozen_ratio, statistics.period_s) == (1.0, 6.0)


def test_a_picture_frozen_in_part_of_the_sample_is_frozen_in_that_share() -> None:
    assert picture_statistics(sample(noisy(1), noisy(2), noisy(3), noisy(3), noisy(3))).frozen_ratio == 0.5


def test_damaged_pictures_are_no_evidence() -> None:
    whole = sample(*(noisy(seed) for seed in range(3)))
    damaged = [replace(picture, at=picture.at + 3, is_whole=False) for picture in sample(grey(0), grey(0), grey(0))]
    assert picture_statistics([*whole, *damaged]) == picture_statistics(whole)
    assert picture_statistics(damaged).frozen_ratio is None


def test_a_still_picture_that_takes_bits_is_alive() -> None:
    still = sample(*[noisy(1)] * 6)
    assert picture_statistics(still, residue=LIVE_BITS).frozen_ratio == 0.0
    assert picture_statistics(still, residue=LIVE_BITS / 2).frozen_ratio == 1.0
    # Noise that now and then is more than the tolerance looks like a loop.
    faint = [bytes(level + 5 * (number % 2) for level in noisy(1)) for number in range(6)]
    assert picture_statistics(sample(*faint), residue=LIVE_BITS).frozen_ratio == 0.0


def test_a_visible_loop_is_frozen_whatever_its_bits() -> None:
    a, b = noisy(1), noisy(2)
    assert picture_statistics(sample(a, b, a, b, a, b), residue=1.0).frozen_ratio == 1.0


def test_two_pictures_are_no_evidence_of_a_still() -> None:
    assert picture_statistics(sample(grey(90), grey(90))).frozen_ratio is None
    assert picture_statistics([]).black_ratio is None


def logo(at: int = 0) -> bytes:
    made = bytearray(grey(0))
    made[at : at + 60] = b"\xff" * 60
    return bytes(made)


def test_a_logo_on_black_is_still_black() -> None:
    assert picture_statistics(sample(*[logo()] * 6, grey(4), grey(0))).black_ratio == 1.0


@pytest.mark.parametrize(
    "shown",
    [
        [logo(64 * number) for number in range(8)],
        [
            bytes(200 if random.Random(place + seed).random() < 0.01 else 3 for place in range(SIZE))
            for seed in range(8)
        ],
    ],
    ids=["digits", "stars"],
)
def test_lights_that_move_on_black_are_not_black(shown: list[bytes]) -> None:
    assert picture_statistics(sample(*shown)).black_ratio == 0.0


def touched(picture: bytes, places: int, by: int) -> bytes:
    return bytes(level + by * (place < places) for place, level in enumerate(picture))


def test_a_slate_is_frozen_although_its_key_pictures_differ_a_little_where_nothing_is_sent_between_them() -> None:
    slate = noisy(1)
    shown = sample(slate, touched(slate, 9, 5), slate, touched(slate, 9, 5), touched(slate, 3, 4), slate)
    assert picture_statistics(shown, residue=0.0001).frozen_ratio == 1.0
    assert (picture_statistics(shown, residue=IDLE_BITS).frozen_ratio or 0.0) < 0.95


def test_a_clock_on_a_slate_is_not_frozen_however_few_bits_it_takes() -> None:
    slate = noisy(1)
    shown = sample(*(touched(slate, number * 4, 40) for number in range(6)))
    assert picture_statistics(shown, residue=0.0001).frozen_ratio == 0.0


def test_a_dark_scene_is_not_black() -> None:
    scene = grey(10)[: SIZE * 8 // 10] + b"\x50" * (SIZE // 5 + 1)
    assert picture_statistics(sample(scene[:SIZE], scene[:SIZE])).black_ratio == 0.0


@pytest.mark.parametrize(("luma", "level"), [(16, 0), (235, 255)])
def test_the_range_of_video_is_stretched_to_the_full_one(luma: int, level: int) -> None:
    picture = Scaler().small(frame(bytes((luma,)) * (320 * 180), 320, 180), 1.5)
    assert len(picture.grey) == SIZE
    assert abs(picture.grey[0] - level) <= 1
    assert picture.at == 1.5


@pytest.mark.parametrize(("width", "height"), [(1920, 1080), (720, 576), (322, 1000)])
def test_a_thumbnail_is_a_small_thumbnail(width: int, height: int) -> None:
    shade = b"".join(bytes((row * 255 // height,)) * width for row in range(height))
    data = thumbnail(frame(shade, width, height))
    assert data is not None
    assert len(data) <= MAX_THUMBNAIL_BYTES
    with av.open(io.BytesIO(data)) as image:
        assert next(image.decode(video=0)).width == 320


@pytest.mark.parametrize(("points", "height"), [((1, 1), 256), ((64, 45), 180), ((1, 100000), 640), ((100000, 1), 2)])
def test_a_thumbnail_has_the_shape_that_is_watched(points: tuple[int, int], height: int) -> None:
    data = thumbnail(frame(bytes((90,)) * (720 * 576), 720, 576), Fraction(*points))
    with av.open(io.BytesIO(data or b"")) as image:
        assert next(image.decode(video=0)).height == height


def test_a_picture_that_cannot_be_made_small_gives_no_thumbnail() -> None:
    assert thumbnail(frame(random.Random(0).randbytes(320 * 640), 320, 640)) is None
