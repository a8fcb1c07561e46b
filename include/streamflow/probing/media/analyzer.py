"""The analyzer: demuxes all packets of a sample, and decodes key pictures and a part of the sound."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream

from streamflow.probing.media.demuxer import open_container, packets
from streamflow.probing.media.early_stop import can_stop_early
from streamflow.probing.media.figures import Figures
from streamflow.probing.media.iso_boxes import IsoBoxes
from streamflow.probing.media.measurement import EarlyEnd, Measurement
from streamflow.probing.media.part import ContainerTables, Part
from streamflow.probing.media.parts import BoxStructure, PartReader, TransportStructure
from streamflow.probing.media.source import ByteSource, Source
from streamflow.probing.media.thumbnail import BestShot
from streamflow.probing.target import FIRST_PICTURE_SECONDS, KnownFigures

# Proxies send null packets while their source starts; nothing else for this long is no media.
FIRST_PAYLOAD_SECONDS = 10.0
# A programme without video is looked at for this long, unless it is radio: in a transport stream the tables may change.
SOUND_ONLY_SECONDS = 0.8
TABLE_CHANGE_SECONDS = 5.0
# A source that sends this much faster than real time is a file: its sample ends by media time.
AHEAD_SECONDS = 6.0
# More than any medium needs (Ultra HD Blu-ray has at most 128 Mbit/s); bounds what comes without time stamps too.
MAX_BYTES_PER_SECOND = 16_000_000
GRACE_SECONDS = 2.0
PROGRESS_SECONDS = 1.0
STOP_CHECK_SECONDS = 0.3
# The share of the least time of a healthy sample after which one that confirms what is known may end.
KNOWN_SHARE = 0.62

OnProgress = Callable[[float, int, int | None, int | None, str], None]


@dataclass(frozen=True)
class SampleOptions:
    """How a sample is taken.

    :param sample_seconds: its length.
    :param min_sample_seconds: when a healthy sample may end early; None for never.
    :param known: the figures of an unchanged stream at its last good check; a sample that confirms them ends sooner.
    :param thumbnails: whether a thumbnail is wanted.
    :param expects_video: whether its absence is a reason to end early.
    """

    sample_seconds: float
    min_sample_seconds: float | None = None
    known: KnownFigures | None = None
    thumbnails: bool = False
    expects_video: bool = True


class Analyzer:
    """Takes one sample of a source and returns its :class:`Measurement`.

    :param is_finite: returns whether the source is a recording, which has an end.
    :param with_sound: returns the figures with the sound so far, where that comes beside the source's own bytes.
    :param is_healthy: returns whether a sample with these figures would be ok.
    """

    def __init__(
        self,
        source: Source,
        options: SampleOptions,
        *,
        is_finite: Callable[[], bool] = lambda: False,
        with_sound: Callable[[Measurement], Measurement] = lambda found: found,
        is_healthy: Callable[[Measurement], bool] = lambda _: False,
        on_progress: OnProgress = lambda *_: None,
    ) -> None:
        self.measurement = Measurement()
        self._source = source
        self._options = options
        self._is_finite = is_finite
        self._with_sound = with_sound
        self._is_healthy = is_healthy
        self._on_progress = on_progress
        self._reported_at = 0.0
        self._boxes = IsoBoxes()
        self._best_shot = BestShot() if options.thumbnails else None
        self._figures = Figures(self.measurement)
        self._part: Part | None = None
        self._stop_check_at = float("inf")
        if options.min_sample_seconds is not None:
            self._stop_check_at = options.min_sample_seconds * (KNOWN_SHARE if options.known else 1.0)
        self._is_transport_stream = False
        self._has_key = False

    def analyze_file(
        self, file: ByteSource, container_format: str | None, sample_key: str | None = None
    ) -> Measurement:
        """Open ``file`` and measure it; an error that ends the reading is noted as :attr:`Measurement.broken`.

        :param container_format: ``mpegts``, or None to detect the format.
        :param sample_key: decrypts the samples of a fragmented file; in hexadecimal digits.
        """
        file.on_wait = lambda: self._report("measuring")
        self._is_transport_stream = container_format == "mpegts"
        headers = self.measurement.headers
        self._has_key = sample_key is not None
        structure = TransportStructure(headers) if self._is_transport_stream else BoxStructure(self._boxes)
        reader = PartReader(file, structure, self._check_bytes)
        self._wait_for_picture()
        self._report("measuring")
        while reader.begin():
            self.measurement.broken = None
            try:
                with open_container(reader, container_format, reader.probe_bytes, sample_key) as container:
                    is_complete = self._analyze(
                        container, packets(container), reader.offset, lambda: reader.has_next or file.is_whole
                    )
            except (FFmpegError, ValueError) as error:
                self.measurement.broken, is_complete = type(error).__name__, False
            if is_complete or not reader.has_next:
                break
        return self._concluded()

    def analyze_packets(self, container: InputContainer, demuxed: Iterable[Packet[Stream]]) -> Measurement:
        """Measure the packets of a container until the sample is complete or they end."""
        self._wait_for_picture()
        self._analyze(container, demuxed, self._source.offset, lambda: False)
        return self._concluded()

    def _analyze(
        self,
        container: InputContainer,
        demuxed: Iterable[Packet[Stream]],
        offset: Callable[[int | None], int],
        is_whole: Callable[[], bool],
    ) -> bool:
        """Measure the packets of one container; return whether the sample is complete.

        :param offset: returns the offset in the source of a place in the container.
        :param is_whole: returns whether the last packet of each track is known to be complete.
        """
        tables = ContainerTables(self._boxes.codecs, self._boxes.has_dolby_vision)
        part = self._part = Part(
            container,
            self.measurement,
            self._figures,
            self._best_shot,
            tables,
            sample_seconds=self._options.sample_seconds,
        )
        if part.has_video:
            self._wait_for_picture()
        else:
            self._wait_for_sound()
        is_complete = False
        try:
            for packet in demuxed:
                self._take(part, packet, offset(packet.pos))
                if self._is_complete() or self._can_stop_early(part):
                    is_complete = True
                    break
        except (FFmpegError, ValueError) as error:
            self.measurement.broken = type(error).__name__
        if not is_complete and is_whole():
            part.take_held()
        part.conclude()
        return is_complete

    def _take(self, part: Part, packet: Packet[Stream], place: int) -> None:
        arrived = self._source.arrived(place)
        had_pictures = bool(self.measurement.pictures)
        part.take(packet, place, arrived, hold=self._source.is_exhausted)
        if self.measurement.pictures and not had_pictures:
            self.measurement.first_frame = self._source.arrived(place + packet.size)
            self._source.deadline = max(time.monotonic(), self._began + self._options.sample_seconds)
        self._report("measuring")

    def _concluded(self) -> Measurement:
        self._figures.conclude()
        self.measurement.is_encrypted = self._is_locked
        if self._best_shot:
            self.measurement.thumbnail = self._best_shot.jpeg()
        return self.measurement

    # -- time --------------------------------------------------------------------------------
    @property
    def _began(self) -> float:
        return self._source.first_byte or time.monotonic()

    def _wait_for_picture(self) -> None:
        if self.measurement.first_frame is None:
            self._source.deadline = self._began + max(self._options.sample_seconds, FIRST_PICTURE_SECONDS)

    def _wait_for_sound(self) -> None:
        if self.measurement.first_frame is not None:
            return
        seconds = self._options.sample_seconds
        if self._options.expects_video:
            longest = TABLE_CHANGE_SECONDS if self._is_transport_stream else SOUND_ONLY_SECONDS
            seconds = min(longest, max(seconds, SOUND_ONLY_SECONDS))
        self._source.deadline = self._began + seconds

    def _check_bytes(self) -> None:
        """End the sample where nothing of it will ever decode, or where more comes than any media explain."""
        explained = GRACE_SECONDS + self._figures.media_s + time.monotonic() - self._began
        is_flooded = self._source.bytes > MAX_BYTES_PER_SECOND * explained
        if is_flooded or self._is_empty() or self.measurement.headers.is_scrambled or self._is_locked:
            self._source.deadline = time.monotonic()

    @property
    def _is_locked(self) -> bool:
        return (self._boxes.is_encrypted and not self._has_key) or self.measurement.headers.programs.is_encrypted

    def _is_empty(self) -> bool:
        waited = time.monotonic() - self._began
        return self._is_transport_stream and not self.measurement.headers.packets and waited > FIRST_PAYLOAD_SECONDS

    def _is_complete(self) -> bool:
        if self._figures.media_s < self._options.sample_seconds:
            return False
        wanted = self._options.sample_seconds + (0 if self._is_finite() else AHEAD_SECONDS)
        if self._part and self._part.has_video and not self.measurement.pictures:
            wanted = max(wanted, FIRST_PICTURE_SECONDS)
        return self._figures.media_s >= wanted

    def _can_stop_early(self, part: Part) -> bool:
        """Return whether the rest of the sample can be saved; looked at a few times a second."""
        if self._figures.media_s < self._stop_check_at:
            return False
        # A burst at the start shows nothing of what the stream does in time, nor does a declared length.
        arrivals = self.measurement.arrivals
        lasted = min(self._figures.media_s, arrivals[-1][0] - self._began) if arrivals else 0.0
        if lasted < self._stop_check_at or self._source.is_exhausted:
            return False
        self._stop_check_at = lasted + STOP_CHECK_SECONDS
        part.conclude()
        self._figures.conclude()
        found = self._with_sound(self.measurement)
        reason = self._early_end(found, lasted, wants_sound=part.has_audio or bool(found.audio))
        if reason is None or not self._is_healthy(found):
            return False
        self.measurement.saved_s = max(0.0, self._options.sample_seconds - lasted)
        self.measurement.early_end = reason
        return True

    def _early_end(self, found: Measurement, lasted: float, *, wants_sound: bool) -> EarlyEnd | None:
        """Return why a healthy sample may end now; None where it may not."""
        options = self._options

        def suffices(known: KnownFigures | None) -> bool:
            return can_stop_early(
                found,
                self._figures,
                wants_sound=wants_sound,
                sample_seconds=options.sample_seconds,
                known=known,
            )

        if options.known and suffices(options.known):
            return "unchanged"
        return "settled" if lasted >= (options.min_sample_seconds or 0.0) and suffices(None) else None

    def _report(self, phase: str) -> None:
        now = time.monotonic()
        if now - self._reported_at < PROGRESS_SECONDS:
            return
        self._reported_at = now
        received, media, first = self._source.bytes, self._figures.media_s, self.measurement.first_frame
        self._on_progress(
            now - self._source.started,
            received,
            round(received * 8 / 1000 / media) if media > 0.5 else None,
            round((first - self._source.started) * 1000) if first else None,
            phase,
        )
