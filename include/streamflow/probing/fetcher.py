"""The fetcher: the process that opens the connection of a probe, and reads everything that is not media."""

from __future__ import annotations

from pydantic import TypeAdapter

from streamflow.probing.handover import hand_over
from streamflow.probing.isolation import messages
from streamflow.probing.isolation.messages import Channel
from streamflow.probing.judgement.refusal import fault
from streamflow.probing.net.http_client import HttpClient
from streamflow.probing.net.receive_buffer import ReceiveBuffer
from streamflow.probing.protocols.http_feed import feed
from streamflow.probing.protocols.source_info import SourceInfo
from streamflow.probing.requests import FetchRequest

_REQUEST = TypeAdapter(FetchRequest)


def run(channel: Channel, media: Channel | None) -> None:
    """Fetch the stream that ``channel`` asks for, and hand its bytes over to the process behind ``media``."""
    if media is None:
        raise ValueError("nobody takes the media")
    with channel:
        request = _REQUEST.validate_python(messages.receive(channel))
    client, source = HttpClient(request.headers, request.options), SourceInfo()

    def close() -> None:
        source.is_stopping = True
        client.close()

    read_timeout = request.options.read_timeout
    buffer = ReceiveBuffer(lambda: feed(client, request.url, source, read_timeout), close)
    try:
        hand_over(buffer, source, media, fault)
    finally:
        buffer.stop()
