"""The score of a result: how good a stream is to watch, for ordering a channel's streams."""

from __future__ import annotations

from streamflow.config import Scoring
from streamflow.records import Result

FULL_BITRATE_KBPS = 8000
FULL_FPS = 60
# Least lines and their share; the step above 1.0 lets 2160 lines win over 1080 that are otherwise alike.
RESOLUTIONS = ((2160, 1.2), (1080, 1.0), (720, 0.7), (576, 0.5))
LOW_RESOLUTION = 0.3
NEW_CODECS = ("hevc", "av1")
# What is left of the score of a stream that can be opened and yet is no pleasure, by the reason.
DEGRADED = {"black_video": 0.1, "frozen_video": 0.1, "low_bitrate": 0.8}
DEGRADED_OTHERWISE = 0.5


def score(result: Result, settings: Scoring, account: str | None = None) -> float | None:
    """From 0 (dead) to about 1 and beyond for 2160 lines; None where the verdict decides nothing.

    The weighted mean of bitrate, resolution, frame rate and codec, plus what ``prefer_accounts`` adds by the account's
    id or name.
    """
    if result.verdict == "dead":
        return 0.0
    if result.verdict not in ("ok", "degraded"):
        return None
    weights = settings.weights
    total = weights.bitrate + weights.resolution + weights.fps + weights.codec
    quality = (
        weights.bitrate * min(1.0, (result.bitrate_kbps or 0) / FULL_BITRATE_KBPS)
        + weights.resolution * _resolution(result)
        + weights.fps * min(1.0, (result.fps or 0) / FULL_FPS)
        + weights.codec * _codec(result.video_codec, settings.prefer_h265)
    ) / (total or 1)
    if result.verdict == "degraded":
        quality *= DEGRADED.get(result.reason or "", DEGRADED_OTHERWISE)
    preferred = settings.prefer_accounts
    addend = preferred.get(str(result.account_id), preferred.get(account or "", 0.0))
    return round(max(0.0, quality + addend), 4)


def _resolution(result: Result) -> float:
    if not result.height:
        return 0.0
    # A film cropped to 1920x800 is no less than 1080 lines.
    lines = max(result.height, (result.width or 0) * 9 // 16)
    return next((share for least, share in RESOLUTIONS if lines >= least), LOW_RESOLUTION)


def _codec(codec: str | None, prefer_h265: bool) -> float:
    if codec in NEW_CODECS:
        return 1.0 if prefer_h265 else 0.8
    if codec == "h264":
        return 0.8 if prefer_h265 else 1.0
    return 0.5
