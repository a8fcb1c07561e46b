"""The player: the process of a stream that libav must open itself, so that it fetches and decodes."""

from __future__ import annotations

from pydantic import TypeAdapter

from streamflow.probing.decoder import Judge
from streamflow.probing.isolation import messages
from streamflow.probing.isolation.messages import Channel
from streamflow.probing.protocols import libav
from streamflow.probing.requests import PlayRequest

_REQUEST = TypeAdapter(PlayRequest)


def run(channel: Channel, media: Channel | None) -> None:
    """Measure the stream that ``channel`` asks for, and send its outcome."""
    del media
    request = _REQUEST.validate_python(messages.receive(channel))
    judge = Judge(request.measure, channel)
    # libav reads at once when it opens an address itself.
    judge.report(0.0, 0, None, None, "opening")
    judge.conclude(lambda: libav.measure(request.fetch, judge.info, judge.analyzer, judge.started))
