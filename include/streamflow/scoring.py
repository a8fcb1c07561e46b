"""The score of a result: one number for the quality of a stream, by which a channel's streams are ordered."""

from __future__ import annotations

import math
from collections.abc import Sequence

from streamflow.config import Scoring
from streamflow.records import DECIDED, WORKING, Playback, Result

FULL_BITRATE_KBPS = 8000
# Above the full bitrate each doubling adds this much, up to the bound.
BITRATE_STEP = 0.1
MOST_BITRATE = 1.2
FULL_FPS = 60
# Least number of lines and its share. The step above 1.0 lets 2160 lines win over 1080 at the same bitrate and rate.
RESOLUTIONS = ((2160, 1.2), (1080, 1.0), (720, 0.7), (576, 0.5))
LOW_RESOLUTION = 0.3
NEW_CODECS = ("hevc", "av1")
# A stream that takes this long to its first picture gets nothing for its start.
SLOW_START_MS = 5000
# Six sound channels (5.1) get everything for sound, two channels nothing.
FULL_SOUND_CHANNELS = 6
# The bitrate of H.264 that gives the same quality as a bitrate of 1 in this codec, from published savings:
# HEVC 40.8 % against x264 (Grois et al., Proc. SPIE 9217, 2014), AV1 50.3 % against x264 main profile (Facebook
# Engineering, "AV1 beats x264 and libvpx-vp9 in practical use case", 2018), H.264 about half against MPEG-2 (Ohm et
# al., IEEE Trans. Circuits Syst. Video Technol. 22(12), 2012).
H264_EQUIVALENTS = {"hevc": 1.7, "av1": 2.0, "mpeg2video": 0.5}
# The factor on the score of a degraded stream, by the reason.
DEGRADED = {"black_video": 0.1, "frozen_video": 0.1, "low_bitrate": 0.8}
OTHER_DEGRADED = 0.5
SECONDS_PER_DAY = 86_400


def score(result: Result, settings: Scoring, account: str | None = None) -> float | None:
    """Return the weighted mean of bitrate, resolution, frame rate and codec, plus extras and the account's addend.

    HDR, surround sound and a fast start are extras: a stream without them loses nothing.

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
        weights.bitrate * _bitrate(result, by_codec=settings.bitrate_by_codec)
        + weights.resolution * _resolution(result)
        + weights.fps * min(1.0, (result.fps or 0) / FULL_FPS)
        + weights.codec * _codec(result.video_codec, settings.prefer_h265)
        + weights.hdr * bool(result.hdr)
        + weights.audio * _sound(result)
        + weights.start * _start(result)
    ) / (total or 1)
    if result.verdict == "degraded":
        quality *= DEGRADED.get(result.reason or "", OTHER_DEGRADED)
    preferred = settings.prefer_accounts
    addend = preferred.get(str(result.account_id), preferred.get(account or "", 0.0))
    return round(max(0.0, quality + addend), 4)


def reliability(history: Sequence[Result], half_life_days: float, playbacks: Sequence[Playback] = ()) -> float:
    """Return the share of good checks and playbacks of a stream, from 0 to 1; 1 without any.

    A check is good when the stream worked, a playback when it did not break. Each counts half as much as one that is
    ``half_life_days`` newer. Ages are relative to the newest one, so that the share changes with new ones alone and
    not with the time of day.
    """
    seen = [(result.checked_at, result.verdict in WORKING) for result in history if result.verdict in DECIDED]
    seen += [(playback.ended_at, playback.is_good) for playback in playbacks if playback.is_telling]
    if not seen:
        return 1.0
    newest = max(at for at, _ in seen)
    weights = [math.exp2(-(newest - at).total_seconds() / SECONDS_PER_DAY / half_life_days) for at, _ in seen]
    return sum(weight for (_, is_good), weight in zip(seen, weights, strict=True) if is_good) / sum(weights)


def reliable_score(points: float, history: Sequence[Result], settings: Scoring) -> float:
    """Return the score of a stream, lowered by its failures: by ``reliability_weight`` if it failed in every check."""
    return round(points * reliability_factor(history, settings), 4)


def reliability_factor(history: Sequence[Result], settings: Scoring, playbacks: Sequence[Playback] = ()) -> float:
    """Return the factor by which past failures and broken playbacks lower the score of a stream: 1 without any."""
    return 1 - settings.reliability_weight * (1 - reliability(history, settings.reliability_half_life_days, playbacks))


def _bitrate(result: Result, *, by_codec: bool) -> float:
    factor = H264_EQUIVALENTS.get(result.video_codec or "", 1.0) if by_codec else 1.0
    share = (result.bitrate_kbps or 0) * factor / FULL_BITRATE_KBPS
    return share if share <= 1 else min(1 + BITRATE_STEP * math.log2(share), MOST_BITRATE)


def _resolution(result: Result) -> float:
    lines = result.lines
    if not lines:
        return 0.0
    return next((share for least, share in RESOLUTIONS if lines >= least), LOW_RESOLUTION)


def _codec(codec: str | None, prefer_h265: bool) -> float:
    if codec in NEW_CODECS:
        return 1.0 if prefer_h265 else 0.8
    if codec == "h264":
        return 0.8 if prefer_h265 else 1.0
    return 0.5


def _sound(result: Result) -> float:
    channels = max((track.channels or 0 for track in result.audio), default=0)
    return min(max((channels - 2) / (FULL_SOUND_CHANNELS - 2), 0.0), 1.0)


def _start(result: Result) -> float:
    if result.first_frame_ms is None:
        return 0.0
    return max(0.0, 1 - result.first_frame_ms / SLOW_START_MS)
