"""Selection of the tracks that are measured, and the description of the others."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import cast

from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Stream
from av.video.stream import VideoStream

from streamflow.probing.media.demuxer import CODECS
from streamflow.probing.media.programs import TELETEXT, Programs
from streamflow.records import AudioTrack

UNDETERMINED = "und"
_DECODERS = frozenset(CODECS.split(","))
_SHORT_NAMES = {"mov,mp4,m4a,3gp,3g2,mj2": "mp4", "matroska,webm": "matroska"}
# Codecs of single images: such a track is a cover or an advertisement, not television.
_IMAGE_CODECS = frozenset({"png", "apng", "bmp", "gif", "tiff", "webp", "ppm", "pgm", "pam", "pcx", "targa", "psd"})
# ISO 639, or a tag of BCP 47.
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,3}")


@dataclass(frozen=True)
class Selection:
    """The tracks that are measured.

    :param program: the ids of all tracks of their program; None where all tracks of the container belong to it.
    """

    video: VideoStream | None = None
    audio: AudioStream | None = None
    program: frozenset[int] | None = None

    def includes(self, stream: Stream) -> bool:
        """Return whether a track belongs to the program that is measured."""
        return self.program is None or stream.id in self.program

    @property
    def main(self) -> VideoStream | AudioStream | None:
        """The track whose time is the sample's."""
        return self.video or self.audio


def select(container: InputContainer, programs: Programs) -> Selection:
    """Select the program with the most lines, the first among equals, and its best sound. A cover is no video."""
    streams = container.streams
    videos = [stream for stream in streams.video if can_decode(stream) and not _is_attached(stream)]
    video = max(videos, key=lambda stream: stream.height or 0) if videos else None
    audio = streams.best("audio", related=video) if video else streams.best("audio")
    program = programs.of(video.id) if video else None
    if audio is None or not can_decode(audio):
        readable = (stream for stream in streams.audio if can_decode(stream))
        audio = next((stream for stream in readable if program is None or stream.id in program), None)
    return Selection(video, cast("AudioStream | None", audio), program)


def can_decode(stream: Stream) -> bool:
    """Return whether there is a decoder for a track, and one of those that a probe uses."""
    return bool(stream.codec_context) and stream.codec_context.codec.name in _DECODERS


def _is_attached(stream: VideoStream) -> bool:
    return bool(stream.disposition & type(stream.disposition).attached_pic)


def container_name(container: InputContainer) -> str:
    """Return libav's name of the format; one name where that lists several."""
    return _SHORT_NAMES.get(container.format.name, container.format.name)


@dataclass(frozen=True)
class Undecodable:
    """A track of picture or sound for which libav has no decoder."""

    stream: Stream
    is_video: bool
    codec: str


def undecodable(container: InputContainer, programs: Programs, box_codecs: list[str]) -> list[Undecodable]:
    """Return the tracks that libav cannot decode, named by the container's own tables.

    :param box_codecs: the codec of each track of an ISO media file, in order.
    """
    found = []
    for stream in container.streams:
        track = programs.track(stream.id)
        by_box = box_codecs[stream.index] if stream.index < len(box_codecs) else None
        named = stream.codec_context.name if stream.codec_context else None
        codec = (track.codec if track else by_box) or named or "unknown"
        if stream.type in ("video", "audio"):
            if not can_decode(stream) and named not in _IMAGE_CODECS:
                found.append(Undecodable(stream, stream.type == "video", codec))
        elif track is not None and stream.type != "subtitle" and (track.is_video or track.is_audio):
            found.append(Undecodable(stream, track.is_video, codec))
    return found


def subtitle(stream: Stream, programs: Programs) -> str:
    """Return kind and language, like ``dvb_subtitle:fra``."""
    if stream.codec_context:
        kind = stream.codec_context.name
    else:
        # This libav has no decoder for it.
        kind = "teletext" if programs.has_tag(stream.id, TELETEXT) else "unknown"
    return f"{kind}:{language(stream) or UNDETERMINED}"


def language(stream: Stream) -> str | None:
    """Return the track's language; None where it is undetermined (ISO 639-2: und) or no word."""
    named = stream.language
    return named if named and named != UNDETERMINED and _LANGUAGE.fullmatch(named) else None


def track(stream: AudioStream) -> AudioTrack:
    """Return what the decoder knows of a track of sound."""
    context = stream.codec_context
    return AudioTrack(
        codec=context.codec.canonical_name,
        channels=context.channels or None,
        sample_rate=context.sample_rate or None,
        language=language(stream),
    )
