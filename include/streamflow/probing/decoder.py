"""The decoder: the process that decodes a stream's media and judges it; it sees neither the network nor a file."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Sequence
from dataclasses import astuple, replace

from pydantic import TypeAdapter

from streamflow.picture_prints import MOST, with_prints
from streamflow.probing import starvation
from streamflow.probing.handover import FeedLost, ReceivedMedia
from streamflow.probing.isolation import messages
from streamflow.probing.isolation.messages import Channel
from streamflow.probing.judgement import label, verdict
from streamflow.probing.judgement.evidence import Delivery, Evidence
from streamflow.probing.judgement.refusal import Refusal, fault
from streamflow.probing.judgement.result_fields import content_type, extras, fields, note
from streamflow.probing.media.analyzer import Analyzer, SampleOptions
from streamflow.probing.media.fingerprint import spread
from streamflow.probing.media.freeze import picture_statistics
from streamflow.probing.media.luma import Picture
from streamflow.probing.media.measurement import Measurement, Sample
from streamflow.probing.media.playout import simulate_playout
from streamflow.probing.media.source import Source
from streamflow.probing.outcome import refused, result_of, to_json
from streamflow.probing.protocols import audio_rendition, http
from streamflow.probing.protocols.audio_rendition import Sound
from streamflow.probing.protocols.source_info import SourceInfo
from streamflow.probing.requests import MeasureRequest
from streamflow.probing.target import MAX_THUMBNAIL_BYTES, ProbeOutcome, Progress
from streamflow.quality import quality

# A shorter time in which this machine was starved is not worth noting.
LEAST_STARVED = 0.1
# A sample may end early when the stream came at this share of real time at least.
STEADY_SHARE = 0.95
SHORT_SHARE_SECONDS = 1.2
# Sound in segments of its own is known as well as the picture when this share of its time has come.
SOUND_SHARE = 0.5
# Measured faults that another try would find again.
FINAL = ("drm_protected", "no_video", "codec_unsupported")

_REQUEST = TypeAdapter(MeasureRequest)


def run(channel: Channel, media: Channel | None) -> None:
    """Measure the stream that comes from the process behind ``media``, and send its outcome."""
    if media is None:
        raise ValueError("nobody fetches the media")
    request = _REQUEST.validate_python(messages.receive(channel))
    judge = Judge(request, channel)
    judge.report(0.0, 0, None, None, "connecting")
    received = ReceivedMedia(media, judge.info)
    judge.conclude(lambda: http.measure(received, request, judge.info, judge.analyzer))


class Judge:
    """Judges one sample.

    ``info`` holds what is known of the stream's source, ``started`` is when the probe began (monotonic).

    :param channel: takes the progress and the outcome.
    """

    def __init__(self, request: MeasureRequest, channel: Channel) -> None:
        self.info = SourceInfo()
        self.started = time.monotonic()
        self._request = request
        self._channel = channel
        # The sound of a playlist of its own so far, and the number of bytes that were heard for it.
        self._sound, self._heard_bytes = Sound(), 0

    def conclude(self, take_sample: Callable[[], Sample]) -> None:
        """Take the sample and send the outcome, whatever happens.

        :raises FeedLost: when the fetcher is gone; the caller learns from its end why.
        """
        try:
            outcome = self._judged(take_sample())
        except Refusal as refusal:
            outcome = self._refused(refusal)
        except FeedLost:
            raise
        except Exception as error:  # noqa: BLE001 - a fault of the probe itself is a verdict too
            outcome = self._refused(fault(error))
        messages.send(self._channel, (True, to_json(outcome)))

    def _refused(self, refusal: Refusal) -> ProbeOutcome:
        info = self.info
        return refused(refusal, self.started, redirects=info.redirects, content_type=content_type(info))

    def analyzer(self, source: Source) -> Analyzer:
        """Return the analyzer of what arrives from a source."""
        options = SampleOptions(
            sample_seconds=self._request.sample_seconds,
            min_sample_seconds=self._request.min_sample_seconds,
            known=self._request.known,
            thumbnails=self._request.thumbnails,
            expects_video=not self._is_radio,
        )
        return Analyzer(
            source,
            options,
            is_finite=lambda: self.info.is_finite,
            with_sound=self._with_sound,
            is_healthy=self._is_healthy,
            on_progress=self.report,
        )

    def report(self, seconds: float, received: int, kbps: int | None, first_frame_ms: int | None, phase: str) -> None:
        """Send the progress; see :class:`Progress`."""
        messages.send(self._channel, (False, astuple(Progress(seconds, received, kbps, first_frame_ms, phase))))

    # -- judgement ---------------------------------------------------------------------------
    def _judged(self, sample: Sample) -> ProbeOutcome:
        measurement, started = sample.measurement, self.started
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
            extra |= {"first_byte_ms": round((sample.first_byte - started) * 1000), "bytes": sample.bytes}
        first = measurement.first_frame
        result = result_of(judged.verdict, judged.reason, judged.detail or note(self.info), started).model_copy(
            update=fields(evidence, self._request.name, self.info)
            | {"first_frame_ms": round((first - started) * 1000) if first else None, "extra": extra}
        )
        is_still = evidence.pictures.is_still
        return ProbeOutcome(
            result.model_copy(update={"quality": quality(result)}),
            _with_prints(measurement),
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
                has_sample_key=playlist.has_sample_key,
            )
        return Evidence(
            measurement,
            picture_statistics(measurement.pictures, measurement.residue),
            simulate_playout(measurement.arrivals, ended, starved),
            delivery,
            sample_s=self._request.sample_seconds,
            is_radio=self._is_radio,
            account_full=self._request.account_full,
            slate_means_busy=self._request.account_full and not self._is_known_slate(measurement.pictures),
        )

    def _is_known_slate(self, shown: Sequence[Picture]) -> bool:
        known = [Picture(0.0, base64.b64decode(slate)) for slate in self._request.known_slates]
        return any(picture.is_same(slate) for picture in shown for slate in known)

    @property
    def _is_radio(self) -> bool:
        return self._request.radio or label.says_radio(self._request.name)

    def _with_sound(self, found: Measurement) -> Measurement:
        """Return the figures with the sound that comes in segments of its own, once enough of it is there."""
        playlist = self.info.playlist
        if found.audio or not (playlist and playlist.audio):
            return found
        if len(playlist.audio) != self._heard_bytes:
            self._heard_bytes = len(playlist.audio)
            self._sound = audio_rendition.measure(bytes(playlist.audio), playlist.audio_language)
        if self._sound.media_s < SOUND_SHARE * found.media_s:
            return found
        merged = replace(found)
        self._sound.add_to(merged)
        return merged

    def _is_healthy(self, measurement: Measurement) -> bool:
        """Return whether a sample that may end early would be ok, and comes fast enough to stay so."""
        playlist = self.info.playlist
        if playlist and playlist.separate_audio and not measurement.audio:
            # Too little of the sound in segments of its own has come.
            return False
        if playlist and playlist.is_live and not playlist.has_moved:
            # Its source may have stopped.
            return False
        end = measurement.arrivals[-1][0]
        evidence = self._evidence(measurement, end)
        playout = simulate_playout(measurement.arrivals, end, share_seconds=SHORT_SHARE_SECONDS)
        if playout.stall_s or (not playlist and (playout.share or 0) < STEADY_SHARE):
            return False
        return verdict.judge(evidence).verdict == "ok" and verdict.has_bits_to_spare(evidence)


def _with_prints(measurement: Measurement) -> bytes | None:
    """Return the thumbnail with the fingerprints of the sample's pictures, as far as they fit."""
    if measurement.thumbnail is None:
        return None
    marked = with_prints(measurement.thumbnail, spread(measurement.pictures, MOST))
    return marked if len(marked) <= MAX_THUMBNAIL_BYTES else measurement.thumbnail
