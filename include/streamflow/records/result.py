"""Results of checks."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from streamflow.records.record import Record

Verdict = Literal["ok", "degraded", "dead", "unknown", "skipped"]
# The verdicts of streams that can be watched.
WORKING: tuple[Verdict, ...] = ("ok", "degraded")
# The verdicts that say something about the stream. The others never count against it.
DECIDED: tuple[Verdict, ...] = (*WORKING, "dead")


class AudioTrack(Record):
    """One audio track of a stream."""

    codec: str
    channels: int | None = None
    sample_rate: int | None = None
    language: str | None = None


class Result(Record):
    """The outcome of one check: the result contract, field by field.

    Durations end in ``_s`` (seconds) or ``_ms`` (milliseconds). Ratios are shares of the sample from 0 to 1. A value
    that was not measured is None.
    """

    stream_id: int
    account_id: int | None = None
    url_hash: str = ""
    checked_at: datetime
    run_id: str | None = None
    verdict: Verdict
    reason: str | None = None
    detail: str | None = None
    attempts: int = 1
    elapsed_s: float = 0.0
    first_frame_ms: int | None = None
    width: int | None = None
    height: int | None = None
    fps: float | None = None
    interlaced: bool | None = None
    hdr: str | None = None
    video_codec: str | None = None
    video_profile: str | None = None
    pixel_format: str | None = None
    bitrate_kbps: int | None = None
    container: str | None = None
    audio: tuple[AudioTrack, ...] = ()
    black_ratio: float | None = None
    frozen_ratio: float | None = None
    silent_ratio: float | None = None
    decode_errors: int | None = None
    discontinuities: int | None = None
    label_mismatch: str | None = None
    score: float | None = None
    tls_untrusted: bool = False
    # Measurements beyond the contract: group of pictures, stalls, each attempt, variants.
    extra: dict[str, Any] = Field(default_factory=dict)

    @property
    def is_working(self) -> bool:
        """Return whether the stream was served and plays."""
        return self.verdict in WORKING


def as_twin(result: Result, stream_id: int) -> Result:
    """Return a result as that of another stream with the same URL and account.

    ``label_mismatch`` is left out, because the name of the other stream was not compared.
    """
    return result.model_copy(update={"stream_id": stream_id, "label_mismatch": None})
