"""The boxes of an ISO media file as it comes: what its description says, and where another one begins.

Boxes by ISO/IEC 14496-12; common encryption by ISO/IEC 23001-7; Dolby Vision by "Dolby Vision Streams within the ISO
Base Media File Format".
"""

from __future__ import annotations

import re

_SHORT_HEAD, _LONG_HEAD = 8, 16
# A description with the index of a film of many hours is smaller.
MAX_DESCRIPTION_BYTES = 8_000_000
_ENCRYPTED = (b"encv", b"enca", b"pssh")
_DOLBY_VISION = (b"dvcC", b"dvvC", b"dvwC")
# A sample description box: its version, the number of entries, the first entry's size and its four-character code.
_ENTRY = re.compile(rb"stsd\0...\0\0\0.....([ -~]{4})", re.DOTALL)
_NAMES = {
    "ac-4": "ac4", "mha1": "mpegh_3d_audio", "mhm1": "mpegh_3d_audio", "dtsx": "dts_x", "dtsc": "dts", "dtse": "dts",
    "dtsh": "dts_hd", "dtsl": "dts_hd", "avs3": "avs3", "avst": "avs2", "vvc1": "vvc", "vvi1": "vvc", "evc1": "evc",
    "lvc1": "lcevc",
}  # fmt: skip


class IsoBoxes:
    """Follows the boxes of a file in chunks of any size.

    ``is_encrypted`` and ``has_dolby_vision`` say what the description holds; ``codecs`` names the codec of each track
    in order.
    """

    def __init__(self) -> None:
        self.is_encrypted = False
        self.has_dolby_vision = False
        self.codecs: list[str] = []
        self._is_iso: bool | None = None
        self._head = b""
        self._left = 0
        self._kind = b""
        self._has_media = False
        self._is_described = False
        self._description = bytearray()

    def take(self, chunk: bytes) -> list[int]:
        """Read a chunk.

        :returns: the offsets in the chunk at which another file begins; negative where that lies in an earlier chunk.
        """
        starts: list[int] = []
        at = 0
        while at < len(chunk) and self._is_iso is not False:
            if self._left:
                at = self._pass(chunk, at)
                continue
            needed = _LONG_HEAD if self._head[:4] == b"\0\0\0\1" and len(self._head) >= _SHORT_HEAD else _SHORT_HEAD
            piece = chunk[at : at + needed - len(self._head)]
            self._head += piece
            at += len(piece)
            if len(self._head) >= needed and (needed == _LONG_HEAD or self._head[:4] != b"\0\0\0\1"):
                self._begin(at - len(self._head), starts)
        return starts

    def _begin(self, offset: int, starts: list[int]) -> None:
        head, self._head = self._head, b""
        size, self._kind = int.from_bytes(head[:4]), head[4:8]
        if self._is_iso is None:
            self._is_iso = self._kind in (b"ftyp", b"styp", b"moov", b"moof", b"sidx", b"emsg", b"free")
        if size == 1:
            size = int.from_bytes(head[8:16])
        # A size of zero lasts to the end of the file.
        self._left = size - len(head) if size else 1 << 62
        if self._left < 0:
            self._is_iso = False
        elif self._kind in (b"moof", b"mdat"):
            self._has_media = True
        elif self._kind in (b"ftyp", b"moov"):
            # A description that comes after its media is not another file's.
            if self._has_media and self._is_described:
                starts.append(offset)
                self._has_media = self._is_described = False
            self._is_described = self._is_described or self._kind == b"moov"

    def _pass(self, chunk: bytes, at: int) -> int:
        """Go on in the box; keep its bytes where it is a description."""
        end = min(len(chunk), at + self._left)
        self._left -= end - at
        if self._kind in (b"moov", b"moof") and len(self._description) < MAX_DESCRIPTION_BYTES:
            self._description += chunk[at:end]
        if not self._left and self._description:
            self._describe(bytes(self._description))
            self._description.clear()
        return end

    def _describe(self, description: bytes) -> None:
        self.is_encrypted = self.is_encrypted or any(name in description for name in _ENCRYPTED)
        self.has_dolby_vision = self.has_dolby_vision or any(name in description for name in _DOLBY_VISION)
        if self._kind == b"moov":
            codes = (entry.decode("ascii").lower() for entry in _ENTRY.findall(description))
            self.codecs = [_NAMES.get(code, code.strip()) for code in codes]
