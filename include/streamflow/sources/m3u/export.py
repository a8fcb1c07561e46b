"""The library as a playlist: channels in their order, each with its streams best first."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime

from streamflow.errors import UnknownRecord
from streamflow.records import Channel, Stream
from streamflow.sources.m3u.playlist import Entry
from streamflow.udi.last_decided import last_decided
from streamflow.udi.ports import Store


def lines(entries: Iterable[Entry]) -> Iterator[str]:
    """Return the lines of a playlist.

    Reading them gives the same entries, except that double quotes in groups and ids have become single ones.
    """
    yield "#EXTM3U"
    for entry in entries:
        number = "" if entry.number is None else f' tvg-chno="{entry.number:g}"'
        radio = ' radio="true"' if entry.is_radio else ""
        as_of = f' streamflow-as-of="{entry.as_of:%Y-%m-%dT%H:%M:%SZ}"' if entry.as_of else ""
        attributes = f'tvg-id="{_quotable(entry.tvg_id)}"{number}{radio}{as_of} group-title="{_quotable(entry.group)}"'
        yield f"#EXTINF:-1 {attributes},{entry.name}"
        # A line of its own, whatever the address holds.
        yield "".join(entry.url.splitlines())


def library(
    store: Store, channel_id: int | None = None, *, with_dead: bool = False, unusable: Collection[str] = ()
) -> Iterator[Entry]:
    """Return the streams of all channels followed by the streams without a channel, or the streams of one channel.

    A stream counts as dead or unusable by its last check that decided something, so that an outage changes nothing.
    Where later checks decided nothing, the entry has the time of that check.

    :param with_dead: keep dead and unusable streams and mark their names; by default they are left out.
    :param unusable: the reasons for which a degraded stream is unusable.
    :raises UnknownRecord: the UDI holds no channel of this id.
    """
    marks, as_of = _known_states(store, unusable)
    groups = {group.id: group.name for group in store.library.groups()}
    channels = sorted(store.library.channels(None if channel_id is None else [channel_id]), key=_rank)
    if channel_id is not None and not channels:
        raise UnknownRecord(f"--channel: the UDI holds no channel {channel_id}")
    shown: set[int] = set()

    def entry(stream: Stream, group_id: int | None, number: float | None) -> Entry:
        return Entry(
            line=0,
            name=_one_line(f"[{marks[stream.id]}] {stream.name}" if stream.id in marks else stream.name),
            url=stream.url or "",
            group=_one_line(groups.get(group_id or 0, "")),
            tvg_id=stream.tvg_id or "",
            number=number,
            is_radio=stream.is_radio,
            as_of=as_of.get(stream.id),
        )

    for channel in channels:
        shown.update(channel.stream_ids)
        streams = store.library.streams(channel.stream_ids)
        for stream_id in channel.stream_ids:
            stream = streams.get(stream_id)
            if stream and stream.url and (with_dead or stream_id not in marks):
                yield entry(stream, stream.group_id or channel.group_id, channel.number)
    if channel_id is None:
        rest = [i for i in store.library.stream_ids() if i not in shown and (with_dead or i not in marks)]
        for stream in store.library.streams(rest).values():
            if stream.url:
                yield entry(stream, stream.group_id, None)


def _known_states(store: Store, unusable: Collection[str]) -> tuple[dict[int, str], dict[int, datetime]]:
    """Return the words for the streams that are dead or unusable, and the times of states that are not the newest."""
    results = store.results
    marks = dict.fromkeys(results.streams_of_verdict("dead"), "dead")
    degraded = results.latest_of(results.streams_of_verdict("degraded")) if unusable else {}
    undecided = [*results.streams_of_verdict("unknown"), *results.streams_of_verdict("skipped")]
    older = last_decided(results, undecided)
    for stream, result in (degraded | older).items():
        if result.verdict == "dead":
            marks[stream] = "dead"
        elif result.reason in unusable and result.reason:
            marks[stream] = result.reason.replace("_", " ")
    return marks, {stream: result.checked_at for stream, result in older.items()}


def _rank(channel: Channel) -> tuple[bool, float, int, str]:
    return channel.number is None, channel.number or 0.0, channel.group_id or 0, channel.name.casefold()


def _quotable(text: str) -> str:
    return _one_line(text).replace('"', "'")


def _one_line(text: str) -> str:
    return " ".join(text.split())
