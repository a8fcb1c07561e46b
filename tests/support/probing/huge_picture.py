"""A picture of H.264 of any size in a few hundred bytes: a decoder that takes it makes up all of it."""

from __future__ import annotations

_BLOCK = 16


class _Bits:
    """Writes bits, unsigned and signed numbers as ITU-T H.264, clause 9.1 codes them."""

    def __init__(self) -> None:
        self._bits = ""

    def fixed(self, value: int, count: int) -> _Bits:
        self._bits += format(value, f"0{count}b")
        return self

    def golomb(self, *values: int) -> _Bits:
        for value in values:
            binary = format(value + 1, "b")
            self._bits += "0" * (len(binary) - 1) + binary
        return self

    def unit(self, kind: int, more: bytes = b"") -> bytes:
        """Return a unit of the stream with the stop bit, and bytes without meaning behind it."""
        bits = self._bits + "1"
        bits += "0" * (-len(bits) % 8)
        payload = int(bits, 2).to_bytes(len(bits) // 8, "big") + more
        # Emulation prevention (7.4.1.1).
        for last in (0, 1, 2, 3):
            payload = payload.replace(bytes((0, 0, last)), bytes((0, 0, 3, last)))
        return b"\0\0\0\1" + bytes((0x60 | kind,)) + payload


def huge_picture(width: int, height: int) -> bytes:
    """Return a key picture whose data are damaged from the first block on."""
    sequence = _Bits().fixed(66, 8).fixed(0, 8).fixed(62, 8).golomb(0, 0, 2, 1).fixed(0, 1)
    sequence.golomb(width // _BLOCK - 1, height // _BLOCK - 1).fixed(1, 1).fixed(1, 1).fixed(0, 1).fixed(0, 1)
    picture = _Bits().golomb(0, 0).fixed(0, 2).golomb(0, 0, 0).fixed(0, 3).golomb(0, 0, 0).fixed(0, 3)
    # First block, type I, parameters, frame number (4 bits), id, no marks, no change of the quantizer.
    slice_ = _Bits().golomb(0, 7, 0).fixed(0, 4).golomb(0).fixed(0, 2).golomb(0)
    return sequence.unit(7) + picture.unit(8) + slice_.unit(5, b"\xa5" * 200)
