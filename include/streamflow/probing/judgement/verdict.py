"""The verdict on a stream that sent media: one word, one reason and a sentence of evidence.

Each step looks at one fault and returns a judgement where it finds it. The first step that finds one decides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from streamflow.probing.judgement.evidence import Evidence
from streamflow.records import Verdict

SCRAMBLED_SHARE = 0.5
BLACK_SHARE = 0.9
SILENT_SHARE = 0.98
# The evidence that black, frozen and silent need: this many seconds, or this share of a shorter sample.
EVIDENCE_SECONDS = 8.0
EVIDENCE_SHARE = 0.55
# A live stream without a key frame for this long may have one later; a shorter one that ended has none.
KEY_SECONDS = 15.0
STALLED_SECONDS = 1.0
REAL_TIME_SHARE = 0.9
# Packets lost, as a share and at least: a single burst is no reason.
LOST_SHARE = 0.0005
LOST_PACKETS = 8
DAMAGED_SHARE = 0.3
# Jumps of the time stamps a second: ad breaks make one in minutes.
JUMPS_PER_SECOND = 0.15
# Bits per point of a picture below which it may look bad, by codec; for 1080p25 that is 0.8 Mbit/s of H.264.
BITS_PER_POINT = {"hevc": 0.0075, "av1": 0.006, "vp9": 0.009, "mpeg2video": 0.03}
BITS_PER_POINT_H264 = 0.015
# Below this quantizer a picture of H.264 looks good at any bitrate: it needs no more.
GOOD_QUANTIZER = 32.0
# A picture needs all of these bits when at least this share of it changes all the time; titles and screens do not.
ACTIVE_SHARE = 0.16
LEAST_ACTIVITY = 0.1
# Neighbouring places of a small picture differ by at least this many levels where it has detail. Scenes have 5 to 8, a
# smooth gradient 0.2.
DETAILED = 3.0
# A bitrate and an activity that are each a tenth off leave a bitrate of this share enough.
SPARE = 1.25


@dataclass(frozen=True)
class Judgement:
    """A verdict with its reason and a sentence of evidence."""

    verdict: Verdict
    reason: str | None = None
    detail: str | None = None


OK = Judgement("ok")
Step = Callable[[Evidence], Judgement | None]


def judge(evidence: Evidence) -> Judgement:
    """Return the judgement of the first step that finds a fault; ``ok`` where none does."""
    steps = RADIO_STEPS if evidence.is_radio and evidence.is_sound_alone else STEPS
    return next((judgement for step in steps if (judgement := step(evidence))), OK)


def _is_enough(evidence: Evidence, seconds: float) -> bool:
    return seconds >= min(EVIDENCE_SECONDS, EVIDENCE_SHARE * evidence.sample_s)


# -- dead and unknown ---------------------------------------------------------------------------
def encrypted(evidence: Evidence) -> Judgement | None:
    """Find media that only a licence opens."""
    share = evidence.measurement.headers.scrambled_share
    if share > SCRAMBLED_SHARE:
        return Judgement("dead", "drm_protected", f"{share:.0%} of the packets are scrambled")
    if evidence.measurement.is_encrypted:
        return Judgement("dead", "drm_protected", "the media are encrypted sample by sample")
    return None


def unsupported(evidence: Evidence) -> Judgement | None:
    """Find a video whose codec has no decoder here."""
    measurement = evidence.measurement
    if measurement.has_video or not measurement.unsupported_video:
        return None
    return Judgement("unknown", "codec_unsupported", f"no decoder for {measurement.unsupported_video}")


def without_video(evidence: Evidence) -> Judgement | None:
    """Find a stream that sends no video."""
    measurement = evidence.measurement
    if evidence.is_sound_alone:
        announced = "; nothing of the announced video came" if measurement.has_video else ""
        return Judgement("dead", "no_video", f"sound only{announced}")
    return None if measurement.has_video else Judgement("dead", "no_video", "neither video nor sound")


def undecodable(evidence: Evidence) -> Judgement | None:
    """Find a video of which no picture could be decoded."""
    measurement = evidence.measurement
    if measurement.pictures:
        return None
    if evidence.delivery.has_sample_key:
        return Judgement("dead", "drm_protected", "the key that the playlist names opens no picture")
    if measurement.key_frames:
        frames = f"{measurement.key_frames} key frame{'s' if measurement.key_frames > 1 else ''}"
        return Judgement("dead", "undecodable", f"{frames} in {measurement.media_s:.1f} s, none could be decoded")
    if measurement.media_s >= KEY_SECONDS and not evidence.delivery.interruption:
        return Judgement("unknown", "no_key_frame", f"no key frame came within {measurement.media_s:.1f} s")
    return Judgement("dead", "undecodable", f"no key frame in {measurement.media_s:.1f} s")


def busy_slate(evidence: Evidence) -> Judgement | None:
    """Find a still picture that the provider may show for want of a connection."""
    pictures = evidence.pictures
    if not (evidence.slate_means_busy and pictures.is_still and _is_enough(evidence, pictures.evidence_s)):
        return None
    shown = f"a still picture for {pictures.evidence_s:.1f} s"
    return Judgement("unknown", "provider_busy", f"{shown} while all connections of the account were in use")


def cut_off(evidence: Evidence) -> Judgement | None:
    """Find a stream that the provider may have ended in favour of a newer connection."""
    interruption = evidence.delivery.interruption
    if not (interruption and evidence.account_full):
        return None
    detail = f"{interruption}, while all connections of the account were in use"
    return Judgement("unknown", "provider_busy", detail)


# -- degraded -----------------------------------------------------------------------------------
def black(evidence: Evidence) -> Judgement | None:
    """Find a black picture."""
    pictures = evidence.pictures
    if (pictures.black_ratio or 0.0) < BLACK_SHARE or not _is_enough(evidence, pictures.evidence_s):
        return None
    return Judgement("degraded", "black_video", f"black for {pictures.evidence_s:.1f} s")


def frozen(evidence: Evidence) -> Judgement | None:
    """Find a still picture, or a few that repeat."""
    pictures = evidence.pictures
    if not pictures.is_still or not _is_enough(evidence, pictures.evidence_s):
        return None
    if pictures.period_s:
        detail = f"the same pictures every {pictures.period_s:.1f} s, for {pictures.evidence_s:.1f} s"
    else:
        detail = f"the same picture for {pictures.evidence_s:.1f} s"
    return Judgement("degraded", "frozen_video", detail)


def stale(evidence: Evidence) -> Judgement | None:
    """Find a live playlist that no longer moves on."""
    seconds = evidence.delivery.stale_s
    if seconds is None:
        return None
    return Judgement("degraded", "frozen_video", f"the live playlist has had no new segment for {seconds:.0f} s")


def unstable(evidence: Evidence) -> Judgement | None:
    """Find stalls, losses, damage and jumps of the time stamps."""
    faults = [fault for look in (_delivery_fault, _loss_fault, _damage_fault, _jump_fault) if (fault := look(evidence))]
    return Judgement("degraded", "unstable", "; ".join(faults)) if faults else None


def _delivery_fault(evidence: Evidence) -> str | None:
    playout, delivery, faults = evidence.playout, evidence.delivery, []
    if delivery.interruption:
        faults.append(delivery.interruption)
    if playout.stall_s >= STALLED_SECONDS:
        faults.append(f"playback would wait for {playout.stall_s:.1f} s")
    elif playout.share is not None and playout.share < REAL_TIME_SHARE and not delivery.is_segmented:
        faults.append(f"comes at {playout.share:.0%} of real time")
    return "; ".join(faults) or None


def _loss_fault(evidence: Evidence) -> str | None:
    headers = evidence.measurement.headers
    is_lossy = headers.continuity_errors >= max(LOST_PACKETS, LOST_SHARE * headers.packets)
    return f"{headers.continuity_errors} gaps in {headers.packets} packets" if is_lossy else None


def _damage_fault(evidence: Evidence) -> str | None:
    measurement = evidence.measurement
    damaged = measurement.decode_errors
    decoded = sum(picture.is_whole for picture in measurement.pictures) + damaged
    is_damaged = damaged > 1 and damaged >= DAMAGED_SHARE * decoded
    return f"{damaged} of {decoded} pictures are damaged" if is_damaged else None


def _jump_fault(evidence: Evidence) -> str | None:
    jumps = evidence.measurement.discontinuities - evidence.delivery.announced_jumps
    is_jumping = jumps >= 2 and jumps > JUMPS_PER_SECOND * evidence.measurement.media_s
    return f"time stamps jumped {jumps} times" if is_jumping else None


def without_sound(evidence: Evidence) -> Judgement | None:
    """Find a video without sound."""
    measurement, delivery = evidence.measurement, evidence.delivery
    if measurement.audio or delivery.is_sound_coming:
        return None
    unreadable = ", ".join(measurement.unreadable)
    why = delivery.sound_failure or (f"the track of {unreadable} cannot be decoded" if unreadable else "no track")
    return Judgement("degraded", "no_audio", why)


def silent(evidence: Evidence) -> Judgement | None:
    """Find sound that cannot be heard."""
    levels = evidence.measurement.levels
    ratio, seconds = levels.silent_ratio, levels.evidence_s
    if ratio is None or ratio < SILENT_SHARE or not _is_enough(evidence, seconds):
        return None
    kind = "digital silence" if levels.digital_zero == levels.frames else "below -60 dB"
    return Judgement("degraded", "silent_audio", f"{kind} for {seconds:.1f} s")


def starved(evidence: Evidence) -> Judgement | None:
    """Find a video that has too few bits for its size and its content."""
    rate, least = _video_bits(evidence)
    if rate >= least or _is_good(evidence):
        return None
    detail = f"{rate:.0f} kbit/s of video; its size and motion need {least:.0f}"
    return Judgement("degraded", "low_bitrate", detail)


def has_bits_to_spare(evidence: Evidence) -> bool:
    """Return whether a bitrate that is somewhat lower, as in a longer sample, would still be enough."""
    rate, least = _video_bits(evidence)
    return rate >= SPARE * least or _is_good(evidence)


def _is_good(evidence: Evidence) -> bool:
    quantizer = evidence.measurement.quantizer
    return quantizer is not None and quantizer <= GOOD_QUANTIZER


def _video_bits(evidence: Evidence) -> tuple[float, float]:
    """Return the video's bitrate, and the least that its size and motion need, in kbit/s; zeros where not known."""
    measurement, video = evidence.measurement, evidence.measurement.format
    # The filling of a constant bitrate is no picture, so the rate of the elementary stream is nearer to the truth.
    rate = measurement.video_kbps or measurement.bitrate_kbps
    if not (video.width and video.height and measurement.fps and video.codec and rate):
        return 0.0, 0.0
    per_point = BITS_PER_POINT.get(video.codec, BITS_PER_POINT_H264)
    changing = evidence.pictures.changing_ratio
    activity = 1.0 if changing is None else min(1.0, max(LEAST_ACTIVITY, changing / ACTIVE_SHARE))
    full = per_point * video.width * video.height * measurement.fps / 1000
    if rate < SPARE * activity * full:
        activity = max(LEAST_ACTIVITY, activity * _detail(evidence))
    return rate, activity * full


def _detail(evidence: Evidence) -> float:
    """Return the share of the bits that the detail of the pictures needs: smooth pictures need next to none."""
    details = [picture.detail for picture in evidence.measurement.pictures if picture.is_whole]
    return min(1.0, median(details) / DETAILED) if details else 1.0


STEPS: tuple[Step, ...] = (
    encrypted, unsupported, without_video, undecodable, busy_slate, cut_off, black, frozen, stale, unstable,
    without_sound, silent, starved,
)  # fmt: skip
RADIO_STEPS: tuple[Step, ...] = (encrypted, cut_off, silent, unstable)
