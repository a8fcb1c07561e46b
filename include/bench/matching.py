"""Benchmark of matching: right and wrong assignments on labelled names, beside two plain ways, and the time.

``regex`` is the way of a user who writes the channel's name as an expression. ``fuzzy`` takes the most similar channel
above a score (RapidFuzz, token set ratio), as scripts for playlists do. Each household of the list is matched against
the streams of all countries.
"""

from __future__ import annotations

import json
import re
import resource
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from rapidfuzz import fuzz, process, utils

from bench.labelled_names import COUNTRY_NAMES, PARTS, Labelled, Part, channel_names, channels, labelled, large, lineup
from streamflow.matching.decision import Candidate
from streamflow.matching.matcher import match
from streamflow.matching.records import ChannelName, StreamName
from streamflow.matching.rule import Rule

FUZZY_SCORE = 90
STREAMS, CHANNELS = 200_000, 3_000
RULES = [
    Rule.model_validate({"exclude": [r"re:(?i)\b(test|backup \d+)\b"]}),
    Rule.model_validate({"channels": ["Das Erste"], "by": ["re:^(DE: )?Das Erste( HD| FHD)?$"]}),
]

Pairs = Iterable[tuple[int, int]]
Way = Callable[[Sequence[ChannelName], Sequence[StreamName]], Pairs]


def by_rules(channels: Sequence[ChannelName], streams: Iterable[StreamName]) -> Iterator[tuple[int, int]]:
    """Return the pairs of stream and channel that StreamFlow finds."""
    for outcome in match(channels, streams, [Rule()]):
        if isinstance(outcome, Candidate):
            yield outcome.stream_id, outcome.channel_id


def by_regex(channels: Sequence[ChannelName], streams: Sequence[StreamName]) -> Iterator[tuple[int, int]]:
    """Return the pairs in which the stream's name contains the channel's."""
    for channel in channels:
        words = r"\s*".join(map(re.escape, channel.name.split()))
        expression = re.compile(rf"(?<!\w){words}(?!\w)", re.IGNORECASE)
        yield from ((stream.id, channel.id) for stream in streams if expression.search(stream.name))


def by_similarity(channels: Sequence[ChannelName], streams: Sequence[StreamName]) -> Iterator[tuple[int, int]]:
    """Return each stream with the channel of the most similar name."""
    names = {channel.id: channel.name for channel in channels}
    for stream in streams:
        found = process.extractOne(
            stream.name, names, scorer=fuzz.token_set_ratio, processor=utils.default_process, score_cutoff=FUZZY_SCORE
        )
        if found:
            yield stream.id, found[2]


WAYS: dict[str, Way] = {"streamflow": by_rules, "regex": by_regex, "fuzzy": by_similarity}


def figures(way: Way, rows: Sequence[Labelled], part: Part) -> dict[str, float]:
    """Return precision and recall of a way on a part of the list, over all households.

    Half of the households name their country in the groups of the channels, half do not.
    """
    spelled = channels()
    streams = [row.stream for row in rows if row.part == part]
    counts: Counter[str] = Counter()
    for country in COUNTRY_NAMES:
        household = lineup(country, spelled)
        ids = {channel: number for number, channel in household.items()}
        wanted = {(row.stream.id, ids[row.channel]) for row in rows if row.part == part and row.channel in ids}
        for named in (True, False):
            found = set(way(channel_names(household, named=named), streams))
            counts += Counter(right=len(found & wanted), wrong=len(found - wanted), missed=len(wanted - found))
    return {
        "names": len(streams),
        "right": counts["right"],
        "wrong": counts["wrong"],
        "precision": round(counts["right"] / (counts["right"] + counts["wrong"]), 4),
        "recall": round(counts["right"] / (counts["right"] + counts["missed"]), 4),
    }


def speed() -> dict[str, float]:
    """Return the time and the memory for a large list of streams and a large lineup."""
    many, streams = large(STREAMS, CHANNELS)
    _, again = large(STREAMS, CHANNELS)
    started, cpu = time.perf_counter(), time.process_time()
    generated = sum(1 for _ in again)
    making = time.perf_counter() - started, time.process_time() - cpu
    started, cpu = time.perf_counter(), time.process_time()
    outcomes = sum(1 for _ in match(many, streams, RULES))
    return {
        "streams": generated,
        "channels": len(many),
        "outcomes": outcomes,
        "seconds": round(time.perf_counter() - started - making[0], 2),
        "cpu_seconds": round(time.process_time() - cpu - making[1], 2),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def main() -> None:
    """Print one JSON object for each way and part, and one for the large list."""
    rows = labelled()
    for part in PARTS:
        for name, way in WAYS.items():
            print(json.dumps({"bench": "matching", "part": part, "way": name} | figures(way, rows, part)), flush=True)
    print(json.dumps({"bench": "matching", "kind": "speed"} | speed()), flush=True)


if __name__ == "__main__":
    main()
