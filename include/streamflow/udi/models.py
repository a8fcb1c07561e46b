"""The records of the UDI: accounts, groups, streams, channels and results."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Verdict = Literal["ok", "degraded", "dead", "unknown", "skipped"]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Profile(_Record):
    """One login of an account, with the rewriting that turns the account's URLs into this login's."""

    id: int
    name: str = ""
    max_streams: int = 0
    is_active: bool = True
    is_default: bool = False
    search_pattern: str = ""
    replace_pattern: str = ""


class Account(_Record):
    """A provider account; ``max_streams`` connections at once, 0 = unlimited.

    ``budget`` names what its connections are counted against: accounts that share one login share it.
    """

    id: int
    name: str
    account_type: str = "STD"
    max_streams: int = 0
    is_active: bool = True
    user_agent: str | None = None
    server_group: int | None = None
    budget: str = ""
    profiles: tuple[Profile, ...] = ()


class Group(_Record):
    id: int
    name: str


class Stream(_Record):
    """One URL of one account. ``url`` holds passwords: it never leaves the UDI but to the prober."""

    id: int
    name: str
    url: str | None = Field(default=None, repr=False)
    account_id: int | None = None
    group_id: int | None = None
    provider_id: str | None = None
    tvg_id: str | None = None
    is_stale: bool = False
    is_custom: bool = False
    stats: dict[str, Any] | None = None

    @property
    def url_hash(self) -> str:
        """SHA-256 of the URL, as hex: the stream's identity over changed ids."""
        return hashlib.sha256((self.url or "").encode()).hexdigest()


class Channel(_Record):
    """A channel and its alternative streams, best first."""

    id: int
    name: str
    number: float | None = None
    group_id: int | None = None
    uuid: str | None = None
    stream_ids: tuple[int, ...] = ()


class AudioTrack(_Record):
    codec: str
    channels: int | None = None
    sample_rate: int | None = None
    language: str | None = None


class Result(_Record):
    """The outcome of one check: the result contract, field by field.

    Times end in ``_s`` (seconds) or ``_ms``; ratios are shares of the sample from 0 to 1;
    what was not measured is None.
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
    # What the contract's fields leave out: GOP, stalls, each attempt, variants and the like.
    extra: dict[str, Any] = Field(default_factory=dict)


def as_twin(result: Result, stream_id: int) -> Result:
    """A result as that of another stream of the same URL and account; what its own name promises was not compared."""
    return result.model_copy(update={"stream_id": stream_id, "label_mismatch": None})
