"""Loudness of the sound: silence and clipping, from a part of the decoded frames."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from operator import mul
from typing import Any

from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

# Below this a programme cannot be heard: -60 dB of full scale.
SILENT_LEVEL = 0.001
# A frame is clipped when this share of its samples comes this close to full scale.
CLIPPED_LEVEL = 0.985
CLIPPED_SHARE = 0.02
# Every n-th sample shows the loudness as well as all of them.
STEP = 4
# PyAV reads beyond libav's table of planes where it is full, that is from eight planes on.
MAX_PLANES = 7

# Type code and full scale of libav's sample formats, packed and planar alike.
_FORMATS = {"flt": ("f", 1.0), "dbl": ("d", 1.0), "s16": ("h", 32768.0), "s32": ("i", 2147483648.0)}


@dataclass
class AudioLevels:
    """The levels heard so far, as shares of full scale.

    ``frames`` counts the frames heard; ``silent``, ``clipped`` and ``digital_zero`` those of them that were so.
    """

    frames: int = 0
    silent: int = 0
    clipped: int = 0
    digital_zero: int = 0
    first: float | None = None
    last: float | None = None
    _squares: list[float] = field(default_factory=list)

    def hear(self, frame: AudioFrame, at: float) -> None:
        """Add a decoded frame; ``at`` is its media time in seconds."""
        kind = _FORMATS.get(frame.format.name.removesuffix("p"))
        if kind is None:
            return
        code, scale = kind
        peak, squares, count, cut = 0.0, 0.0, 0, 0
        for samples in _channels(frame, code):
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
        square = squares / count
        self.frames += 1
        self.silent += math.sqrt(square) < SILENT_LEVEL
        self.digital_zero += peak == 0
        self.clipped += cut / count > CLIPPED_SHARE
        self._squares.append(square)
        self.first = at if self.first is None else self.first
        self.last = at

    @property
    def silent_ratio(self) -> float | None:
        """The share of the frames that are silent; None where nothing was heard."""
        return round(self.silent / self.frames, 3) if self.frames else None

    @property
    def clipped_ratio(self) -> float | None:
        """The share of the frames that are clipped; None where nothing was heard."""
        return round(self.clipped / self.frames, 3) if self.frames else None

    @property
    def evidence_s(self) -> float:
        """Seconds of media from the first frame heard to the last."""
        return 0.0 if self.first is None or self.last is None else self.last - self.first

    @property
    def loudness_db(self) -> float | None:
        """Mean loudness in dB of full scale (RMS); None where nothing but digital zero was heard."""
        if not any(self._squares):
            return None
        return round(10 * math.log10(sum(self._squares) / len(self._squares)), 1)


def _channels(frame: AudioFrame, code: str) -> Iterator[array[Any]]:
    """Yield the samples of each channel."""
    channels = frame.layout.nb_channels
    if frame.format.is_planar and channels > MAX_PLANES:
        packed = AudioResampler(frame.format.name.removesuffix("p"), frame.layout, frame.sample_rate)
        for converted in packed.resample(frame):
            yield from _channels(converted, code)
    elif frame.format.is_planar:
        for plane in frame.planes:
            yield array(code, bytes(plane))[: frame.samples]
    else:
        samples = array(code, bytes(frame.planes[0]))[: frame.samples * channels]
        for channel in range(channels):
            yield samples[channel::channels]
