"""The last check of each stream that decided something, while later ones did not: during an outage, for example."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from streamflow.records import DECIDED, Result
from streamflow.udi import bounds
from streamflow.udi.ports import Results

# Most outages last few nights, so that the whole history of few streams is read.
FIRST_LOOK = 4


def last_decided(results: Results, stream_ids: Iterable[int]) -> dict[int, Result]:
    """Return the newest result of each stream that decided something, without the streams that have none.

    :raises UdiUnavailable: the store cannot be read.
    """
    return among(results, results.latest_of(stream_ids))


def among(results: Results, latest: Mapping[int, Result]) -> dict[int, Result]:
    """Return the same as :func:`last_decided` for streams whose latest results were read already.

    :raises UdiUnavailable: the store cannot be read.
    """
    found = {stream: one for stream, one in latest.items() if one.verdict in DECIDED}
    for limit in (FIRST_LOOK, bounds.HISTORY):
        undecided = latest.keys() - found.keys()
        for stream, past in results.histories(undecided, limit).items() if undecided else ():
            if decided := next((one for one in past if one.verdict in DECIDED), None):
                found[stream] = decided
    return found
