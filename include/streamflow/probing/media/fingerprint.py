"""Fingerprints of pictures, by which the pictures of two streams are compared without their decoding.

The difference hash: a picture is averaged to 9 x 8 levels of grey, and each bit says whether a place is lighter than
the one to its right (N. Krawetz, "Kind of Like That", hackerfactor.com, 2013). The libraries that compute it need
NumPy, SciPy and Pillow, more than 100 MB; the small grey copies that the probe makes of each picture are all it takes.
"""

from __future__ import annotations

from collections.abc import Iterable

from streamflow.probing.media.luma import HEIGHT, WIDTH, Picture

COLUMNS, ROWS = 9, 8
# A picture with less detail, in levels of grey, has a fingerprint of noise.
LEAST_DETAIL = 1.5
# The shares of set bits of pictures that show something; those of mere gradients lie outside.
LEAST_BITS, MOST_BITS = 10, 54


def fingerprint(picture: Picture) -> int | None:
    """Return the 64 bits of a picture; None for one that shows too little or is damaged."""
    if not picture.is_whole or picture.is_dark or picture.detail < LEAST_DETAIL:
        return None
    grey, levels = picture.grey, []
    for row in range(ROWS):
        top, bottom = row * HEIGHT // ROWS, (row + 1) * HEIGHT // ROWS
        for column in range(COLUMNS):
            left, right = column * WIDTH // COLUMNS, (column + 1) * WIDTH // COLUMNS
            total = sum(sum(grey[line * WIDTH + left : line * WIDTH + right]) for line in range(top, bottom))
            levels.append(total / ((bottom - top) * (right - left)))
    bits = 0
    for row in range(ROWS):
        for column in range(COLUMNS - 1):
            place = row * COLUMNS + column
            bits = bits << 1 | (levels[place] > levels[place + 1])
    return bits if LEAST_BITS <= bits.bit_count() <= MOST_BITS else None


def spread(pictures: Iterable[Picture], most: int) -> list[int]:
    """Return the fingerprints of pictures that are spread over the sample, each once, in the order of their times."""
    whole = list(pictures)
    step = max(1, len(whole) // most)
    found = (fingerprint(picture) for picture in whole[::step])
    return list(dict.fromkeys(bits for bits in found if bits is not None))[:most]
