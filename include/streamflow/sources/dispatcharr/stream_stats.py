"""Measurements as the statistics of a stream in Dispatcharr."""

from __future__ import annotations

from typing import Any

from streamflow.records import Result

_LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}


def stream_stats(result: Result) -> dict[str, Any]:
    """Return a result under the keys that Dispatcharr's pages show, and its verdict under keys of StreamFlow's own.

    :returns: bitrates in kbit/s. Missing measurements are left out, so that Dispatcharr's former ones stay; keys that
        begin with ``streamflow_`` are always there.
    """
    track = result.audio[0] if result.audio else None
    measured: dict[str, Any] = {
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
    judged = {
        "streamflow_verdict": result.verdict,
        "streamflow_reason": result.reason,
        "streamflow_detail": result.detail,
        "streamflow_score": result.score,
        "streamflow_quality": result.quality,
        "streamflow_label_mismatch": result.label_mismatch,
        "streamflow_checked_at": result.checked_at.isoformat(),
    }
    return {name: value for name, value in measured.items() if value is not None} | judged
