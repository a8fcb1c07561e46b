"""Live progress of running probes, in Redis."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from streamflow.udi import bounds
from streamflow.udi.redis.connection import Connection, add_event
from streamflow.udi.redis.keys import PREFIX

KEY = PREFIX + "progress"


class RedisProgress:
    """Implements :class:`~streamflow.udi.ports.Progress`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def publish(self, stream_id: int, state: Mapping[str, Any] | None) -> None:
        """Store or delete the state of a stream's probe, and send it as an event."""
        with self._connection.batch(transaction=False) as batch:
            if state is None:
                batch.hdel(KEY, str(stream_id))
            else:
                until = time.time() + bounds.PROGRESS_SECONDS
                batch.hset(KEY, str(stream_id), json.dumps({**state, "until": until}))
            add_event(batch, "progress", {"stream_id": stream_id, "state": state})
            batch.execute()

    def running(self) -> dict[int, dict[str, Any]]:
        """Return the states that have not expired, by stream."""
        states = {int(stream): json.loads(text) for stream, text in self._connection.hash("progress").items()}
        return {stream: state for stream, state in states.items() if state.pop("until") >= time.time()}
