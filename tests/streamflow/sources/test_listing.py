"""Streams of a plain list form channels."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamflow.sources.listing import Listed, channels, plain_name, stable_id


def grouped(*listed: Listed) -> list[tuple[int, ...]]:
    return [channel.stream_ids for channel in channels(listed)]


def test_streams_of_one_tvg_id_are_one_channel_in_the_order_of_the_list() -> None:
    found = list(
        channels(
            [Listed(5, "Eins HD", "eins.de", 1, 4.0), Listed(2, "Zwei", "zwei.de"), Listed(3, "DE: Eins", "EINS.de")]
        )
    )
    assert [(c.name, c.number, c.group_id, c.stream_ids) for c in found] == [
        ("Eins HD", 4.0, 1, (5, 3)), ("Zwei", None, None, (2,)),
    ]  # fmt: skip


def test_one_tvg_id_of_many_events_is_not_one_channel() -> None:
    events = [Listed(1, "PPV 1: Boxing", "event"), Listed(2, "PPV 2: Tennis", "event"), Listed(3, "PPV 2", "event")]
    assert grouped(*events, Listed(4, "PPV 1: Boxing HD", "event")) == [(1, 4), (2, 3)]


def test_a_number_in_a_name_is_another_channel() -> None:
    assert grouped(Listed(1, "Sport", "sport"), Listed(2, "Sport 2", "sport"), Listed(3, "UK Sport", "sport")) == [
        (1, 3), (2,),
    ]  # fmt: skip


@given(st.permutations(range(5)))
def test_ids_of_channels_do_not_depend_on_the_order_of_the_list(order: list[int]) -> None:
    names = ["PPV 1", "DE PPV 1", "PPV 2", "Boxing", "Boxing live"]
    found = channels(Listed(i, names[i], "event") for i in order)
    ids = {frozenset(channel.stream_ids): channel.id for channel in found}
    assert ids == {
        frozenset((0, 1)): stable_id("id event ppv 1"),
        frozenset((2,)): stable_id("id event ppv 2"),
        frozenset((3, 4)): stable_id("id event boxing"),
    }


def test_streams_without_a_tvg_id_form_a_channel_by_their_name() -> None:
    assert grouped(Listed(1, "Eins HD"), Listed(2, "EINS (FHD)"), Listed(3, "Zwei", "-"), Listed(4, "zwei", "N/A")) == [
        (1, 2), (3, 4),
    ]  # fmt: skip


def test_a_stream_without_tvg_id_joins_the_only_channel_of_its_name() -> None:
    assert grouped(Listed(1, "News", "news.us"), Listed(2, "News HD")) == [(1, 2)]
    assert grouped(Listed(1, "News", "news.us"), Listed(2, "News", "news.uk"), Listed(3, "News")) == [(1,), (2,), (3,)]


def test_a_stream_is_in_a_channel_once() -> None:
    assert grouped(Listed(1, "A"), Listed(1, "A")) == [(1,)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Das Erste HD", "das erste"),
        ("DE: RTL ᶠᴴᴰ", "DE | RTL"),
        ("Sport 1 [1080p]", "Sport 1 (720p) H.265"),
        ("Doku 4K", "Doku UHD 50fps"),
        ("Arte HEVC", "ARTE"),
    ],
)
def test_words_about_quality_do_not_tell_channels_apart(one: str, other: str) -> None:
    assert plain_name(one) == plain_name(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("WWE RAW", "WWE"),
        ("Canal 4K", "Canal"),
        ("Canal+", "Canal"),
        ("RTL 2", "RTL"),
        ("UK: News", "US: News"),
        ("Film +1", "Film"),
        ("HD", "4K"),
        ("A&E", "AE"),
    ],
)
def test_different_channels_stay_different(one: str, other: str) -> None:
    assert plain_name(one) != plain_name(other)


LISTED = st.builds(Listed, st.integers(0, 20), st.sampled_from(["A", "B HD", "B", ""]), st.sampled_from(["", "a", "b"]))


@given(st.lists(LISTED, max_size=30))
def test_every_stream_is_in_a_channel_and_no_channel_occurs_twice(listed: list[Listed]) -> None:
    found = list(channels(listed))
    assert {i for channel in found for i in channel.stream_ids} == {each.stream_id for each in listed}
    assert len({channel.id for channel in found}) == len(found)


@given(st.text())
def test_a_double_holds_every_id_exactly(text: str) -> None:
    number = stable_id(text)
    assert int(float(number)) == number
    assert 0 <= number < 2**53
