"""Refusals for streams whose bytes came, but held nothing that could be measured."""

from __future__ import annotations

from streamflow.probing.judgement.refusal import Refusal, dead
from streamflow.probing.media.measurement import Measurement


def of_measurement(measurement: Measurement) -> Refusal | None:
    """Return why nothing could be decoded; None where the media themselves do not say."""
    if measurement.headers.is_scrambled:
        return dead("drm_protected", "the packets are scrambled", retryable=False)
    if measurement.is_encrypted:
        return dead("drm_protected", "the media are encrypted sample by sample", retryable=False)
    codec = measurement.unsupported_video or next(iter(measurement.unreadable), None)
    if codec and not measurement.has_video:
        detail = f"no decoder for {codec}, or nothing that it can decode"
        return Refusal("unknown", "codec_unsupported", detail, retryable=False)
    return None
