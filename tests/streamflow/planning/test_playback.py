"""Playback as evidence: what each order of Dispatcharr's events says about the streams of a channel."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from streamflow.planning.playback import Kind, PlaybackEvent, Watched, after
from streamflow.records import Playback
from support.library import NOW, stream

CHANNEL = 5
FIRST, SECOND = stream(1).url_hash, stream(2).url_hash


def event(kind: Kind, seconds: float, stream_id: int | None = None, **fields: Any) -> PlaybackEvent:
    known = {"url_hash": stream(stream_id).url_hash} if stream_id else {}
    return PlaybackEvent(kind=kind, at=NOW + timedelta(seconds=seconds), stream_id=stream_id, **(known | fields))


def start(seconds: float, stream_id: int | None = 1) -> PlaybackEvent:
    return event("channel_start", seconds, stream_id)


def switch(seconds: float, stream_id: int | None = 2) -> PlaybackEvent:
    return event("stream_switch", seconds, stream_id)


def reconnect(seconds: float) -> PlaybackEvent:
    return event("channel_reconnect", seconds)


def stop(seconds: float, **fields: Any) -> PlaybackEvent:
    known = {"runtime": seconds + 3, "total_bytes": 1_000_000}
    return event("channel_stop", seconds, **(known | fields))


def followed(*events: PlaybackEvent) -> list[tuple[int, float, float, int]]:
    """Return stream, start, end (s) and breaks of the playbacks that are known after some events."""
    watched = Watched(channel_id=CHANNEL)
    known: dict[tuple[int, datetime], Playback] = {}
    for one in events:
        watched, playbacks = after(watched, one)
        known |= {(each.stream_id, each.begun_at): each for each in playbacks}
    return [
        (one.stream_id, (one.begun_at - NOW).total_seconds(), (one.ended_at - NOW).total_seconds(), one.breaks)
        for one in sorted(known.values(), key=lambda one: one.begun_at)
        if one.ended_at > one.begun_at
    ]


def test_a_stop_ends_the_playback_of_the_stream() -> None:
    assert followed(start(0), stop(900)) == [(1, 0, 900, 0)]


def test_a_switch_breaks_the_stream_and_begins_another_one() -> None:
    assert followed(start(0), switch(300), stop(1000)) == [(1, 0, 300, 1), (2, 300, 1000, 0)]
    assert followed(start(0), switch(300, None), stop(1000)) == [(1, 0, 300, 1)]


def test_a_reconnect_breaks_the_stream() -> None:
    assert followed(start(0), reconnect(100), reconnect(200), stop(900)) == [(1, 0, 900, 2)]


def test_an_event_that_comes_twice_counts_once() -> None:
    once = (start(0), reconnect(100), switch(300), stop(1000))
    assert followed(*(one for each in once for one in (each, each))) == followed(*once)


def test_an_event_of_an_earlier_session_changes_nothing() -> None:
    assert followed(start(0), stop(50), start(100), stop(60), stop(900, runtime=803)) == [
        (1, 0, 50, 0),
        (1, 100, 900, 0),
    ]
    assert followed(start(100), start(0, 2), stop(900, runtime=803)) == [(1, 100, 900, 0)]


def test_a_switch_that_arrives_after_the_stop_divides_the_playback() -> None:
    assert followed(start(0), stop(1000), switch(300)) == [(1, 0, 300, 1), (2, 300, 1000, 0)]
    assert followed(start(0), stop(1000), switch(1200)) == [(1, 0, 1000, 0)]


def test_a_lost_start_or_stop_is_no_evidence() -> None:
    assert followed(stop(900)) == []
    assert followed(switch(10), reconnect(20), stop(900)) == []
    # Dispatcharr was restarted: nobody knows when the first playback ended.
    assert followed(start(0), start(5000, 2), stop(5100, runtime=103)) == [(2, 5000, 5100, 0)]
    # The start after a restart was lost: the session is shorter than the events say.
    assert followed(start(0), stop(5100, runtime=103)) == []


def test_a_playback_without_data_or_with_another_address_is_no_evidence() -> None:
    assert followed(start(0), stop(900, total_bytes=None)) == []
    assert followed(start(0), stop(900, url_hash=SECOND)) == []
    assert followed(start(0), stop(900, url_hash=FIRST)) == [(1, 0, 900, 0)]
    # A sender that tells neither the length nor the bytes.
    assert followed(start(0), stop(900, runtime=None, total_bytes=None)) == [(1, 0, 900, 0)]


def test_a_start_without_a_stream_is_no_evidence() -> None:
    assert followed(start(0, None), stop(900)) == []


EVENTS = [start(0), reconnect(100), switch(300), reconnect(500), switch(700, 1), stop(2000)]


@settings(max_examples=200, deadline=None)
@given(order=st.permutations(EVENTS), twice=st.sets(st.sampled_from(range(len(EVENTS)))))
def test_the_order_in_which_events_arrive_does_not_matter(order: list[PlaybackEvent], twice: set[int]) -> None:
    assert followed(*order, *(EVENTS[place] for place in twice)) == [
        (1, 0, 300, 2),
        (2, 300, 700, 2),
        (1, 700, 2000, 0),
    ]


@settings(max_examples=200, deadline=None)
@given(order=st.permutations(EVENTS), lost=st.sampled_from(range(len(EVENTS))))
def test_one_lost_event_makes_no_good_playback(order: list[PlaybackEvent], lost: int) -> None:
    good = [one for one in followed(*(one for one in order if one != EVENTS[lost])) if not one[3]]
    assert all(one == (1, 700, 2000, 0) for one in good if one[2] - one[1] >= 600)


def test_a_channel_that_never_ends_is_bounded() -> None:
    events = [start(0), *(reconnect(place * 10) for place in range(1, 300)), stop(3000)]
    assert followed(*events) == []
