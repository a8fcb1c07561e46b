"""Selection: which of a container's streams are measured, and what belongs to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Stream
from av.video.stream import VideoStream

from streamflow.probing.media.programs import TELETEXT, Programs
from streamflow.records import AudioTrack

UNDETERMINED = "und"
_SHORT_NAMES = {"mov,mp4,m4a,3gp,3g2,mj2": "mp4", "matroska,webm": "matroska"}


@dataclass(frozen=True)
class Selection:
    """The streams that are measured; ``program`` holds the ids of all of their program's, None where all belong."""

    video: VideoStream | None = None
    audio: AudioStream | None = None
    program: frozenset[int] | None = None

    def is_ours(self, stream: Stream) -> bool:
        """Whether a stream belongs to the program that is measured."""
        return self.program is None or stream.id in self.program

    @property
    def main(self) -> VideoStream | AudioStream | None:
        """The one whose time is the sample's."""
        return self.video or self.audio


def select(container: InputContainer, programs: Programs) -> Selection:
    """Of several programs, the one with the most lines; the first among equals. A cover is no video."""
    streams = container.streams
    videos = [stream for stream in streams.video if not _is_cover(stream)]
    video = max(videos, key=lambda stream: stream.height or 0) if videos else None
    related = streams.best("audio", related=video) if video else streams.best("audio")
    return Selection(video, cast("AudioStream | None", related), programs.of(video.id) if video else None)


def _is_cover(stream: VideoStream) -> bool:
    return bool(stream.disposition & type(stream.disposition).attached_pic)


def container_name(container: InputContainer) -> str:
    """libav's name of the format; one name where that lists several."""
    return _SHORT_NAMES.get(container.format.name, container.format.name)


def subtitle(stream: Stream, programs: Programs) -> str:
    """Kind and language, like ``dvb_subtitle:fra``."""
    if stream.codec_context:
        kind = stream.codec_context.name
    else:
        # This libav has no decoder for it.
        kind = "teletext" if programs.says(stream.id, TELETEXT) else "unknown"
    return f"{kind}:{stream.language or UNDETERMINED}"


def track(stream: AudioStream) -> AudioTrack:
    """What the decoder knows of a track of sound; no language where that is undetermined (ISO 639-2: und)."""
    context = stream.codec_context
    return AudioTrack(
        codec=context.codec.canonical_name,
        channels=context.channels or None,
        sample_rate=context.sample_rate or None,
        language=None if stream.language == UNDETERMINED else stream.language,
    )
