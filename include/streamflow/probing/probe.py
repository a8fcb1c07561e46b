"""The probe of one stream: open, measure, judge; in a process of its own."""

from __future__ import annotations

import base64
import hashlib
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import astuple
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from streamflow import config
from streamflow.masking import mask
from streamflow.net.egress import EgressOptions
from streamflow.probing import starvation
from streamflow.probing.isolation import Crashed, Hung, Send, Stopped, isolated
from streamflow.probing.judgement import label, verdict
from streamflow.probing.judgement.evidence import Delivery, Evidence
from streamflow.probing.judgement.refusal import Refusal, cancelled, dead
from streamflow.probing.judgement.result_fields import content_type, extras, fields, note
from streamflow.probing.media.analyzer import FIRST_PICTURE_SECONDS, Analyzer, SampleOptions
from streamflow.probing.media.freeze import picture_statistics
from streamflow.probing.media.luma import Picture
from streamflow.probing.media.measurement import Measurement, Sample
from streamflow.probing.media.playout import simulate_playout
from streamflow.probing.media.source import Source
from streamflow.probing.net.options import NetworkOptions
from streamflow.probing.protocols import http, libav
from streamflow.probing.protocols.source_info import SourceInfo
from streamflow.probing.target import HTTP, LIBAV, ProbeOutcome, ProbeTarget, Progress, address
from streamflow.quality import quality
from streamflow.records import Result
from streamflow.records.result import Verdict

# A shorter time in which this machine was starved is not worth noting.
LEAST_STARVED = 0.1
# Added to the longest time that a probe can take by its settings.
HANG_SECONDS = 30.0
# A sample may end early when the stream came at this share of real time at least.
STEADY_SHARE = 0.95
# Signals by which a faulty decoder ends. Any other signal comes from outside.
CRASHES = frozenset({signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL})
# Measured faults that another try would find again.
FINAL = ("drm_protected", "no_video", "codec_unsupported")

PHASES = ("connecting", "opening", "measuring")

OnProgress = Callable[[Progress], None]


def probe(
    target: ProbeTarget,
    settings: config.Probe,
    *,
    cancel: threading.Event | None = None,
    on_progress: OnProgress | None = None,
) -> ProbeOutcome:
    """Probe a stream over one connection for ``settings.sample_seconds``; never raises for what a stream does.

    :param cancel: ends the probe within a fifth of a second, with verdict ``unknown`` and reason ``cancelled``.
    :param on_progress: is called in another thread.
    """
    run, phase = _Run(target, settings), "connecting"

    def report(message: Any) -> None:
        nonlocal phase
        progress = _progress(message)
        if progress is None:
            return
        phase = progress.phase
        if on_progress:
            on_progress(progress)

    try:
        sent = isolated(run.sent_outcome, on_message=report, stop=cancel or threading.Event(), longest_s=run.longest_s)
    except Stopped:
        return run.refused(cancelled())
    except Hung:
        return run.refused(_fault(phase, f"did not return within {run.longest_s:.0f} s", is_own=False))
    except Crashed as crash:
        how = f"was ended by {crash.signal.name}" if crash.signal else "ended without a result"
        return run.refused(_fault(phase, how, is_own=crash.signal not in CRASHES))
    try:
        return run.received(sent)
    except (KeyError, TypeError, ValueError):
        return run.refused(Refusal("unknown", "internal_error", "the probe returned no valid result"))


def _fault(phase: str, how: str, *, is_own: bool) -> Refusal:
    """Return the refusal for a probe that did not end well: the stream's fault while its media were read."""
    if is_own or phase == "connecting":
        return Refusal("unknown", "internal_error", f"the probe {how}")
    return dead("undecodable", f"the decoder {how}")


def _progress(message: Any) -> Progress | None:
    """Return the progress that the probe's process sent; None for anything else."""
    try:
        seconds, received, kbps, first_ms, phase = message
        return Progress(
            float(seconds),
            int(received),
            None if kbps is None else int(kbps),
            None if first_ms is None else int(first_ms),
            phase if phase in PHASES else PHASES[0],
        )
    except (TypeError, ValueError, OverflowError):
        return None


