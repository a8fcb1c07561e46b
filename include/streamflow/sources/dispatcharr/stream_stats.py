"""A result in the keys that Dispatcharr's own pages show, and ours under a prefix."""

from __future__ import annotations

from typing import Any

from streamflow.records import Result

_LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}


def stream_stats(result: Result, score: float | None) -> dict[str, Any]:
    """Bitrates in kbit/s. Of a stream that gave no media only our own keys: what is known of it stays."""
    track = result.audio[0] if result.audio else None
    shown: dict[str, Any] = {
        "resolution": f"{result.width}x{result.height}" if result.width and result.height else None,
        "width": result.width,
        "height": result.height,
        "video_codec": result.video_codec,
        "source_fps": result.fps,
        "pixel_format": result.pixel_format,
        "video_bitrate": result.extra.get("video_kbps"),
        "audio_bitrate": result.extra.get("audio_kbps"),
        "ffmpeg_output_bitrate": result.bitrate_kbps,
        "audio_codec": track.codec if track else None,
        "sample_rate": track.sample_rate if track else None,
        "audio_channels": _LAYOUTS.get(track.channels or 0, str(track.channels)) if track and track.channels else None,
        "stream_type": result.container,
        "container_format": result.container,
    }
    ours = {
        "streamflow_verdict": result.verdict,
        "streamflow_reason": result.reason,
        "streamflow_detail": result.detail,
        "streamflow_score": score,
        "streamflow_label_mismatch": result.label_mismatch,
        "streamflow_checked_at": result.checked_at.isoformat(),
    }
    return {name: value for name, value in shown.items() if value is not None} | ours
