"""The fields of a result, from what was measured."""

from __future__ import annotations

from typing import Any

from streamflow.masking import mask
from streamflow.probing.judgement import label
from streamflow.probing.judgement.evidence import Evidence
from streamflow.probing.media.measurement import Measurement
from streamflow.probing.protocols.source_info import SourceInfo

MAX_NOTED_CHARACTERS = 100


def fields(evidence: Evidence, name: str, info: SourceInfo) -> dict[str, Any]:
    """Return the result contract's fields; ``name`` is the stream's, for what it promises."""
    measurement, video, pictures = evidence.measurement, evidence.measurement.format, evidence.pictures
    return {
        "width": video.width,
        "height": video.height,
        "fps": measurement.fps,
        "interlaced": video.interlaced,
        "hdr": video.hdr,
        "video_codec": video.codec,
        "video_profile": video.profile,
        "pixel_format": video.pixel_format,
        "bitrate_kbps": round(measurement.bitrate_kbps) if measurement.bitrate_kbps else None,
        "container": info.playlist.protocol if info.playlist else measurement.container,
        "audio": tuple(measurement.audio),
        "black_ratio": pictures.black_ratio,
        "frozen_ratio": pictures.frozen_ratio,
        "silent_ratio": measurement.levels.silent_ratio,
        "decode_errors": measurement.decode_errors,
        "discontinuities": measurement.discontinuities,
        "label_mismatch": _mismatch(measurement, name),
        "tls_untrusted": info.tls_fault is not None,
    }


def _mismatch(measurement: Measurement, name: str) -> str | None:
    video = measurement.format
    if not (video.width and video.height):
        return None
    return label.mismatch(name, video.width, video.height, video.codec, video.hdr, interlaced=bool(video.interlaced))


def extras(evidence: Evidence, info: SourceInfo) -> dict[str, Any]:
    """Return what the contract's fields leave out, without what was not measured."""
    measurement, playout, pictures = evidence.measurement, evidence.playout, evidence.pictures
    levels, playlist = measurement.levels, info.playlist
    noted: dict[str, Any] = {
        "level": measurement.format.level,
        "sar": measurement.format.sar,
        "vfr": measurement.vfr or None,
        "gop_s": measurement.gop_s,
        "media_s": round(measurement.media_s, 2),
        "saved_s": _rounded(measurement.saved_s, 2),
        "early_end": measurement.early_end,
        "video_kbps": _rounded(measurement.video_kbps),
        "audio_kbps": _rounded(measurement.audio_kbps),
        "quantizer": measurement.quantizer,
        "formats": measurement.formats if measurement.formats > 1 else None,
        "unreadable_tracks": measurement.unreadable or None,
        "continuity_errors": measurement.headers.continuity_errors or None,
        "stalls": playout.stalls or None,
        "stall_s": round(playout.stall_s, 2) or None,
        "real_time_share": _rounded(playout.share, 3),
        "picture_evidence_s": pictures.evidence_s or None,
        "slate_period_s": pictures.period_s,
        "sound_evidence_s": round(levels.evidence_s, 2) or None,
        "loudness_db": levels.loudness_db,
        "clipped_ratio": levels.clipped_ratio or None,
        "audio_layouts": measurement.audio_layouts or None,
        "subtitles": [*measurement.subtitles, *(playlist.subtitles if playlist else [])] or None,
        "programs": measurement.programs if measurement.programs > 1 else None,
        "redirects": info.redirects or None,
        "tls_fault": info.tls_fault,
        "content_type": content_type(info),
    }
    if playlist:
        noted |= {
            "segments": playlist.segments,
            "missing_segments": playlist.missing or None,
            "encrypted": playlist.encrypted or None,
            "announced_jumps": playlist.announced_jumps or None,
            "variants": playlist.variants or None,
            "separate_audio": playlist.separate_audio or None,
            "lost_variants": playlist.lost_variants or None,
        }
    return {name: value for name, value in noted.items() if value is not None}


def note(info: SourceInfo) -> str | None:
    """Return what the owner of a working stream should know about its source, None when there is nothing."""
    notes = [f"the server's certificate is not trusted: {info.tls_fault}"] if info.tls_fault else []
    if info.playlist and info.playlist.lost_variants:
        lost = info.playlist.lost_variants
        best = f"{lost[0]['height']}p" if lost[0]["height"] else f"{lost[0]['kbps']} kbit/s"
        others = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
        notes.append(f"the variant of {best}{others} failed: {lost[0]['detail']}")
    return "; ".join(notes) or None


def content_type(info: SourceInfo) -> str | None:
    """Return the content type that the server sent, cut short and masked."""
    return mask(info.content_type[:MAX_NOTED_CHARACTERS]) if info.content_type else None


def _rounded(value: float | None, digits: int | None = None) -> float | None:
    return None if value is None else round(value, digits)
