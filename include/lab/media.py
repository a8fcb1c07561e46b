"""The lab's clips: PyAV makes each clip once, a folder caches it, and its true properties stand beside it."""

from __future__ import annotations

import fcntl
import hashlib
import json
import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from lab import encoding, mpegts
from lab.recipes import CATALOGUE, Audio, Recipe, Video

# Increased when the encoder changes the clips of an unchanged recipe.
EDITION = 2

_VIDEO_PID, _AUDIO_PID = 0x100, 0x110
_STREAM_TYPES = {"h264": 0x1B, "hevc": 0x24, "mpeg2video": 0x02, "aac": 0x0F, "mp2": 0x03, "ac3": 0x06, "eac3": 0x06}
_DVB_DESCRIPTORS = {"ac3": b"\x6a\x01\x00", "eac3": b"\x7a\x01\x00"}
# Audio frames of about a tenth of a second share a PES packet.
_FRAMES_A_PES = {"aac": 5, "mp2": 4, "ac3": 3, "eac3": 3}


@dataclass(frozen=True)
class AudioTruth:
    """The true properties of a sound track."""

    codec: str
    channels: int
    sample_rate: int
    language: str


@dataclass(frozen=True)
class Truth:
    """The true properties of a clip. They are None where the clip has no video.

    :param bitrate_kbps: the bytes of the transport stream over media time.
    :param video_kbps: the bitrate of the elementary video stream.
    :param audio_kbps: the bitrate of the elementary audio streams. The sum of both is 2 to 5 % below ``bitrate_kbps``.
    :param gop_s: the seconds between key frames.
    """

    name: str
    container: str
    bitrate_kbps: float
    duration_s: float
    video_kbps: float
    audio_kbps: float
    video_codec: str | None = None
    width: int | None = None
    height: int | None = None
    fps: float | None = None
    interlaced: bool | None = None
    hdr: str | None = None
    pixel_format: str | None = None
    gop_s: float | None = None
    picture: str | None = None
    sound: str | None = None
    audio: tuple[AudioTruth, ...] = ()


@dataclass(frozen=True)
class Clip:
    """A transport stream that can loop: its file, its truth, and the places of its time stamps and entry points.

    :param ticks: the length of a loop in ticks of 90 kHz.
    :param stamps: ``(offset, kind, ticks)`` of each time stamp.
    :param keys: ``(offset, ticks)`` of the tables before each key frame.
    """

    path: Path
    truth: Truth
    ticks: int
    stamps: list[tuple[int, int, int]]
    keys: list[tuple[int, int]]

    @property
    def name(self) -> str:
        """Return the recipe's name."""
        return self.truth.name

    @cached_property
    def data(self) -> mmap.mmap:
        """Return the bytes of the clip, mapped into memory that processes share."""
        with self.path.open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


