"""Evidence: everything that a verdict is decided on."""

from __future__ import annotations

from dataclasses import dataclass, field

from streamflow.probing.media.freeze import PictureStatistics
from streamflow.probing.media.measurement import Measurement
from streamflow.probing.media.playout import Playout


@dataclass(frozen=True)
class Delivery:
    """How the stream came.

    :param is_segmented: whether it came as segments of a playlist.
    :param interruption: how a live stream ended by itself; None if it did not.
    :param stale_s: seconds for which a live playlist has had no new segment.
    :param announced_jumps: jumps of the time stamps that the playlist announced.
    :param is_sound_coming: whether sound in segments of its own may still come.
    :param sound_failure: why such sound never came.
    :param has_sample_key: whether the samples were encrypted, with a key that anyone may fetch.
    """

    is_segmented: bool = False
    interruption: str | None = None
    stale_s: float | None = None
    announced_jumps: int = 0
    is_sound_coming: bool = False
    sound_failure: str | None = None
    has_sample_key: bool = False


@dataclass(frozen=True)
class Evidence:
    """The evidence about a stream that sent media.

    :param sample_s: the length of the sample that was asked for, in seconds.
    :param is_radio: whether no video is expected.
    :param account_full: whether all connections of the account were in use.
    :param slate_means_busy: whether a still picture may be the provider's way to say "too many connections".
    """

    measurement: Measurement
    pictures: PictureStatistics = field(default_factory=PictureStatistics)
    playout: Playout = field(default_factory=Playout)
    delivery: Delivery = field(default_factory=Delivery)
    sample_s: float = 10.0
    is_radio: bool = False
    account_full: bool = False
    slate_means_busy: bool = False

    @property
    def is_sound_alone(self) -> bool:
        """Whether sound came, and nothing of a video."""
        measurement = self.measurement
        return bool(measurement.audio) and (not measurement.has_video or not measurement.video_packets)
