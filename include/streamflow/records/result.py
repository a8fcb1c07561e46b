"""Results of checks."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from streamflow.records.record import Record
from streamflow.records.text import ITEMS, Language, Measurements, Sentence, Word

Verdict = Literal["ok", "degraded", "dead", "unknown", "skipped"]
# The verdicts of streams that can be watched.
WORKING: tuple[Verdict, ...] = ("ok", "degraded")
# The verdicts that say something about the stream. The others never count against it.
DECIDED: tuple[Verdict, ...] = (*WORKING, "dead")


class AudioTrack(Record):
    """One audio track of a stream."""

    codec: Word = Field(description="Name of the codec")
    channels: int | None = Field(None, description="Number of channels")
    sample_rate: int | None = Field(None, description="Samples per second")
    language: Language | None = Field(None, description="Language as the stream declares it")


def is_usable(verdict: Verdict, reason: str | None, unusable: Collection[str]) -> bool:
    """Return whether people can watch a stream.

    :param unusable: the reasons for which a degraded stream cannot be watched, see ``scoring.unusable_reasons``.
    """
    return verdict in WORKING and reason not in unusable


class Result(Record):
    """The outcome of one check: the result contract, field by field.

    Durations end in ``_s`` (seconds) or ``_ms`` (milliseconds). Ratios are shares of the sample from 0 to 1. A value
    that was not measured is None.
    """

    stream_id: int = Field(description="Id of the stream in Dispatcharr")
    account_id: int | None = Field(None, description="Id of the account that it was checked with")
    url_hash: str = Field("", description="SHA-256 of its URL in hexadecimal digits")
    checked_at: datetime = Field(description="Time of the check")
    run_id: str | None = Field(None, description="Id of the run in Airflow")
    verdict: Verdict = Field(
        description="`unknown`: the check reached no verdict; `skipped`: the stream was not probed"
    )
    reason: Word | None = Field(None, description="Reason for any other verdict than `ok`")
    detail: Sentence | None = Field(None, description="Details of the reason for people")
    attempts: int = Field(1, description="Number of connections that the check tried")
    elapsed_s: float = Field(0.0, description="Seconds that the check took")
    first_frame_ms: int | None = Field(None, description="Milliseconds until the first picture")
    width: int | None = Field(None, description="Width of the picture in pixels")
    height: int | None = Field(None, description="Height of the picture in pixels")
    fps: float | None = Field(None, description="Frames per second")
    interlaced: bool | None = Field(None, description="Whether the picture is interlaced")
    hdr: Word | None = Field(None, description="Kind of high dynamic range; null for none")
    video_codec: Word | None = Field(None, description="Name of the video codec")
    video_profile: Word | None = Field(None, description="Profile of the video codec")
    pixel_format: Word | None = Field(None, description="Pixel format as FFmpeg names it")
    bitrate_kbps: int | None = Field(None, description="Bitrate in kbit/s")
    container: Word | None = Field(None, description="Container format")
    audio: Annotated[tuple[AudioTrack, ...], AfterValidator(lambda tracks: tracks[:ITEMS])] = Field(
        (), description="Sound tracks"
    )
    black_ratio: float | None = Field(None, description="Share of the sample with a black picture, from 0 to 1")
    frozen_ratio: float | None = Field(None, description="Share of the sample with a frozen picture, from 0 to 1")
    silent_ratio: float | None = Field(None, description="Share of the sample without sound, from 0 to 1")
    decode_errors: int | None = Field(None, description="Number of pictures that could not be decoded")
    discontinuities: int | None = Field(None, description="Number of gaps in the transport")
    label_mismatch: Sentence | None = Field(
        None, description="Difference between the name of the stream and the measurement"
    )
    score: float | None = Field(None, description="Score from 0 to 1; null without a measurement")
    quality: float | None = Field(None, ge=1, le=5, description="Estimated mean opinion score from 1 to 5")
    tls_untrusted: bool = Field(False, description="Whether the certificate of the server is not trusted")
    # Measurements beyond the contract: group of pictures, stalls, each attempt, variants.
    extra: Measurements = Field(default_factory=dict, description="Further measurements")

    @property
    def is_working(self) -> bool:
        """Return whether the stream was served and plays."""
        return self.verdict in WORKING

    def is_usable(self, unusable: Collection[str]) -> bool:
        """Return whether people can watch the stream; see :func:`is_usable`."""
        return is_usable(self.verdict, self.reason, unusable)

    @property
    def lines(self) -> int | None:
        """The number of lines, or of the full picture that a wide film was cropped from: 1080 for 1920×800."""
        return max(self.height, (self.width or 0) * 9 // 16) if self.height else None


def as_twin(result: Result, stream_id: int) -> Result:
    """Return a result as that of another stream with the same URL and account.

    ``label_mismatch`` is left out, because the name of the other stream was not compared.
    """
    return result.model_copy(update={"stream_id": stream_id, "label_mismatch": None})