class Media:
    """The clips of a folder. A clip is made on its first request. Threads and processes may share the folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._clips: dict[str, Clip] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def clip(self, name: str) -> Clip:
        """Return a clip of the catalogue.

        :raises KeyError: the catalogue has no such recipe.
        """
        return self.make(CATALOGUE[name])

    def make(self, recipe: Recipe) -> Clip:
        """Return the clip of a recipe."""
        if recipe.name not in self._clips:
            edition = hashlib.sha256(f"{EDITION} {recipe}".encode()).hexdigest()[:12]
            path = self._folder / f"{recipe.name}-{edition}.ts"
            with _locked(path.with_suffix(".lock")):
                if not path.with_suffix(".json").exists():
                    _make(recipe, path)
            self._clips[recipe.name] = _load(path)
        return self._clips[recipe.name]

    def make_all(self) -> dict[str, Clip]:
        """Return every clip of the catalogue by name."""
        return {name: self.clip(name) for name in CATALOGUE}


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _load(path: Path) -> Clip:
    kept: dict[str, Any] = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    truth = kept["truth"] | {"audio": tuple(AudioTruth(**track) for track in kept["truth"]["audio"])}
    stamps = [(offset, kind, ticks) for offset, kind, ticks in kept["stamps"]]
    return Clip(path, Truth(**truth), kept["ticks"], stamps, [(at, ticks) for at, ticks in kept["keys"]])


def _make(recipe: Recipe, path: Path) -> None:
    ticks = recipe.duration * mpegts.CLOCK
    if ticks.denominator != 1:
        raise ValueError(f"{recipe.name}: a loop of {float(recipe.duration)} s is no whole number of ticks")
    sounds = [encoding.encode_audio(audio, recipe.duration) for audio in recipe.audio]
    audio_bytes = sum(len(frame) for frames in sounds for frame in frames)
    units: list[mpegts.Unit] = []
    tracks: list[mpegts.Track] = []
    video_bytes = 0
    if recipe.video:
        # Packet headers, stuffing and tables are about 3 % of a stream, and more of its audio.
        room = recipe.kbps * 0.972 - audio_bytes * 8.6 / 1000 / float(recipe.duration)
        groups = encoding.encode_video(recipe.video, room, recipe.gops)
        tracks.append(mpegts.Track(_VIDEO_PID, _STREAM_TYPES[recipe.video.codec], 0xE0))
        units += _video_units(groups, recipe.video)
        video_bytes = sum(len(unit.data) for unit in units)
    for number, (audio, frames) in enumerate(zip(recipe.audio, sounds, strict=True)):
        pid = _AUDIO_PID + number
        language = b"\x0a\x04" + audio.language.encode() + b"\x00"
        private = audio.codec in _DVB_DESCRIPTORS
        descriptors = language + _DVB_DESCRIPTORS.get(audio.codec, b"")
        tracks.append(mpegts.Track(pid, _STREAM_TYPES[audio.codec], 0xBD if private else 0xC0 + number, descriptors))
        units += _audio_units(pid, audio, frames, alone=recipe.video is None)
    units.sort(key=lambda unit: (unit.dts, unit.pid))
    multiplex = mpegts.Multiplexer(tracks, recipe.name).write(units)
    if recipe.flaw == "lossy":
        mpegts.lose(multiplex)
    elif recipe.flaw == "scrambled":
        mpegts.scramble(multiplex)
    seconds = float(recipe.duration)
    truth = Truth(
        name=recipe.name,
        container="mpegts",
        bitrate_kbps=round(len(multiplex.data) / seconds / 125, 1),
        duration_s=seconds,
        video_kbps=round(video_bytes / seconds / 125, 1),
        audio_kbps=round(audio_bytes / seconds / 125, 1),
        sound=recipe.audio[0].sound if recipe.audio else None,
        audio=tuple(AudioTruth(a.codec, a.channels, encoding.RATE, a.language) for a in recipe.audio),
        **(_video_truth(recipe.video) if recipe.video else {}),
    )
    path.write_bytes(multiplex.data)
    kept = {"truth": asdict(truth), "ticks": int(ticks), "stamps": multiplex.stamps, "keys": multiplex.keys}
    part = path.with_suffix(".part")
    part.write_text(json.dumps(kept), encoding="utf-8")
    part.replace(path.with_suffix(".json"))


def _video_truth(video: Video) -> dict[str, Any]:
    return {
        "video_codec": video.codec,
        "width": video.width,
        "height": video.height,
        "fps": round(float(video.fps), 3),
        "interlaced": video.interlaced,
        "hdr": video.hdr,
        "pixel_format": video.pixel_format,
        "gop_s": round(float(video.gop / video.fps), 3),
        "picture": video.picture,
    }


def _video_units(groups: list[list[bytes]], video: Video) -> Iterator[mpegts.Unit]:
    frame_ticks = mpegts.CLOCK / video.fps
    for number, group in enumerate(groups):
        for place, data in enumerate(group):
            time = round((number * video.gop + place) * frame_ticks)
            yield mpegts.Unit(_VIDEO_PID, time, time, data, key=place == 0)


def _audio_units(pid: int, audio: Audio, frames: list[bytes], alone: bool) -> Iterator[mpegts.Unit]:
    """Yield audio units of several frames each. Sound that stands ``alone`` has an entry point once a second."""
    step = _FRAMES_A_PES[audio.codec]
    samples = encoding.FRAME_SAMPLES[audio.codec]
    entry_due = 0
    for at in range(0, len(frames), step):
        time = at * samples * mpegts.CLOCK // encoding.RATE
        key = alone and time >= entry_due
        entry_due += mpegts.CLOCK if key else 0
        yield mpegts.Unit(pid, time, time, b"".join(frames[at : at + step]), key)
