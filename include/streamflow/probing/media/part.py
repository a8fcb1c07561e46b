"""One part of a sample: the packets of one container, by track."""

from __future__ import annotations

from dataclasses import dataclass, replace

from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream

from streamflow.probing.media.figures import Figures, PartFigures
from streamflow.probing.media.measurement import Measurement, VideoFormat
from streamflow.probing.media.programs import DOLBY_VISION
from streamflow.probing.media.selection import can_decode, container_name, select, subtitle, track, undecodable
from streamflow.probing.media.thumbnail import BestShot
from streamflow.probing.media.timing import Clock
from streamflow.probing.media.video import VideoAnalyzer
from streamflow.records import AudioTrack

# Seconds of media between two decoded packets of sound, and the most of them in one sample.
LISTEN_EVERY = 0.2
MAX_LISTENED = 60
# A track that decodes to nothing this many times is unreadable.
UNREADABLE_PACKETS = 5


@dataclass(frozen=True)
class ContainerTables:
    """Facts from the container's tables; ``box_codecs`` names the codecs of an ISO file in the order of its tracks."""

    box_codecs: list[str]
    has_dolby_vision: bool


class Part:
    """Takes the packets of one container."""

    def __init__(
        self,
        container: InputContainer,
        measurement: Measurement,
        figures: Figures,
        best_shot: BestShot | None,
        tables: ContainerTables,
        *,
        sample_seconds: float,
    ) -> None:
        self._container = container
        self._measurement = measurement
        self._figures = figures
        self._tables = tables
        self._selection = select(container, measurement.headers.programs)
        self._clocks: dict[int, Clock] = {}
        # Seconds a tick of each track's time stamps.
        self._ticks: dict[int, float] = {}
        self._held: dict[int, tuple[Packet[Stream], float]] = {}
        self._heard_at = float("-inf")
        self._listen_every = max(LISTEN_EVERY, sample_seconds / MAX_LISTENED)
        self._deaf_packets = 0
        self._has_heard = False
        self._video: VideoAnalyzer | None = None
        if self._selection.audio:
            # A decoder's process starts no threads.
            self._selection.audio.codec_context.thread_count = 1
        figures.begin_part()
        main = self._selection.main
        if main is not None:
            self._clocks[main.index] = figures.clock
            self._ticks[main.index] = float(main.time_base or 0)
        if self._selection.video:
            self._video = VideoAnalyzer(
                self._selection.video,
                measurement,
                best_shot,
                sample_seconds=sample_seconds,
                on_format=self._set_format,
            )

    @property
    def has_video(self) -> bool:
        """Whether a track of video can be decoded."""
        return self._video is not None

    @property
    def has_audio(self) -> bool:
        """Whether a track of sound can be decoded."""
        return self._selection.audio is not None

    def _set_format(self, video_format: VideoFormat) -> None:
        self._figures.set_format(self._complete(video_format))

    def _complete(self, video_format: VideoFormat) -> VideoFormat:
        """Add what only the container's tables say."""
        video, programs = self._selection.video, self._measurement.headers.programs
        if video and (self._tables.has_dolby_vision or programs.has_tag(video.id, DOLBY_VISION)):
            return replace(video_format, hdr="dolby_vision")
        return video_format

    # -- packets -----------------------------------------------------------------------------
    def take(self, packet: Packet[Stream], place: int, arrived: float, *, hold: bool) -> None:
        """Take a packet.

        :param place: its offset in the source, in bytes.
        :param arrived: when it arrived (monotonic).
        :param hold: whether it may be cut short, so that it is looked at only when another of its track follows.
        """
        index = packet.stream_index
        if not packet.size:
            return
        clock = self._clocks.get(index)
        if clock is None:
            clock = self._clocks[index] = Clock()
            self._ticks[index] = float(packet.time_base or 0)
        tick = self._ticks[index]
        # The order of presentation is no order of time: a packet without a decoding time has its size alone.
        at, jumps = None if packet.dts is None else packet.dts * tick, clock.discontinuities
        clock.take(at, packet.size, (packet.duration or 0) * tick)
        if self._video and clock.discontinuities > jumps:
            self._video.expect_change()
        if clock is self._figures.clock:
            self._figures.note(place, arrived, is_key=packet.is_keyframe)
        if not hold:
            self._look(packet, clock.media_s)
            return
        held = self._held.get(index)
        self._held[index] = packet, clock.media_s
        if held:
            self._look(*held)

    def take_held(self) -> None:
        """Look at the last packet of each track: it is known to be complete."""
        held, self._held = self._held, {}
        for packet, media_s in held.values():
            self._look(packet, media_s)

    def _look(self, packet: Packet[Stream], media_s: float) -> None:
        selection = self._selection
        if self._video and selection.video and packet.stream_index == selection.video.index:
            self._video.take(packet, media_s)
        elif selection.audio and packet.stream_index == selection.audio.index:
            self._listen(selection.audio, packet, media_s)

    def _listen(self, audio: AudioStream, packet: Packet[Stream], media_s: float) -> None:
        if 0 <= media_s - self._heard_at < self._listen_every:
            return
        self._heard_at = media_s
        try:
            frames = audio.codec_context.decode(packet)
        except FFmpegError:
            # One of its frames may lack what an earlier, skipped one held; those that decode are enough.
            audio.codec_context.flush_buffers()
            frames = []
        for frame in frames:
            self._measurement.levels.hear(frame, media_s)
        self._has_heard = self._has_heard or bool(frames)
        self._deaf_packets += not frames

    # -- figures -----------------------------------------------------------------------------
    def conclude(self) -> None:
        """Hand the figures of the part so far to those of the sample."""
        if self._video:
            self._video.conclude()
            if self._video.format is None:
                self._set_format(self._video.announced())
        programs, selection = self._measurement.headers.programs, self._selection
        part = PartFigures(
            container=container_name(self._container),
            programs=len(programs.tracks),
            has_video=self.has_video,
            subtitles=[subtitle(one, programs) for one in self._container.streams.subtitles if selection.includes(one)],
        )
        self._add_audio(part)
        for one in undecodable(self._container, programs, self._tables.box_codecs):
            if selection.includes(one.stream):
                part.unreadable.append(one.codec)
                if one.is_video:
                    part.unsupported_video = part.unsupported_video or one.codec
                else:
                    part.add_audio(AudioTrack(codec=one.codec), None)
        audio = selection.audio
        if audio and audio.index in self._clocks:
            part.audio_clock = self._clocks[audio.index]
        if selection.program is not None:
            sizes = {index: clock.bytes for index, clock in self._clocks.items()}
            ours = sum(size for index, size in sizes.items() if selection.includes(self._container.streams[index]))
            part.program_share = ours / max(1, sum(sizes.values()))
        self._figures.end_part(part)

    def _add_audio(self, part: PartFigures) -> None:
        selected = self._selection.audio
        is_deaf = self._deaf_packets >= UNREADABLE_PACKETS and not self._has_heard
        for stream in self._container.streams.audio:
            if not can_decode(stream) or not self._selection.includes(stream):
                continue
            is_selected = selected is not None and stream.index == selected.index
            context = stream.codec_context
            is_readable = context.channels and context.sample_rate and not (is_selected and is_deaf)
            if stream.index in self._clocks and is_readable:
                part.add_audio(track(stream), context.layout.name)
            elif stream.index in self._clocks or is_selected:
                part.unreadable.append(context.codec.canonical_name)
