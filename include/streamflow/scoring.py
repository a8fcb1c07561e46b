"""The score of a result: one number for the quality of a stream, by which a channel's streams are ordered."""

from __future__ import annotations

from streamflow.config import Scoring
from streamflow.records import WORKING, Result

FULL_BITRATE_KBPS = 8000
FULL_FPS = 60
# Least number of lines and its share. The step above 1.0 lets 2160 lines win over 1080 at the same bitrate and rate.
RESOLUTIONS = ((2160, 1.2), (1080, 1.0), (720, 0.7), (576, 0.5))
LOW_RESOLUTION = 0.3
NEW_CODECS = ("hevc", "av1")
# The factor on the score of a degraded stream, by the reason.
DEGRADED = {"black_video": 0.1, "frozen_video": 0.1, "low_bitrate": 0.8}
OTHER_DEGRADED = 0.5


def score(result: Result, settings: Scoring, account: str | None = None) -> float | None:
    """Return the weighted mean of bitrate, resolution, frame rate and codec, plus the addend of the account.

    :param account: the account's name; ``prefer_accounts`` lists addends by id or name.
    :returns: 0 for a dead stream, about 1 for a very good one, more for 2160 lines; None for a verdict that decides
        nothing.
    """
    if result.verdict == "dead":
        return 0.0
    if result.verdict not in WORKING:
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
        quality *= DEGRADED.get(result.reason or "", OTHER_DEGRADED)
    preferred = settings.prefer_accounts
    addend = preferred.get(str(result.account_id), preferred.get(account or "", 0.0))
    return round(max(0.0, quality + addend), 4)


def _resolution(result: Result) -> float:
    if not result.height:
        return 0.0
    # A film cropped to 1920x800 counts as 1080 lines.
    lines = max(result.height, (result.width or 0) * 9 // 16)
    return next((share for least, share in RESOLUTIONS if lines >= least), LOW_RESOLUTION)


def _codec(codec: str | None, prefer_h265: bool) -> float:
    if codec in NEW_CODECS:
        return 1.0 if prefer_h265 else 0.8
    if codec == "h264":
        return 0.8 if prefer_h265 else 1.0
    return 0.5
