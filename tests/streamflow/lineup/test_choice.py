from __future__ import annotations

from streamflow.config import Matching
from streamflow.lineup.choice import chosen
from support.library import stream

# Streams 10 to 19 are of account 1, 20 to 29 of account 2.
STREAMS = {id: stream(id, account_id=id // 10) for id in range(10, 30)}


def test_accounts_take_turns_and_the_one_with_fewest_streams_comes_first() -> None:
    assert chosen((10,), [11, 12, 13, 20, 21], STREAMS, Matching(), 5) == [20, 11, 21, 12]


def test_no_account_gets_more_than_its_share() -> None:
    settings = Matching(most_per_account=2)
    assert chosen((10,), [11, 12, 20, 21, 22], STREAMS, settings, 12) == [20, 11, 21]


def test_a_full_channel_gets_nothing_and_no_stream_comes_twice() -> None:
    assert chosen((10, 11), [12], STREAMS, Matching(), 2) == []
    assert chosen((10,), [10, 20, 20], STREAMS, Matching(), 12) == [20]
