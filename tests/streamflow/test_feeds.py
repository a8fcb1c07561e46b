"""The comparison of streams by the fingerprints of their pictures."""

from __future__ import annotations

import random
from datetime import timedelta

from streamflow.feeds import Feeds, Sampled, compare
from support.library import NOW

RANDOM = random.Random(7)
ONE, TWO = ([RANDOM.getrandbits(64) for _ in range(6)] for _ in range(2))


def sampled(prints: list[int], seconds: float = 0, flipped: int = 0) -> Sampled:
    """Return a sample whose fingerprints differ from the given ones in some bits, as another encoding makes them."""
    changed = (bits ^ sum(1 << place for place in RANDOM.sample(range(64), flipped)) for bits in prints)
    return Sampled(NOW + timedelta(seconds=seconds), tuple(changed))


def test_streams_with_equal_pictures_show_the_same_feed() -> None:
    found = compare({5: sampled(ONE), 3: sampled(ONE[2:], 20, flipped=5), 9: sampled(TWO, 10)})
    assert found == Feeds(same=((5, 3),), other=(9,))


def test_a_stream_that_differs_from_a_feed_of_several_shows_something_else() -> None:
    same = {1: sampled(ONE), 2: sampled(ONE, 5, flipped=3), 3: sampled(ONE, 9)}
    assert compare({**same, 4: sampled(TWO, 3)}) == Feeds(same=((1, 2, 3),), other=(4,))


def test_nothing_is_said_about_samples_of_other_times_or_without_pictures() -> None:
    same = {1: sampled(ONE), 2: sampled(ONE, 5)}
    assert compare({**same, 4: sampled(TWO, 300)}).other == ()
    assert compare({**same, 4: sampled([])}).other == ()
    assert compare({1: sampled(ONE), 2: sampled(ONE, 300)}) == Feeds()


def test_one_equal_picture_is_no_evidence() -> None:
    assert compare({1: sampled(ONE), 2: sampled([ONE[0], *TWO[1:]])}) == Feeds()
    # A picture that one stream shows for long counts once.
    assert compare({1: sampled([ONE[0]] * 4), 2: sampled([ONE[0], *TWO[1:]])}) == Feeds()


def test_a_feed_joins_streams_that_each_resemble_another_one() -> None:
    assert compare({1: sampled(ONE[:3]), 2: sampled(ONE[3:]), 3: sampled(ONE)}).same == ((1, 2, 3),)
