"""The probe of one stream: open, measure, judge."""

from __future__ import annotations

import hashlib
import queue
import threading
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from streamflow import config
from streamflow.masking import mask
from streamflow.probing import label, lateness, pictures, timing, verdict
from streamflow.probing.connection import Connection
from streamflow.probing.measurement import Measurement
from streamflow.probing.measuring import FIRST_PICTURE_SECONDS, Measuring
from streamflow.probing.opening import Opening, feed
from streamflow.probing.reception import Reception
from streamflow.probing.refusal import Refusal, busy, cancelled, dead
from streamflow.probing.target import HTTP, LIBAV, Outcome, Progress, Target, address
from streamflow.probing.transport_stream import is_transport_stream
from streamflow.udi.models import Result

# Cut off so soon, with so little: the account's limit, or a token that was refused.
INSTANT_SECONDS = 1.0
INSTANT_MEDIA_SECONDS = 1.0
# Fewer bytes than a few packets are no data at all.
LEAST_BYTES = 1880
# From the start to the first byte of media: a connection, and redirects and playlists, each with its own time-out.
OPENING_READS = 3
# Less lateness of this machine is not worth telling.
LEAST_STARVED = 0.1
# An end so close before the sample's own is no end.
EARLY_SECONDS = 0.5

# Added to the longest time that a probe can take by its settings.
HANG_SECONDS = 30.0
MAX_NOTED_CHARACTERS = 100

OnProgress = Callable[[Progress], None]


def probe(
    target: Target,
    settings: config.Probe,
    *,
    cancel: threading.Event | None = None,
    on_progress: OnProgress | None = None,
) -> Outcome:
    """Probe a stream over one connection for ``settings.sample_seconds``; never raises for what a stream does.

    ``cancel`` ends it within a fifth of a second, with verdict ``unknown``, reason ``cancelled``. ``on_progress`` is
    called in another thread.
    """
    run = _Run(target, settings, cancel or threading.Event(), on_progress or _untold)
    told: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
    # In a thread that can be left behind: nothing else ends a decoder that hangs.
    threading.Thread(target=lambda: told.put(_ended(run)), name="probe", daemon=True).start()
    try:
        return told.get(timeout=run.longest_s)
    except queue.Empty:
        return run.refused(dead("undecodable", f"the decoder had not come back after {run.longest_s:.0f} s"))
    finally:
        run.stop()


def _ended(run: _Run) -> Outcome:
    try:
        return run.outcome()
    except Refusal as refusal:
        return run.refused(refusal)
    except Exception as error:  # noqa: BLE001 - a fault of the probe's own is a verdict too, told without the message
        return run.refused(Refusal("unknown", "internal_error", _place(error)))


def _untold(_: Progress) -> None:
    """Nobody wants to know."""


