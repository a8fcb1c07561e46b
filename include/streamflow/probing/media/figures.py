"""The figures of a sample whose format may change: those of the format that lasted longest, never a mixture."""

from __future__ import annotations

from dataclasses import dataclass, field

from streamflow.probing.media import timing
from streamflow.probing.media.measurement import Measurement, VideoFormat
from streamflow.probing.media.timing import Clock, Mark
from streamflow.records import AudioTrack

# A bitrate is measured from key frame to key frame where these are at least this far apart.
KEY_SECONDS = 2.0
# Frame rates that differ by less are those of one format.
SAME_RATE = 0.02


@dataclass
class PartFigures:
    """The figures of one container; ``program_share`` is the share of its bytes that the measured program takes."""

    container: str
    programs: int = 0
    has_video: bool = False
    audio: list[AudioTrack] = field(default_factory=list)
    audio_layouts: list[str | None] = field(default_factory=list)
    subtitles: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    unsupported_video: str | None = None
    audio_clock: Clock | None = None
    program_share: float = 1.0

    def add_audio(self, track: AudioTrack, layout: str | None) -> None:
        """Add a track of sound."""
        self.audio.append(track)
        self.audio_layouts.append(layout)


@dataclass
class _Group:
    """The stretches of one format."""

    size: tuple[int | None, int | None]
    has_video: bool
    rate: float | None
    numbers: list[int] = field(default_factory=list)
    media_s: float = 0.0


class Figures:
    """Collects the time stamps and places of the main track, by stretch, and the formats and parts they belong to.

    ``clock`` is the main track's; its media time runs on from part to part.
    """

    def __init__(self, measurement: Measurement) -> None:
        self.clock = Clock()
        self.marks: list[Mark] = []
        self._measurement = measurement
        self._key_marks: list[Mark] = []
        # By the number of the first stretch that they hold for.
        self._formats: dict[int, VideoFormat] = {}
        self._parts: dict[int, PartFigures | None] = {}

    @property
    def media_s(self) -> float:
        """Seconds of media so far."""
        return self.clock.media_s

    @property
    def _number(self) -> int:
        return len(self.clock.stretches) - 1

    def begin_part(self) -> None:
        """Begin another container, whose time stamps begin anywhere."""
        if self._parts:
            self.clock.restart()
        self._parts[self._number] = None

    def end_part(self, part: PartFigures) -> None:
        """Set the figures of the container that was begun last, so far."""
        self._parts[max(self._parts)] = part

    def set_format(self, video_format: VideoFormat) -> None:
        """Set the format from here on."""
        since = [number for number in self._formats if number >= max(self._parts)]
        if since and self._formats[max(since)].size != video_format.size:
            if self.clock.stretches[-1].steps:
                self.clock.begin_stretch()
            since = []
        self._formats[max(since) if since else self._number] = video_format

    def note(self, place: int, arrived: float, *, is_key: bool) -> None:
        """Note where a packet of the main track stands, and when it arrived."""
        self._measurement.arrivals.append((arrived, self.clock.media_s))
        # Frames of sound share a packet of the container, and so its place: the first of them stands for its time.
        mark = Mark(place, self.clock.media_s, self._number)
        if not self.marks or place != self.marks[-1].offset:
            self.marks.append(mark)
        if is_key:
            self._key_marks.append(mark)

    def window_rates(self, least_s: float) -> tuple[list[float], list[float]]:
        """Return the bitrates of consecutive windows in kbit/s: from key frame to key frame, and of any packets."""
        return timing.window_rates(self._key_marks, least_s), timing.window_rates(self.marks, least_s)

    def conclude(self) -> None:
        """Write the figures into the measurement."""
        measurement, groups = self._measurement, self._groups()
        group = max(groups, key=lambda one: (one.has_video, one.media_s), default=None)
        parts = [part for part in self._parts.values() if part]
        clocks = [self.clock, *(part.audio_clock for part in parts if part.audio_clock)]
        # A jump is one of the whole program, seen by each of its tracks.
        measurement.discontinuities = max(clock.discontinuities for clock in clocks)
        measurement.media_s = self.clock.media_s
        if group is None:
            return
        number = max(group.numbers, key=lambda one: self.clock.stretches[one].media_s)
        part, measurement.format = self._part(number), self._format(number)
        interlaced = bool(measurement.format.interlaced)
        steps = [step for one in group.numbers for step in self.clock.stretches[one].steps]
        measurement.formats = len({(one.size, one.rate) for one in groups if one.has_video and one.rate})
        measurement.container, measurement.programs = part.container, part.programs
        measurement.audio, measurement.audio_layouts = part.audio, part.audio_layouts
        measurement.subtitles, measurement.unreadable = part.subtitles, part.unreadable
        measurement.unsupported_video = part.unsupported_video
        measurement.audio_kbps = part.audio_clock.kbps() if part.audio_clock else None
        rate = self._bitrate(set(group.numbers), part)
        measurement.bitrate_kbps = rate * part.program_share if rate else None
        if part.has_video:
            measurement.video_kbps = self.clock.kbps(group.numbers)
            measurement.fps, measurement.vfr = timing.frame_rate(steps, interlaced)
            if not measurement.video_packets and part.audio_clock:
                measurement.media_s = part.audio_clock.media_s

    def _groups(self) -> list[_Group]:
        groups: list[_Group] = []
        short: list[tuple[int, _Group]] = []
        for number, stretch in enumerate(self.clock.stretches):
            video_format, has_video = self._format(number), self._part(number).has_video
            rate = timing.frame_rate(stretch.steps, bool(video_format.interlaced))[0]
            one = _Group(video_format.size, has_video, rate, [number], stretch.media_s)
            group = next((group for group in groups if _is_same(group, one)), None)
            if rate is None:
                short.append((number, one))
            elif group is None:
                groups.append(one)
            else:
                group.numbers.append(number)
                group.media_s += stretch.media_s
        # A stretch that is too short for a rate goes with the longest of its size.
        for number, one in short:
            alike = [group for group in groups if (group.size, group.has_video) == (one.size, one.has_video)]
            if not alike:
                groups.append(one)
                continue
            longest = max(alike, key=lambda group: group.media_s)
            longest.numbers = sorted([*longest.numbers, number])
            longest.media_s += one.media_s
        return groups

    def _format(self, number: int) -> VideoFormat:
        """Return the format of a stretch; before its part's first picture, that of this picture."""
        begin = max((first for first in self._parts if first <= number), default=0)
        end = min((first for first in self._parts if first > number), default=self._number + 1)
        within = sorted(first for first in self._formats if begin <= first < end)
        before = [first for first in within if first <= number]
        chosen = before[-1:] or within[:1]
        return self._formats[chosen[0]] if chosen else VideoFormat()

    def _part(self, number: int) -> PartFigures:
        part = self._parts.get(max((first for first in self._parts if first <= number), default=0))
        return part or PartFigures("")

    def _bitrate(self, numbers: set[int], part: PartFigures) -> float | None:
        """Return the container's kilobits a second of media, from key frame to key frame where that is enough."""
        rates = []
        if part.has_video:
            rates.append(timing.bitrate([mark for mark in self._key_marks if mark.stretch in numbers], KEY_SECONDS))
        rates.append(timing.bitrate([mark for mark in self.marks if mark.stretch in numbers]))
        return next((rate for rate in rates if rate), None)


def _is_same(group: _Group, other: _Group) -> bool:
    if (group.size, group.has_video) != (other.size, other.has_video):
        return False
    return group.rate is not None and other.rate is not None and abs(group.rate - other.rate) <= SAME_RATE * other.rate
