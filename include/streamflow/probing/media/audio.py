"""Silent and clipping sound, from a part of the decoded frames."""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass, field
from operator import mul

from av.audio.frame import AudioFrame

# Below this a programme can't be heard: -60 dB of full scale.
SILENT_LEVEL = 0.001
# Samples this close to full scale, in such a share of a frame, are cut off.
CLIPPED_LEVEL = 0.985
CLIPPED_SHARE = 0.02
# Every n-th sample tells loudness as well as all of them.
STEP = 4

# Type code and full scale of libav's sample formats, packed and planar alike.
_FORMATS = {"flt": ("f", 1.0), "dbl": ("d", 1.0), "s16": ("h", 32768.0), "s32": ("i", 2147483648.0)}


@dataclass
class AudioLevels:
    """What was heard so far; levels are shares of full scale."""

    frames: int = 0
    silent: int = 0
    clipped: int = 0
    digital_zero: int = 0
    peak: float = 0.0
    first: float | None = None
    last: float | None = None
    _squares: list[float] = field(default_factory=list)

    def hear(self, frame: AudioFrame, at: float) -> None:
        kind = _FORMATS.get(frame.format.name.removesuffix("p"))
        if kind is None:
            return
        code, scale = kind
        planes = frame.planes if frame.format.is_planar else frame.planes[:1]
        peak, squares, count, cut = 0.0, 0.0, 0, 0
        for plane in planes:
            samples = array(code, bytes(plane))
            if not frame.format.is_planar:
                samples = samples[: frame.samples * frame.layout.nb_channels]
            else:
                samples = samples[: frame.samples]
            taken = samples[::STEP]
            if not taken:
                continue
            loudest = max(max(taken), -min(taken))
            peak = max(peak, loudest / scale)
            squares += sum(map(mul, taken, taken)) / (scale * scale)
            count += len(taken)
            bound = CLIPPED_LEVEL * scale
            if loudest >= bound:
                cut += sum(1 for value in taken if value >= bound or value <= -bound)
        if not count:
            return
        loudness = math.sqrt(squares / count)
        self.frames += 1
        self.silent += loudness < SILENT_LEVEL
        self.digital_zero += peak == 0
        self.clipped += cut / count > CLIPPED_SHARE
        self.peak = max(self.peak, peak)
        self._squares.append(loudness * loudness)
        self.first = at if self.first is None else self.first
        self.last = at

    @property
    def silent_ratio(self) -> float | None:
        return round(self.silent / self.frames, 3) if self.frames else None

    @property
    def clipped_ratio(self) -> float | None:
        return round(self.clipped / self.frames, 3) if self.frames else None

    @property
    def evidence_s(self) -> float:
        return 0.0 if self.first is None or self.last is None else self.last - self.first

    @property
    def loudness_db(self) -> float | None:
        """Mean loudness in dB of full scale (RMS); None where nothing but digital zero was heard."""
        if not self._squares or not any(self._squares):
            return None
        return round(10 * math.log10(sum(self._squares) / len(self._squares)), 1)
