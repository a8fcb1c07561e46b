"""The probe of one stream: open, measure, judge; in a process of its own."""

from __future__ import annotations

import hashlib
import signal
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from streamflow import config
from streamflow.masking import mask
from streamflow.probing import starvation
from streamflow.probing.isolation import Crashed, Hung, Stopped, Tell, apart
from streamflow.probing.judgement import label, verdict
from streamflow.probing.judgement.findings import content_type, extras, fields
from streamflow.probing.judgement.refusal import Refusal, cancelled, dead
from streamflow.probing.media import freeze, timing
from streamflow.probing.media.analyzer import FIRST_PICTURE_SECONDS, Analyzer, Source
from streamflow.probing.media.measurement import Measurement, Sample
from streamflow.probing.protocols import http as over_http
from streamflow.probing.protocols import libav
from streamflow.probing.protocols.http_feed import SourceInfo
from streamflow.probing.target import HTTP, LIBAV, ProbeOutcome, ProbeTarget, Progress, address
from streamflow.records import Result

# Less lateness of this machine is not worth telling.
LEAST_STARVED = 0.1
# Added to the longest time that a probe can take by its settings.
HANG_SECONDS = 30.0
# A stream whose rest is saved must have come at this share of real time at least.
STEADY_SHARE = 0.95
# What a decoder that goes wrong ends with. Any other signal comes from outside.
CRASHES = frozenset({signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL})

# Of what was measured, these are as they are: another try would end the same.
FINAL = ("drm_protected", "no_video")

OnProgress = Callable[[Progress], None]


def probe(
    target: ProbeTarget,
    settings: config.Probe,
    *,
    cancel: threading.Event | None = None,
    on_progress: OnProgress | None = None,
) -> ProbeOutcome:
    """Probe a stream over one connection for ``settings.sample_seconds``; never raises for what a stream does.

    ``cancel`` ends it within a fifth of a second, with verdict ``unknown``, reason ``cancelled``. ``on_progress`` is
    called in another thread.
    """
    run, phase = _Run(target, settings), "connecting"

    def tell(now: Progress) -> None:
        nonlocal phase
        phase = now.phase
        if on_progress:
            on_progress(now)

    try:
        outcome: ProbeOutcome = apart(
            run.ended, on_told=tell, stop=cancel or threading.Event(), longest_s=run.longest_s
        )
    except Stopped:
        return run.refused(cancelled())
    except Hung:
        return run.refused(_fault(phase, f"had not come back after {run.longest_s:.0f} s", is_own=False))
    except Crashed as crash:
        how = f"was ended by {crash.signal.name}" if crash.signal else "ended without an answer"
        return run.refused(_fault(phase, how, is_own=crash.signal not in CRASHES))
    return outcome


def _fault(phase: str, how: str, *, is_own: bool) -> Refusal:
    """Of a probe that did not come to its end: the stream's fault where its media were being read, else ``is_own``."""
    if is_own or phase == "connecting":
        return Refusal("unknown", "internal_error", f"the probe {how}")
    return dead("undecodable", f"the decoder {how}")