def _place(error: Exception) -> str:
    """Kind and place of an error: its message may hold a URL."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}"


class _Run:
    def __init__(
        self, target: Target, settings: config.Probe, cancel: threading.Event, on_progress: OnProgress
    ) -> None:
        self.target = target
        self.settings = settings
        self.cancel = cancel
        self.on_progress = on_progress
        self.started = time.monotonic()
        self.opening = Opening()
        self._stopping = threading.Event()
        self._connection: Connection | None = None

    @property
    def longest_s(self) -> float:
        """Seconds after which even the slowest stream has had its time, and the machine a good deal for itself."""
        sample = max(self.settings.sample_seconds, FIRST_PICTURE_SECONDS)
        return self.settings.connect_timeout + OPENING_READS * self.settings.read_timeout + sample + HANG_SECONDS

    def stop(self) -> None:
        """End the connection and all that waits for it; without effect after the end."""
        self._stopping.set()
        self.opening.stopping = True
        if self._connection:
            self._connection.close()

    def _is_cancelled(self) -> bool:
        return self.cancel.is_set() or self._stopping.is_set()

    def outcome(self) -> Outcome:
        where = address(self.target, self.settings.user_agent)
        if where.scheme in HTTP:
            return self._over_http(where.url, dict(where.headers))
        if where.scheme in LIBAV:
            from streamflow.probing import libav

            return self._judged(
                *libav.measure(
                    where,
                    self.settings,
                    self._is_cancelled,
                    lambda *told: self.on_progress(Progress(*told)),
                    self.started,
                )
            )
        known = ", ".join([*HTTP, *LIBAV])
        raise Refusal(
            "skipped", "unsupported_protocol", f"{where.scheme or 'none'} is none of {known}", retryable=False
        )

    def _over_http(self, url: str, headers: dict[str, str]) -> Outcome:
        connection = self._connection = Connection(
            headers,
            connect_timeout=self.settings.connect_timeout,
            read_timeout=self.settings.read_timeout,
            proxy=self.settings.proxy,
            account_busy=self.target.account_busy,
        )

        patience = self.settings.read_timeout
        reception = Reception(lambda: feed(connection, url, self.opening, patience), self.stop)
        reception.cancelled = self._is_cancelled
        try:
            found = self._measured(reception)
            if reception.failure and not isinstance(reception.failure, Refusal):
                raise reception.failure
            ended = time.monotonic() if reception.ended is None else min(reception.ended, time.monotonic())
            if self._is_cancelled():
                raise cancelled()
            return self._of_reception(found, reception, ended)
        finally:
            reception.stop()

    def _measured(self, reception: Reception) -> Measurement:
        self.on_progress(Progress(0.0, 0, None, None, "connecting"))
        reception.deadline = self.started + self.settings.connect_timeout + OPENING_READS * self.settings.read_timeout
        reception.peek(1)
        if reception.first_byte is None:
            if reception.failure:
                raise reception.failure
            if self._is_cancelled():
                raise cancelled()
            raise dead("no_data", f"no media in {time.monotonic() - self.started:.1f} s")
        reception.deadline = reception.first_byte + self.settings.read_timeout
        head = reception.peek(LEAST_BYTES)
        measuring = Measuring(
            reception,
            sample_seconds=self.settings.sample_seconds,
            thumbnails=self.settings.thumbnails,
            finite=self._is_finite,
            on_progress=lambda *told: self.on_progress(Progress(*told)),
        )
        if len(head) < LEAST_BYTES and reception.ended is None and not self._is_cancelled():
            raise dead("no_data", f"{len(head)} bytes in {self.settings.read_timeout:g} s")
        return measuring.of_file(reception, "mpegts" if is_transport_stream(head) else None)

    def _is_finite(self) -> bool:
        hls = self.opening.hls
        return not hls.is_live if hls else self.opening.length is not None

    def _of_reception(self, found: Measurement, reception: Reception, ended: float) -> Outcome:
        began = reception.first_byte or self.started
        by_itself = reception.ended is not None
        if found.media_s == 0 and not found.pictures:
            raise self._without_media(found, reception, by_itself)
        lasted = ended - began
        complete = self._is_finite() or lasted >= self.settings.sample_seconds - EARLY_SECONDS
        hls = self.opening.hls
        early = None if not by_itself or complete or (hls and hls.stale_s is not None) else lasted
        if early is not None and early < INSTANT_SECONDS and found.media_s < INSTANT_MEDIA_SECONDS:
            raise busy(f"cut off after {early:.1f} s")
        end = ended if by_itself or not found.arrivals else min(time.monotonic(), reception.deadline)
        finite_end = found.arrivals[-1][0] if found.arrivals else end
        how = "nothing more came" if isinstance(reception.failure, Refusal) else "ended by itself"
        told = None if early is None else f"{how} after {max(0.0, finite_end - began):.1f} s"
        end = finite_end if self._is_finite() else max(end, finite_end)
        return self._judged(found, end, reception.late.spells(), told, reception)

    def _without_media(self, found: Measurement, reception: Reception, by_itself: bool) -> Refusal:
        if found.headers.is_scrambled:
            return dead("drm_protected", "the packets are scrambled", retryable=False)
        if isinstance(reception.failure, Refusal):
            return reception.failure
        head_is_media = found.headers.packets > 0
        if by_itself and head_is_media and self.opening.length is None:
            return busy(f"cut off after {reception.bytes} bytes")
        if reception.bytes < LEAST_BYTES:
            return dead("no_data", f"{reception.bytes} bytes in {time.monotonic() - self.started:.0f} s")
        if reception.head[4:8] == b"ftyp" and found.broken:
            return Refusal(
                "skipped", "unsupported_protocol", "an MP4 file whose index comes after its media", retryable=False
            )
        if found.has_video or found.audio:
            return dead("undecodable", "streams are announced, none carries a packet")
        return dead("not_media", f"{reception.bytes} bytes that are no media of a known kind")

    def _judged(
        self,
        found: Measurement,
        end: float,
        late: list[tuple[float, float]],
        early: str | None = None,
        reception: Reception | None = None,
    ) -> Outcome:
        hls = self.opening.hls
        look = pictures.looked_at(found.pictures)
        play = timing.playability(found.arrivals, end, late)
        judged = verdict.judge(
            found,
            look,
            play,
            radio=self.target.radio or label.says_radio(self.target.name),
            sample_s=self.settings.sample_seconds,
            ended_early=early,
            stale_s=hls.stale_s if hls else None,
            separate_audio=bool(hls and hls.separate_audio),
            is_segmented=hls is not None,
        )
        seen = found.width and found.height
        mislabelled = (
            label.mismatch(
                self.target.name, found.width or 0, found.height or 0, found.video_codec, found.hdr,
                interlaced=bool(found.interlaced),
            )
            if seen
            else None
        )  # fmt: skip
        first = found.first_frame
        result = self._result(judged.verdict, judged.reason, judged.detail).model_copy(
            update={
                "first_frame_ms": round((first - self.started) * 1000) if first else None,
                "width": found.width,
                "height": found.height,
                "fps": found.fps,
                "interlaced": found.interlaced,
                "hdr": found.hdr,
                "video_codec": found.video_codec,
                "video_profile": found.video_profile,
                "pixel_format": found.pixel_format,
                "bitrate_kbps": round(found.bitrate_kbps) if found.bitrate_kbps else None,
                "container": "hls" if hls else found.container,
                "audio": tuple(found.audio),
                "black_ratio": look.black_ratio,
                "frozen_ratio": look.frozen_ratio,
                "silent_ratio": found.sound.silent_ratio,
                "decode_errors": found.decode_errors,
                "discontinuities": found.discontinuities,
                "label_mismatch": mislabelled,
                "extra": self._extra(found, look, play, reception) | self._starved(late, end),
            }
        )
        final = ("drm_protected", "no_video")
        return Outcome(result, found.thumbnail, retryable=judged.verdict == "dead" and judged.reason not in final)

    def _starved(self, late: list[tuple[float, float]], end: float) -> dict[str, Any]:
        """The time that was this machine's; a file that is read faster than real time is held up on purpose."""
        seconds = lateness.total(late, end)
        return {"starved_s": round(seconds, 2)} if seconds >= LEAST_STARVED and not self._is_finite() else {}

    def _extra(
        self, found: Measurement, look: pictures.Look, play: timing.Playability, reception: Reception | None
    ) -> dict[str, Any]:
        sound, hls = found.sound, self.opening.hls
        extra: dict[str, Any] = {
            "level": found.level,
            "sar": found.sar,
            "vfr": found.vfr or None,
            "gop_s": found.gop_s,
            "media_s": round(found.media_s, 2),
            "video_kbps": _rounded(found.video_kbps),
            "audio_kbps": _rounded(found.audio_kbps),
            "continuity_errors": found.headers.continuity_errors or None,
            "stalls": play.stalls or None,
            "stall_s": round(play.stall_s, 2) or None,
            "real_time_share": None if play.share is None else round(play.share, 3),
            "picture_evidence_s": look.evidence_s or None,
            "slate_period_s": look.period_s,
            "sound_evidence_s": round(sound.evidence_s, 2) or None,
            "loudness_db": sound.loudness_db,
            "clipped_ratio": sound.clipped_ratio or None,
            "audio_layouts": found.audio_layouts or None,
            "subtitles": found.subtitles or None,
            "redirects": self.opening.redirects or None,
            "content_type": self._content_type(),
        }
        if reception and reception.first_byte:
            extra |= {"first_byte_ms": round((reception.first_byte - self.started) * 1000), "bytes": reception.bytes}
        if hls:
            extra |= {
                "segments": hls.segments,
                "missing_segments": hls.missing or None,
                "encrypted": hls.encrypted or None,
                "variants": hls.variants or None,
                "separate_audio": hls.separate_audio or None,
            }
        return {name: value for name, value in extra.items() if value is not None}

    def _result(self, word: Any, reason: str | None, detail: str | None) -> Result:
        return Result(
            stream_id=self.target.stream_id,
            account_id=self.target.account_id,
            url_hash=hashlib.sha256(self.target.url.encode()).hexdigest(),
            checked_at=datetime.now(UTC),
            verdict=word,
            reason=reason,
            detail=mask(detail) if detail else None,
            elapsed_s=round(time.monotonic() - self.started, 2),
        )

    def _content_type(self) -> str | None:
        told = self.opening.content_type
        return mask(told[:MAX_NOTED_CHARACTERS]) if told else None

    def refused(self, refusal: Refusal) -> Outcome:
        result = self._result(refusal.verdict, refusal.reason, refusal.detail)
        if self.opening.redirects or self.opening.content_type:
            told = {"redirects": self.opening.redirects, "content_type": self._content_type()}
            result = result.model_copy(update={"extra": {name: value for name, value in told.items() if value}})
        return Outcome(result, None, refusal.retryable, refusal.retry_after)


def _rounded(value: float | None) -> int | None:
    return None if value is None else round(value)
