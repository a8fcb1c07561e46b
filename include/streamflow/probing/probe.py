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
from streamflow.probing.findings import content_type, extras, fields
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
# A stream whose rest is saved must have come at this share of real time at least.
STEADY_SHARE = 0.95

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
                    sound_only=self._is_radio,
                    is_healthy=self._is_healthy,
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
            sound_only=self._is_radio,
            min_sample_seconds=self.settings.min_sample_seconds,
            is_healthy=self._is_healthy,
        )
        if len(head) < LEAST_BYTES and reception.ended is None and not self._is_cancelled():
            raise dead("no_data", f"{len(head)} bytes in {self.settings.read_timeout:g} s")
        return measuring.of_file(reception, "mpegts" if is_transport_stream(head) else None)

    def _is_finite(self) -> bool:
        segmented = self.opening.segmented
        return not segmented.is_live if segmented else self.opening.length is not None

    def _of_reception(self, found: Measurement, reception: Reception, ended: float) -> Outcome:
        began = reception.first_byte or self.started
        by_itself = reception.ended is not None
        if found.media_s == 0 and not found.pictures:
            raise self._without_media(found, reception, by_itself)
        lasted = ended - began
        complete = (
            self._is_finite() or found.saved_s is not None or lasted >= self.settings.sample_seconds - EARLY_SECONDS
        )
        segmented = self.opening.segmented
        early = None if not by_itself or complete or (segmented and segmented.stale_s is not None) else lasted
        if early is not None and early < INSTANT_SECONDS and found.media_s < INSTANT_MEDIA_SECONDS:
            raise busy(f"cut off after {early:.1f} s")
        end = ended if by_itself or not found.arrivals else min(time.monotonic(), reception.deadline)
        finite_end = found.arrivals[-1][0] if found.arrivals else end
        how = "nothing more came" if isinstance(reception.failure, Refusal) else "ended by itself"
        told = None if early is None else f"{how} after {max(0.0, finite_end - began):.1f} s"
        # What a sample waits for that ends early is its own conclusion.
        end = finite_end if self._is_finite() or found.saved_s is not None else max(end, finite_end)
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
        look, play = pictures.looked_at(found.pictures), timing.playability(found.arrivals, end, late)
        judged = self._judge(found, look, play, early)
        extra = extras(found, look, play, self.opening)
        if (starved := lateness.total(late, end)) >= LEAST_STARVED and not self._is_finite():
            # A file that comes faster than real time is held up on purpose.
            extra["starved_s"] = round(starved, 2)
        if reception and reception.first_byte:
            extra |= {"first_byte_ms": round((reception.first_byte - self.started) * 1000), "bytes": reception.bytes}
        first = found.first_frame
        result = self._result(judged.verdict, judged.reason, judged.detail).model_copy(
            update=fields(found, look, self.target.name, self.opening)
            | {"first_frame_ms": round((first - self.started) * 1000) if first else None, "extra": extra}
        )
        final = ("drm_protected", "no_video")
        return Outcome(result, found.thumbnail, retryable=judged.verdict == "dead" and judged.reason not in final)

    def _judge(
        self, found: Measurement, look: pictures.Look, play: timing.Playability, early: str | None = None
    ) -> verdict.Judgement:
        segmented = self.opening.segmented
        return verdict.judge(
            found,
            look,
            play,
            radio=self._is_radio,
            sample_s=self.settings.sample_seconds,
            ended_early=early,
            stale_s=segmented.stale_s if segmented else None,
            separate_audio=bool(segmented and segmented.separate_audio),
            is_segmented=segmented is not None,
        )

    @property
    def _is_radio(self) -> bool:
        return self.target.radio or label.says_radio(self.target.name)

    def _is_healthy(self, found: Measurement) -> bool:
        """Whether a sample that has settled would be ok, and comes fast enough to stay so."""
        play = timing.playability(found.arrivals, found.arrivals[-1][0])
        if play.stall_s or (not self._is_finite() and not self.opening.segmented and (play.share or 0) < STEADY_SHARE):
            return False
        return self._judge(found, pictures.looked_at(found.pictures), play).verdict == "ok"

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

    def refused(self, refusal: Refusal) -> Outcome:
        result = self._result(refusal.verdict, refusal.reason, refusal.detail)
        if self.opening.redirects or self.opening.content_type:
            told = {"redirects": self.opening.redirects, "content_type": content_type(self.opening)}
            result = result.model_copy(update={"extra": {name: value for name, value in told.items() if value}})
        return Outcome(result, None, refusal.retryable, refusal.retry_after)
