from __future__ import annotations

from streamflow.records import AudioTrack
from streamflow.sources.dispatcharr.stream_stats import stream_stats
from support.library import NOW, result

OURS = {
    "streamflow_verdict": "ok", "streamflow_reason": None, "streamflow_detail": None, "streamflow_score": 0.7,
    "streamflow_quality": 4.2, "streamflow_label_mismatch": None, "streamflow_checked_at": NOW.isoformat(),
}  # fmt: skip


def test_a_measurement_has_dispatcharrs_own_keys() -> None:
    tracks = (AudioTrack(codec="ac3", channels=6, sample_rate=48_000, language="eng"),)
    measured = result(
        1, width=1920, height=1080, fps=50.0, video_codec="hevc", pixel_format="yuv420p10le", bitrate_kbps=9000,
        container="mpegts", audio=tracks, extra={"video_kbps": 8500, "audio_kbps": 384}, score=0.7, quality=4.2,
    )  # fmt: skip
    assert stream_stats(measured) == OURS | {
        "resolution": "1920x1080", "width": 1920, "height": 1080, "video_codec": "hevc", "source_fps": 50.0,
        "pixel_format": "yuv420p10le", "video_bitrate": 8500, "audio_bitrate": 384, "ffmpeg_output_bitrate": 9000,
        "audio_codec": "ac3", "sample_rate": 48_000, "audio_channels": "5.1", "stream_type": "mpegts",
        "container_format": "mpegts",
    }  # fmt: skip


def test_a_dead_stream_replaces_none_of_the_former_measurements() -> None:
    dead = result(1, "dead", reason="http_404", detail="HTTP 404 Not Found")
    stats = stream_stats(dead)
    assert all(name.startswith("streamflow_") for name in stats)
    assert stats["streamflow_reason"] == "http_404"
