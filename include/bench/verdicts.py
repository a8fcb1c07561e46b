"""Measure how right the probe is about each class of the lab's corpus, whose truth is known."""

from __future__ import annotations

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from bench.probe import kept_media
from lab import Lab, Stream, corpus, running
from streamflow import config
from streamflow.probing import ProbeTarget, probe
from streamflow.records import Result

SETTINGS = config.Probe(sample_seconds=8, connect_timeout=2, read_timeout=2.5)
AT_ONCE = 6


def probed(lab: Lab, stream: Stream) -> Result:
    """Return the result of one stream."""
    return probe(ProbeTarget(lab.url(stream), stream_id=stream.id, account_id=stream.account_id), SETTINGS).result


def main() -> None:
    """Print one JSON object."""
    library = corpus()
    with running(library, kept_media()) as lab, ThreadPoolExecutor(AT_ONCE) as pool:
        results = dict(zip(library.streams, pool.map(lambda stream: probed(lab, stream), library.streams), strict=True))
        gone = probed(lab, library.named("http_404"))
        seen = Counter(line["stream"] for line in lab.record(connections=True)["connections"])
        truths = {stream: lab.media.clip(stream.clip).truth for stream in results}
    measured = {stream: result for stream, result in results.items() if result.bitrate_kbps}
    at_provider = [stream for stream in results if stream.place == "provider" and stream.name != "http_404"]

    def right(name: str) -> int:
        return sum(getattr(result, name) == getattr(truths[stream], name) for stream, result in measured.items())

    errors = [abs((result.bitrate_kbps or 0) / truths[s].bitrate_kbps - 1) for s, result in measured.items()]
    figure = {
        "bench": "verdicts",
        "streams": len(results),
        "verdicts_right": sum((r.verdict, r.reason) == (s.verdict, s.reason) for s, r in results.items()),
        "measured": len(measured),
        "width_right": right("width"),
        "height_right": right("height"),
        "fps_right": right("fps"),
        "worst_bitrate_error": round(max(errors), 4),
        "most_connections_a_stream": max(seen[s.id] for s in at_provider),
        "http_404_s": gone.elapsed_s,
    }
    print(json.dumps(figure), flush=True)


if __name__ == "__main__":
    main()
