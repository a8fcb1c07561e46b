"""Live progress of running probes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class Progress(Protocol):
    """The states of the probes that are running now."""

    def publish(self, stream_id: int, state: Mapping[str, Any] | None) -> None:
        """Store the state of a stream's probe for 30 s, and send it as an event.

        :param state: numbers for people, or None when the probe has ended.
        """

    def running(self) -> dict[int, dict[str, Any]]:
        """Return the states of the running probes, by stream."""
