"""The bound on the streams that one run removes."""

from __future__ import annotations

import pytest

from streamflow.ordering.removal import exceeds
from streamflow.records import ChannelChange
from support.library import NOW


def channel(channel_id: int, streams: int, held: int) -> ChannelChange:
    ids = tuple(range(streams))
    return ChannelChange(channel_id=channel_id, at=NOW, before=ids, after=ids, held=ids[:held])


@pytest.mark.parametrize(
    ("changes", "share", "too_many"),
    [
        ([channel(1, 5, 1), channel(2, 5, 1)], 0.2, False),
        ([channel(1, 5, 2), channel(2, 5, 1)], 0.2, True),
        ([channel(1, 100, 0), channel(2, 3, 3)], 0.2, True),
        ([channel(1, 3, 1)], 0.2, False),
        ([channel(1, 3, 2)], 0.2, True),
        ([channel(1, 3, 1)], 0.0, True),
        ([channel(1, 3, 2)], 1.0, False),
        ([channel(1, 3, 0), channel(2, 0, 0)], 0.0, False),
    ],
)
def test_too_many_removals_and_empty_channels_are_refused(
    changes: list[ChannelChange], share: float, too_many: bool
) -> None:
    assert exceeds(changes, share) is too_many
