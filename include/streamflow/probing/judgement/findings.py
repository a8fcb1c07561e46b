"""Findings: what was measured, in the fields of a result."""

from __future__ import annotations

from typing import Any

from streamflow.masking import mask
from streamflow.probing.judgement import label
from streamflow.probing.media.freeze import PictureStatistics
from streamflow.probing.media.measurement import Measurement
from streamflow.probing.media.timing import Playout
from streamflow.probing.protocols.http_feed import SourceInfo

MAX_NOTED_CHARACTERS = 100


def fields(found: Measurement, look: PictureStatistics, name: str, opening: SourceInfo) -> dict[str, Any]:
    """The result contract's fields; ``name`` is the stream's, for what it promises."""
    return {
        "width": found.width,
        "height": found.height,
        "fps": found.fps,
        "interlaced": found.interlaced,
        "hdr": found.hdr,
        "video_codec": found.video_codec,
        "video_profile": found.video_profile,
        "pixel_format": found.pixel_format,
        "bitrate_kbps": round(found.bitrate_kbps) if found.bitrate_kbps else None,
        "container": opening.segmented.protocol if opening.segmented else found.container,
        "audio": tuple(found.audio),
        "black_ratio": look.black_ratio,
        "frozen_ratio": look.frozen_ratio,
        "silent_ratio": found.sound.silent_ratio,
        "decode_errors": found.decode_errors,
        "discontinuities": found.discontinuities,
        "label_mismatch": _mismatch(found, name),
    }


def _mismatch(found: Measurement, name: str) -> str | None:
    if not (found.width and found.height):
        return None
    interlaced = bool(found.interlaced)
    return label.mismatch(name, found.width, found.height, found.video_codec, found.hdr, interlaced=interlaced)


def extras(found: Measurement, look: PictureStatistics, play: Playout, opening: SourceInfo) -> dict[str, Any]:
    """What the contract's fields leave out; only what there is."""
    sound, segmented = found.sound, opening.segmented
    told: dict[str, Any] = {
        "level": found.level,
        "sar": found.sar,
        "vfr": found.vfr or None,
        "gop_s": found.gop_s,
        "media_s": round(found.media_s, 2),
        "saved_s": _rounded(found.saved_s, 2),
        "video_kbps": _rounded(found.video_kbps),
        "audio_kbps": _rounded(found.audio_kbps),
        "continuity_errors": found.headers.continuity_errors or None,
        "stalls": play.stalls or None,
        "stall_s": round(play.stall_s, 2) or None,
        "real_time_share": _rounded(play.share, 3),
        "picture_evidence_s": look.evidence_s or None,
        "slate_period_s": look.period_s,
        "sound_evidence_s": round(sound.evidence_s, 2) or None,
        "loudness_db": sound.loudness_db,
        "clipped_ratio": sound.clipped_ratio or None,
        "audio_layouts": found.audio_layouts or None,
        "subtitles": [*found.subtitles, *(segmented.subtitles if segmented else [])] or None,
        "programs": found.programs if found.programs > 1 else None,
        "redirects": opening.redirects or None,
        "content_type": content_type(opening),
    }
    if segmented:
        told |= {
            "segments": segmented.segments,
            "missing_segments": segmented.missing or None,
            "encrypted": segmented.encrypted or None,
            "announced_jumps": segmented.announced_jumps or None,
            "variants": segmented.variants or None,
            "separate_audio": segmented.separate_audio or None,
        }
    return {name: value for name, value in told.items() if value is not None}


def content_type(opening: SourceInfo) -> str | None:
    told = opening.content_type
    return mask(told[:MAX_NOTED_CHARACTERS]) if told else None


def _rounded(value: float | None, digits: int | None = None) -> float | None:
    return None if value is None else round(value, digits)