def _encoded(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode("ascii")


def _decoded(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text, validate=True)


def _place(error: Exception) -> str:
    """Return kind and place of an error: its message may hold a URL."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}"


class _Run:
    def __init__(self, target: ProbeTarget, settings: config.Probe) -> None:
        self.target = target
        self.settings = settings
        self.started = time.monotonic()
        self._egress = EgressOptions.of(target.allowed_networks, os.environ, target.source_host)
        self.info = SourceInfo()
        self._send: Callable[[Progress], None] = lambda _: None

    @property
    def longest_s(self) -> float:
        """Seconds in which even the slowest stream ends, with a good margin for a loaded machine."""
        sample = max(self.settings.sample_seconds, FIRST_PICTURE_SECONDS)
        reads = http.OPENING_READS * self.settings.read_timeout
        return self.settings.connect_timeout + reads + sample + HANG_SECONDS

    def sent_outcome(self, send: Send) -> dict[str, Any]:
        """Return the outcome as JSON values, whatever happens; progress is sent as it comes."""
        self._send = lambda progress: send(astuple(progress))
        outcome = self._outcome()
        return {
            "result": outcome.result.model_dump(mode="json"),
            "thumbnail": _encoded(outcome.thumbnail),
            "retryable": outcome.retryable,
            "retry_after": outcome.retry_after,
            "slate": _encoded(outcome.slate),
        }

    def received(self, sent: dict[str, Any]) -> ProbeOutcome:
        """Return the outcome that the probe's process sent; whose stream it is, this process knows better.

        :raises ValueError, KeyError, TypeError: for anything else than an outcome.
        """
        result = Result.model_validate(sent["result"]).model_copy(update=self._identity)
        retry_after = sent["retry_after"]
        return ProbeOutcome(
            result,
            _decoded(sent["thumbnail"]),
            retryable=bool(sent["retryable"]),
            retry_after=None if retry_after is None else float(retry_after),
            slate=_decoded(sent["slate"]),
        )

    @property
    def _identity(self) -> dict[str, Any]:
        return {
            "stream_id": self.target.stream_id,
            "account_id": self.target.account_id,
            "url_hash": hashlib.sha256(self.target.url.encode()).hexdigest(),
        }

    def _outcome(self) -> ProbeOutcome:
        try:
            return self._judged(self._sample())
        except Refusal as refusal:
            return self.refused(refusal)
        except Exception as error:  # noqa: BLE001 - a fault of the probe itself is a verdict too
            return self.refused(Refusal("unknown", "internal_error", _place(error)))

    def _sample(self) -> Sample:
        where = address(self.target, self.settings.user_agent)
        if where.scheme in HTTP:
            self._send(Progress(0.0, 0, None, None, "connecting"))
            return http.measure(where, self.settings, self.info, self._analyzer, self._network_options)
        if where.scheme in LIBAV:
            # libav reads at once when it opens an address itself.
            self._send(Progress(0.0, 0, None, None, "opening"))
            return libav.measure(where, self.settings, self._analyzer, self.started, self._network_options)
        known = ", ".join([*HTTP, *LIBAV])
        raise Refusal(
            "skipped", "unsupported_protocol", f"{where.scheme or 'none'} is none of {known}", retryable=False
        )

    @property
    def _network_options(self) -> NetworkOptions:
        settings = self.settings
        return NetworkOptions(
            settings.connect_timeout,
            settings.read_timeout,
            settings.proxy,
            settings.tls,
            egress=self._egress,
            account_busy=self.target.account_busy,
        )

    def _analyzer(self, source: Source) -> Analyzer:
        options = SampleOptions(
            sample_seconds=self.settings.sample_seconds,
            min_sample_seconds=self.settings.min_sample_seconds,
            thumbnails=self.settings.thumbnails,
            expects_video=not self._is_radio,
        )
        return Analyzer(
            source,
            options,
            is_finite=lambda: self.info.is_finite,
            is_healthy=self._is_healthy,
            on_progress=lambda *figures: self._send(Progress(*figures)),
        )

    # -- judgement ---------------------------------------------------------------------------
    def _judged(self, sample: Sample) -> ProbeOutcome:
        measurement = sample.measurement
        evidence = self._evidence(measurement, sample.ended, sample.starved, sample.interruption)
        judged = verdict.judge(evidence)
        if self.info.notice_s is not None and judged.verdict == "ok":
            detail = f"a recording of {self.info.notice_s:.0f} s in place of a live stream"
            judged = verdict.Judgement("degraded", "not_live", detail)
        extra = extras(evidence, self.info)
        starved_s = starvation.total(sample.starved, sample.ended)
        if starved_s >= LEAST_STARVED and not self.info.is_finite:
            # A file that comes faster than real time is held up on purpose.
            extra["starved_s"] = round(starved_s, 2)
        if sample.first_byte:
            extra |= {"first_byte_ms": round((sample.first_byte - self.started) * 1000), "bytes": sample.bytes}
        first = measurement.first_frame
        result = self._result(judged.verdict, judged.reason, judged.detail or note(self.info)).model_copy(
            update=fields(evidence, self.target.name, self.info)
            | {"first_frame_ms": round((first - self.started) * 1000) if first else None, "extra": extra}
        )
        is_still = evidence.pictures.is_still
        return ProbeOutcome(
            result.model_copy(update={"quality": quality(result)}),
            measurement.thumbnail,
            retryable=judged.verdict in ("dead", "unknown") and judged.reason not in FINAL,
            slate=next(picture.grey for picture in measurement.pictures if picture.is_whole) if is_still else None,
        )

    def _evidence(
        self,
        measurement: Measurement,
        ended: float,
        starved: Sequence[tuple[float, float]] = (),
        interruption: str | None = None,
    ) -> Evidence:
        playlist = self.info.playlist
        delivery = Delivery(interruption=interruption)
        if playlist:
            delivery = Delivery(
                is_segmented=True,
                interruption=interruption,
                stale_s=playlist.stale_s,
                announced_jumps=playlist.announced_jumps,
                is_sound_coming=playlist.is_audio_pending,
                sound_failure=playlist.audio_failure,
            )
        return Evidence(
            measurement,
            picture_statistics(measurement.pictures, measurement.residue),
            simulate_playout(measurement.arrivals, ended, starved),
            delivery,
            sample_s=self.settings.sample_seconds,
            is_radio=self._is_radio,
            account_busy=self.target.account_busy,
            slate_means_busy=self.target.account_full and not self._is_known_slate(measurement.pictures),
        )

    def _is_known_slate(self, shown: Sequence[Picture]) -> bool:
        known = [Picture(0.0, grey) for grey in self.target.known_slates]
        return any(picture.is_same(slate) for picture in shown for slate in known)

    @property
    def _is_radio(self) -> bool:
        return self.target.radio or label.says_radio(self.target.name)

    def _is_healthy(self, measurement: Measurement) -> bool:
        """Return whether a sample that may end early would be ok, and comes fast enough to stay so."""
        playlist = self.info.playlist
        if playlist and playlist.separate_audio:
            # Sound in segments of its own is measured at the end.
            return False
        evidence = self._evidence(measurement, measurement.arrivals[-1][0])
        playout, in_real_time = evidence.playout, not self.info.is_finite and not playlist
        if playout.stall_s or (in_real_time and (playout.share or 0) < STEADY_SHARE):
            return False
        return verdict.judge(evidence).verdict == "ok"

    # -- results -----------------------------------------------------------------------------
    def _result(self, word: Verdict, reason: str | None, detail: str | None) -> Result:
        return Result(
            **self._identity,
            checked_at=datetime.now(UTC),
            verdict=word,
            reason=reason,
            detail=mask(detail) if detail else None,
            elapsed_s=round(time.monotonic() - self.started, 2),
        )

    def refused(self, refusal: Refusal) -> ProbeOutcome:
        """Return the outcome of a stream that gave no media, or of a probe that failed."""
        result = self._result(refusal.verdict, refusal.reason, refusal.detail)
        noted = {"redirects": self.info.redirects, "content_type": content_type(self.info)}
        if extra := {name: value for name, value in noted.items() if value}:
            result = result.model_copy(update={"extra": extra})
        return ProbeOutcome(result, None, refusal.retryable, refusal.retry_after)