def _place(error: Exception) -> str:
    """Kind and place of an error: its message may hold a URL."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}"


class _Run:
    def __init__(self, target: ProbeTarget, settings: config.Probe) -> None:
        self.target = target
        self.settings = settings
        self.started = time.monotonic()
        self.opening = SourceInfo()
        self._tell: Tell = lambda _: None

    @property
    def longest_s(self) -> float:
        """Seconds after which even the slowest stream has had its time, and the machine a good deal for itself."""
        sample = max(self.settings.sample_seconds, FIRST_PICTURE_SECONDS)
        reads = over_http.OPENING_READS * self.settings.read_timeout
        return self.settings.connect_timeout + reads + sample + HANG_SECONDS

    def ended(self, tell: Tell) -> ProbeOutcome:
        """The outcome, whatever happens; progress is told as it comes."""
        self._tell = tell
        try:
            return self._judged(self._sample())
        except Refusal as refusal:
            return self.refused(refusal)
        except Exception as error:  # noqa: BLE001 - a fault of the probe's own is a verdict too, told without the message
            return self.refused(Refusal("unknown", "internal_error", _place(error)))

    def _sample(self) -> Sample:
        where = address(self.target, self.settings.user_agent)
        if where.scheme in HTTP:
            self._tell(Progress(0.0, 0, None, None, "connecting"))
            return over_http.measure(
                where,
                self.settings,
                self.opening,
                self._measuring,
                account_busy=self.target.account_busy,
            )
        if where.scheme in LIBAV:
            # What libav opens itself it also reads at once.
            self._tell(Progress(0.0, 0, None, None, "opening"))
            return libav.measure(
                where, self.settings, self._measuring, self.started, account_busy=self.target.account_busy
            )
        known = ", ".join([*HTTP, *LIBAV])
        raise Refusal(
            "skipped", "unsupported_protocol", f"{where.scheme or 'none'} is none of {known}", retryable=False
        )

    def _measuring(self, source: Source) -> Analyzer:
        return Analyzer(
            source,
            sample_seconds=self.settings.sample_seconds,
            thumbnails=self.settings.thumbnails,
            finite=lambda: self.opening.is_finite,
            on_progress=lambda *told: self._tell(Progress(*told)),
            sound_only=self._is_radio,
            min_sample_seconds=self.settings.min_sample_seconds,
            is_healthy=self._is_healthy,
        )

    def _judged(self, sample: Sample) -> ProbeOutcome:
        found, late = sample.found, sample.late
        look = freeze.picture_statistics(found.pictures, found.residue)
        play = timing.simulate_playout(found.arrivals, sample.ended, late)
        judged = self._judge(found, look, play, sample.cut)
        extra = extras(found, look, play, self.opening)
        if (starved := starvation.total(late, sample.ended)) >= LEAST_STARVED and not self.opening.is_finite:
            # A file that comes faster than real time is held up on purpose.
            extra["starved_s"] = round(starved, 2)
        if sample.first_byte:
            extra |= {"first_byte_ms": round((sample.first_byte - self.started) * 1000), "bytes": sample.bytes}
        first = found.first_frame
        result = self._result(judged.verdict, judged.reason, judged.detail).model_copy(
            update=fields(found, look, self.target.name, self.opening)
            | {"first_frame_ms": round((first - self.started) * 1000) if first else None, "extra": extra}
        )
        return ProbeOutcome(
            result,
            found.thumbnail,
            retryable=judged.verdict in ("dead", "unknown") and judged.reason not in FINAL,
            slate=next(one.grey for one in found.pictures if one.is_whole) if look.is_still else None,
        )

    def _judge(
        self, found: Measurement, look: freeze.PictureStatistics, play: timing.Playout, cut: str | None = None
    ) -> verdict.Judgement:
        segmented = self.opening.segmented
        return verdict.judge(
            found,
            look,
            play,
            radio=self._is_radio,
            sample_s=self.settings.sample_seconds,
            ended_early=cut,
            stale_s=segmented.stale_s if segmented else None,
            is_sound_coming=segmented is not None and segmented.is_sound_coming,
            sound_failure=segmented.sound_failure if segmented else None,
            is_segmented=segmented is not None,
            announced_jumps=segmented.announced_jumps if segmented else 0,
            slate_means_busy=self.target.account_full and not self._is_known_slate(found.pictures),
        )

    def _is_known_slate(self, shown: Sequence[freeze.Picture]) -> bool:
        known = [freeze.Picture(0.0, grey) for grey in self.target.known_slates]
        return any(one.is_same(other) for one in shown for other in known)

    @property
    def _is_radio(self) -> bool:
        return self.target.radio or label.says_radio(self.target.name)

    def _is_healthy(self, found: Measurement) -> bool:
        """Whether a sample that has settled would be ok, and comes fast enough to stay so."""
        play = timing.simulate_playout(found.arrivals, found.arrivals[-1][0])
        in_real_time = not self.opening.is_finite and not self.opening.segmented
        if self.opening.segmented and self.opening.segmented.separate_audio:
            # It is listened to at the end.
            return False
        if play.stall_s or (in_real_time and (play.share or 0) < STEADY_SHARE):
            return False
        return self._judge(found, freeze.picture_statistics(found.pictures, found.residue), play).verdict == "ok"

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

    def refused(self, refusal: Refusal) -> ProbeOutcome:
        """The outcome of a stream that gave no media, or of a probe that failed."""
        result = self._result(refusal.verdict, refusal.reason, refusal.detail)
        if self.opening.redirects or self.opening.content_type:
            told = {"redirects": self.opening.redirects, "content_type": content_type(self.opening)}
            result = result.model_copy(update={"extra": {name: value for name, value in told.items() if value}})
        return ProbeOutcome(result, None, refusal.retryable, refusal.retry_after)
