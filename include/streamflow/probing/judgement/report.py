"""Reports: a probe's outcome as a few lines for people."""

from __future__ import annotations

from streamflow.explanations import explained
from streamflow.probing.target import ProbeOutcome

_EARLY_ENDS = {
    "settled": "the stream is healthy and its figures had settled",
    "unchanged": "the stream is healthy and as at its last check",
}


def report(outcome: ProbeOutcome) -> str:
    """Return verdict and reason with what they mean, then what was measured, one line each."""
    result, extra = outcome.result, outcome.result.extra
    reason = f": {result.reason}" if result.reason else ""
    detail = f" ({result.detail})" if result.detail else ""
    lines = [f"{result.verdict}{reason}{detail}"]
    if result.reason:
        about = explained(result.verdict, result.reason)
        lines.append(f"meaning   {about.meaning} {about.advice}".rstrip())
    if result.width:
        scan = "i" if result.interlaced else "p"
        video = [f"{result.width}x{result.height}{scan}", f"{result.fps or 0:g} fps"]
        video += [" ".join(filter(None, (result.video_codec, result.video_profile, extra.get("level"))))]
        video += filter(None, (result.pixel_format, result.hdr))
        lines.append("video     " + ", ".join(video))
    layouts = extra.get("audio_layouts") or [None] * len(result.audio)
    for track, layout in zip(result.audio, layouts, strict=True):
        parts = (track.codec, layout or f"{track.channels} channels", f"{track.sample_rate} Hz", track.language)
        lines.append("audio     " + ", ".join(str(part) for part in parts if part))
    if result.bitrate_kbps:
        lines.append(f"bitrate   {result.bitrate_kbps} kbit/s in {result.container}")
    if result.quality is not None:
        lines.append(f"quality   {result.quality:.1f} of 5 (estimated by ITU-T P.1203.1)")
    if result.first_frame_ms is not None:
        lines.append(f"start     first picture after {result.first_frame_ms} ms")
    if result.black_ratio is not None:
        ratios = (("black", result.black_ratio), ("frozen", result.frozen_ratio), ("silent", result.silent_ratio))
        lines.append("content   " + ", ".join(f"{name} {ratio:.0%}" for name, ratio in ratios if ratio is not None))
    faults = {"decode errors": result.decode_errors, "jumps": result.discontinuities}
    if unreadable := extra.get("unreadable_tracks"):
        lines.append(f"unread    {', '.join(unreadable)}: no decoder, or nothing to decode")
    faults["lost packets"] = extra.get("continuity_errors")
    if any(faults.values()):
        lines.append("faults    " + ", ".join(f"{count} {name}" for name, count in faults.items() if count))
    if result.label_mismatch:
        lines.append(f"label     {result.label_mismatch}")
    why = _EARLY_ENDS.get(str(extra.get("early_end")), "")
    saved = f", {extra['saved_s']:.1f} s of the sample saved: {why}" if extra.get("saved_s") else ""
    lines.append(f"time      {result.elapsed_s:.1f} s{saved}")
    return "\n".join(lines)
