from __future__ import annotations

import pytest

from streamflow.checking.feedback import is_starved
from support.library import result


@pytest.mark.parametrize(
    ("extra", "starved"),
    [
        ({}, None),
        ({"real_time_share": 1.0}, False),
        ({"real_time_share": 0.6}, False),
        ({"real_time_share": 0.6, "stall_s": 2.5}, True),
        ({"real_time_share": 0.97, "stall_s": 0.4}, False),
    ],
)
def test_a_stream_is_starved_when_it_comes_slower_than_it_plays(extra: dict[str, float], starved: bool | None) -> None:
    assert is_starved(result(1, extra=extra)) is starved
