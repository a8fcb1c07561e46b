"""MPEG-2 video in field pictures (ISO/IEC 13818-2, 6.2 and 7), which no encoder at hand makes.

Intra blocks have a mean alone, and predicted fields repeat the field before. That is enough for any decoder.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from lab import mpegts

WIDTH, HEIGHT, FPS = 352, 288, 25
COLUMNS, ROWS = WIDTH // 16, HEIGHT // 32
INTRA, PREDICTED = 1, 2
TOP, BOTTOM = 1, 2
# Codes of the size of a difference (tables B.12 and B.13).
LUMA = ("100", "00", "01", "101", "110", "1110", "11110", "111110", "1111110")
CHROMA = ("00", "01", "10", "110", "1110", "11110", "111110", "1111110", "11111110")
END_OF_BLOCK = "10"

Shade = Callable[[int, int], int]


def _unit(code: int, *fields: tuple[int, int]) -> bytes:
    """Return a start code with fields of (value, bits) behind it."""
    return _start(code, "".join(f"{value:0{bits}b}" for value, bits in fields))


def _start(code: int, bits: str) -> bytes:
    padded = bits.ljust(-(-len(bits) // 8) * 8, "0")
    return b"\x00\x00\x01" + bytes((code,)) + int(padded, 2).to_bytes(len(padded) // 8, "big")


def _difference(value: int, sizes: tuple[str, ...]) -> str:
    size = abs(value).bit_length()
    bits = value if value > 0 else value + (1 << size) - 1
    return sizes[size] + (f"{bits:0{size}b}" if size else "") + END_OF_BLOCK


def _intra_slice(row: int, shade: Shade) -> bytes:
    bits, before = "000100", 128
    for column in range(COLUMNS):
        level = shade(row, column)
        bits += "11" + _difference(level - before, LUMA) + _difference(0, LUMA) * 3 + _difference(0, CHROMA) * 2
        before = level
    return _start(row + 1, bits)


def _predicted_slice(row: int, parity: int) -> bytes:
    # Each block is the same place of the first field: a vector of zero, and no difference.
    reference = "0" if parity == BOTTOM else "1"
    return _start(row + 1, "000100" + ("1" + "001" + "01" + reference + "11") * COLUMNS)


def field(kind: int, parity: int, number: int, shade: Shade) -> bytes:
    """Return a field picture.

    :param kind: INTRA, or PREDICTED from the field of the other parity.
    :param number: the number of its frame within the group.
    :param shade: returns the grey level at a row and column of blocks.
    """
    forward = [(0, 1), (7, 3)] if kind == PREDICTED else []
    head = _unit(0x00, (number, 10), (kind, 3), (0xFFFF, 16), *forward, (0, 1))
    ranges = [(1, 4)] * 2 + [(15, 4)] * 2 if kind == PREDICTED else [(15, 4)] * 4
    head += _unit(0xB5, (8, 4), *ranges, (0, 2), (parity, 2), (0, 10))
    rows = range(ROWS)
    slices = (_intra_slice(row, shade) if kind == INTRA else _predicted_slice(row, parity) for row in rows)
    return head + b"".join(slices)


def group_start() -> bytes:
    """Return the headers before a key picture."""
    sequence = _unit(0xB3, (WIDTH, 12), (HEIGHT, 12), (3, 4), (3, 4), (10_000, 18), (1, 1), (112, 10), (0, 3))
    sequence += _unit(0xB5, (1, 4), (0x48, 8), (0, 1), (1, 2), (0, 4), (0, 12), (1, 1), (0, 8), (0, 1), (0, 7))
    return sequence + _unit(0xB8, (0, 12), (1, 1), (0, 12), (1, 1), (0, 1))


def stream(seconds: int, *, pair: tuple[int, int], in_one_packet: bool, is_still: bool = False) -> bytes:
    """Return a transport stream of field pairs, with a key picture every 12 frames.

    :param pair: the kinds of the fields of a key picture; the other pictures are predicted.
    :param in_one_packet: whether both fields share a PES packet.
    :param is_still: whether all key pictures are the same.
    """
    units: list[mpegts.Unit] = []
    for number in range(seconds * FPS):
        place, group = number % 12, 0 if is_still else number // 12
        noise = random.Random(group)
        levels = [noise.randrange(40, 200) for _ in range(ROWS * COLUMNS)]
        shade = lambda row, column, levels=levels: levels[row * COLUMNS + column]  # noqa: E731
        kinds = pair if place == 0 else (PREDICTED, PREDICTED)
        fields = [field(kind, parity, place, shade) for kind, parity in zip(kinds, (TOP, BOTTOM), strict=True)]
        fields[0] = group_start() + fields[0] if place == 0 else fields[0]
        time = round(number * mpegts.CLOCK / FPS)
        later = time + mpegts.CLOCK // FPS // 2
        if in_one_packet:
            units.append(mpegts.Unit(0x100, time, time, b"".join(fields), key=place == 0))
        else:
            units.append(mpegts.Unit(0x100, time, time, fields[0], key=place == 0))
            units.append(mpegts.Unit(0x100, later, later, fields[1]))
    return bytes(mpegts.Multiplexer([mpegts.Track(0x100, 0x02, 0xE0)], "fields").write(units).data)
