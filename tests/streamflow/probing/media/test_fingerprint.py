"""Fingerprints of pictures: equal for another encoding of a picture, far apart for other pictures."""

from __future__ import annotations

import random

import pytest

from streamflow.probing.media.fingerprint import fingerprint, spread
from streamflow.probing.media.luma import HEIGHT, WIDTH, Picture


def scene(seed: int, *, noise: int = 0, lighter: int = 0) -> Picture:
    """Return a picture of light and dark patches, with the noise of an encoding, and lighter or darker as a whole."""
    chance = random.Random(seed)
    patches = [[chance.randrange(40, 200) for _ in range(13)] for _ in range(7)]
    errors = random.Random(seed + 1000)
    grey = bytes(
        patches[row * 7 // HEIGHT][column * 13 // WIDTH] + lighter + errors.randint(-noise, noise)
        for row in range(HEIGHT)
        for column in range(WIDTH)
    )
    return Picture(0.0, grey)


def distance(one: Picture, other: Picture) -> int:
    first, second = fingerprint(one), fingerprint(other)
    assert first is not None
    assert second is not None
    return (first ^ second).bit_count()


@pytest.mark.parametrize("seed", range(20))
def test_another_encoding_of_a_picture_is_near_and_another_picture_far(seed: int) -> None:
    assert distance(scene(seed), scene(seed, noise=12, lighter=20)) <= 4
    assert distance(scene(seed), scene(seed + 100)) >= 18


def test_pictures_that_show_nothing_have_no_fingerprint() -> None:
    black, grey = bytes(WIDTH * HEIGHT), bytes([120]) * (WIDTH * HEIGHT)
    ramp = bytes(column * 3 for _ in range(HEIGHT) for column in range(WIDTH))
    assert [fingerprint(Picture(0.0, one)) for one in (black, grey, ramp)] == [None] * 3
    assert fingerprint(Picture(0.0, scene(1).grey, is_whole=False)) is None


def test_fingerprints_are_spread_over_the_sample_and_each_comes_once() -> None:
    pictures = [scene(number // 2) for number in range(40)]
    found = spread(pictures, 8)
    assert len(found) == len(set(found)) == 8
    assert found[0] == fingerprint(pictures[0])
    assert spread([scene(1)] * 20, 8) == [fingerprint(scene(1))]
    assert spread([], 8) == []
