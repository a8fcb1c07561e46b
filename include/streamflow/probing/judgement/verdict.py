"""The verdict: from what was measured to one word, one reason and a sentence of evidence."""

from __future__ import annotations

from dataclasses import dataclass

from streamflow.probing.media.freeze import PictureStatistics
from streamflow.probing.media.measurement import Measurement
from streamflow.probing.media.timing import Playout
from streamflow.records import Verdict

SCRAMBLED_SHARE = 0.5
BLACK_SHARE = 0.9
SILENT_SHARE = 0.98
# Evidence that black, frozen and silent need, in seconds, or nine tenths of a shorter sample.
EVIDENCE_SECONDS = 8.0
EVIDENCE_SHARE = 0.55
STALLED_SECONDS = 1.0
REAL_TIME_SHARE = 0.9
# Packets lost, as a share, and at least so many: a single burst is no reason.
LOST_SHARE = 0.0005
LOST_PACKETS = 8
BAD_PICTURES_SHARE = 0.3
# Jumps of the time stamps in a second: ad breaks make one in minutes.
JUMPS_PER_SECOND = 0.15
# Bits for a point of a picture below which it can't look like anything, by codec; 1080p25: 0.8 Mbit/s of H.264.
BITS_PER_POINT = {"hevc": 0.0075, "av1": 0.006, "vp9": 0.009, "mpeg2video": 0.03}
BITS_PER_POINT_H264 = 0.015


@dataclass(frozen=True)
class Judgement:
    verdict: Verdict
    reason: str | None = None
    detail: str | None = None


OK = Judgement("ok")


def judge(
    found: Measurement,
    look: PictureStatistics,
    play: Playout,
    *,
    radio: bool,
    sample_s: float,
    ended_early: str | None,
    stale_s: float | None,
    is_sound_coming: bool,
    sound_failure: str | None = None,
    is_segmented: bool,
    announced_jumps: int = 0,
    slate_means_busy: bool = False,
) -> Judgement:
    """Judge a stream that gave media.

    :param ended_early: how a live stream came to an end by itself, None if it did not.
    :param stale_s: seconds for which a live playlist has had no new segment.
    :param is_sound_coming: it is not missing yet; ``sound_failure`` tells why it never came.
    :param announced_jumps: of the time stamps, which the playlist told of beforehand.
    :param slate_means_busy: a picture that stands still may be the provider's word for too many connections.
    """
    if found.headers.scrambled_share > SCRAMBLED_SHARE:
        return Judgement("dead", "drm_protected", f"{found.headers.scrambled_share:.0%} of the packets are scrambled")
    if not found.has_video:
        if radio and found.audio:
            return _sound(found, sample_s) or _steady(found, play, ended_early, is_segmented, announced_jumps) or OK
        return Judgement("dead", "no_video", "sound only" if found.audio else "neither video nor sound")
    if not found.pictures:
        seen = f"{found.key_frames} key frames, none could be decoded" if found.key_frames else "no key frame"
        return Judgement("dead", "undecodable", f"{seen} in {found.media_s:.1f} s")
    return (
        _picture(look, sample_s, slate_means_busy)
        or _stale(stale_s)
        or _steady(found, play, ended_early, is_segmented, announced_jumps)
        or (None if found.audio or is_sound_coming else Judgement("degraded", "no_audio", sound_failure or "no track"))
        or _sound(found, sample_s)
        or _bits(found)
        or OK
    )


def _enough(evidence_s: float, sample_s: float) -> bool:
    return evidence_s >= min(EVIDENCE_SECONDS, EVIDENCE_SHARE * sample_s)


def _picture(look: PictureStatistics, sample_s: float, slate_means_busy: bool) -> Judgement | None:
    if not _enough(look.evidence_s, sample_s):
        return None
    if look.is_still and slate_means_busy:
        shown = f"a still picture for {look.evidence_s:.1f} s"
        return Judgement("unknown", "provider_busy", f"{shown} while all connections of the account were in use")
    if look.black_ratio is not None and look.black_ratio >= BLACK_SHARE:
        return Judgement("degraded", "black_video", f"black for {look.evidence_s:.1f} s")
    if look.is_still:
        if look.period_s:
            detail = f"the same pictures every {look.period_s:.1f} s, for {look.evidence_s:.1f} s"
        else:
            detail = f"the same picture for {look.evidence_s:.1f} s"
        return Judgement("degraded", "frozen_video", detail)
    return None


def _stale(stale_s: float | None) -> Judgement | None:
    if stale_s is None:
        return None
    return Judgement("degraded", "frozen_video", f"the live playlist has had no new segment for {stale_s:.0f} s")


def _steady(
    found: Measurement, play: Playout, ended_early: str | None, is_segmented: bool, announced_jumps: int
) -> Judgement | None:
    faults = []
    if ended_early:
        faults.append(ended_early)
    if play.stall_s >= STALLED_SECONDS:
        faults.append(f"playback would wait for {play.stall_s:.1f} s")
    elif play.share is not None and play.share < REAL_TIME_SHARE and not is_segmented:
        faults.append(f"comes at {play.share:.0%} of real time")
    headers = found.headers
    if headers.continuity_errors >= max(LOST_PACKETS, LOST_SHARE * headers.packets):
        faults.append(f"{headers.continuity_errors} gaps in {headers.packets} packets")
    decoded = sum(picture.is_whole for picture in found.pictures) + found.decode_errors
    if found.decode_errors > 1 and found.decode_errors >= BAD_PICTURES_SHARE * decoded:
        faults.append(f"{found.decode_errors} of {decoded} pictures are damaged")
    jumps = found.discontinuities - announced_jumps
    if jumps >= 2 and jumps > JUMPS_PER_SECOND * found.media_s:
        faults.append(f"time stamps jumped {jumps} times")
    return Judgement("degraded", "unstable", "; ".join(faults)) if faults else None


def _sound(found: Measurement, sample_s: float) -> Judgement | None:
    ratio, evidence = found.sound.silent_ratio, found.sound.evidence_s
    if ratio is None or ratio < SILENT_SHARE or not _enough(evidence, sample_s):
        return None
    kind = "digital silence" if found.sound.digital_zero == found.sound.frames else "below -60 dB"
    return Judgement("degraded", "silent_audio", f"{kind} for {evidence:.1f} s")


def _bits(found: Measurement) -> Judgement | None:
    if not (found.width and found.height and found.fps and found.video_codec):
        return None
    # What stuffing fills up is no picture, so the elementary stream would tell more; but filler is inside it, too.
    rate = found.video_kbps or found.bitrate_kbps
    least = BITS_PER_POINT.get(found.video_codec, BITS_PER_POINT_H264) * found.width * found.height * found.fps / 1000
    if rate is None or rate >= least:
        return None
    return Judgement("degraded", "low_bitrate", f"{rate:.0f} kbit/s of video; {least:.0f} is the least for its size")
