"""Compare short samples with whole ones, side by side: verdicts, bitrates, and the seconds that each holds a slot.

Takes the lab's corpus. ``python -m bench.samples URL…`` takes other addresses in its place.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from statistics import mean

from bench.probe import kept_media
from lab import corpus, running
from streamflow import config
from streamflow.probing import ProbeTarget, probe
from streamflow.probing.target import KnownFigures
from streamflow.records import Result

AT_ONCE = 6
SHORT = config.Probe(connect_timeout=3, read_timeout=5)
WHOLE = SHORT.model_copy(update={"min_sample_seconds": None})


def _compared(url: str) -> tuple[Result, Result, Result]:
    """Return the results of a whole sample, a short one, and one that knows the figures of the whole one."""
    whole = probe(ProbeTarget(url), WHOLE).result
    known = ProbeTarget(url, known=KnownFigures.of(whole))
    return whole, probe(ProbeTarget(url), SHORT).result, probe(known, SHORT).result


def _word(result: Result) -> str:
    return f"{result.verdict}: {result.reason}" if result.reason else result.verdict


def report(urls: Mapping[str, str]) -> None:
    """Print a JSON object for each stream that differs, and one for all; addresses by name."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        results = dict(zip(urls, pool.map(_compared, urls.values()), strict=True))
    differing = 0
    errors = [0.0]
    for name, (whole, *others) in results.items():
        words = [_word(whole), *map(_word, others)]
        if len(set(words)) > 1:
            differing += 1
            print(json.dumps({"bench": "sample_differs", "stream": name, "whole_short_known": words}), flush=True)
        rate = whole.bitrate_kbps
        errors += [abs(one.bitrate_kbps / rate - 1) for one in others if rate and one.bitrate_kbps]
    healthy = [
        found for found in results.values() if found[0].verdict == "ok" and found[0].elapsed_s >= WHOLE.sample_seconds
    ]

    def seconds(place: int) -> float | None:
        return round(mean(found[place].elapsed_s for found in healthy), 2) if healthy else None

    figure = {
        "bench": "samples",
        "streams": len(results),
        "verdicts_differing": differing,
        "worst_bitrate_difference": round(max(errors), 4),
        "healthy": len(healthy),
        "healthy_short": sum("early_end" in found[1].extra for found in healthy),
        "healthy_unchanged": sum(found[2].extra.get("early_end") == "unchanged" for found in healthy),
        "slot_s_whole": seconds(0),
        "slot_s_short": seconds(1),
        "slot_s_known": seconds(2),
    }
    print(json.dumps(figure), flush=True)


def main() -> None:
    """Compare the samples of the corpus, or of the addresses in the arguments."""
    if addresses := sys.argv[1:]:
        report({address: address for address in addresses})
        return
    library = corpus()
    with running(library, kept_media()) as lab:
        report({stream.name: lab.url(stream) for stream in library.streams})


if __name__ == "__main__":
    main()
