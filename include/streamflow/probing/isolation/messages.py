"""Messages between processes: JSON, so that a process that was taken over cannot send anything but data."""

from __future__ import annotations

import json
from multiprocessing.connection import Connection
from typing import Any

#: A stream socket to another process, which sends whole messages.
Channel = Connection

# A result with its thumbnail has some 40 KB.
MAX_MESSAGE_BYTES = 4_000_000


def send(channel: Channel, message: Any) -> None:
    """Send a message of JSON values.

    :raises OSError: when the other side is gone.
    """
    channel.send_bytes(json.dumps(message).encode())


def receive(channel: Channel) -> Any:
    """Wait for a message and return it.

    :raises EOFError: at the end of the channel, and for bytes that are no message.
    """
    try:
        return json.loads(channel.recv_bytes(MAX_MESSAGE_BYTES))
    except (OSError, ValueError, RecursionError) as error:
        raise EOFError("no message") from error
