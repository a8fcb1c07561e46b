"""The lab's DASH manifests: numbered segments of a transport stream on a timeline (ISO/IEC 23009-1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lab.media import Truth

SCALE = 90_000


@dataclass(frozen=True)
class Variant:
    """A representation: its truth, the number and start of its first segment, and the lengths of all segments."""

    truth: Truth
    first: int
    start_s: float
    lengths: Sequence[float]


def manifest(base: str, variants: Sequence[Variant], *, is_live: bool) -> str:
    """Return the manifest of the variants. Their segments are at ``{base}{clip}/{number}.ts``."""
    if is_live:
        kind = 'type="dynamic" minimumUpdatePeriod="PT2S" availabilityStartTime="2026-01-01T00:00:00Z"'
    else:
        kind = f'type="static" mediaPresentationDuration="PT{sum(variants[0].lengths):.3f}S"'
    sets = "".join(_representation(one) for one in variants)
    return (
        f'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" {kind}><BaseURL>{base}</BaseURL>'
        f'<Period id="1" start="PT0S"><AdaptationSet mimeType="video/mp2t">{sets}</AdaptationSet></Period></MPD>'
    )


def _representation(one: Variant) -> str:
    truth, start = one.truth, f' t="{round(one.start_s * SCALE)}"'
    lines = "".join(
        f'<S{start if place == 0 else ""} d="{round(length * SCALE)}"/>' for place, length in enumerate(one.lengths)
    )
    return (
        f'<Representation id="{truth.name}" width="{truth.width}" height="{truth.height}" '
        f'bandwidth="{round(truth.bitrate_kbps * 1000)}"><SegmentTemplate timescale="{SCALE}" '
        f'startNumber="{one.first}" media="$RepresentationID$/$Number$.ts"><SegmentTimeline>{lines}</SegmentTimeline>'
        f"</SegmentTemplate></Representation>"
    )
