"""Connections to the lab."""

from __future__ import annotations

import time

from lab import Lab

# On a loaded machine the end of a connection arrives late.
SECONDS = 3.0


def assert_nobody_watches(lab: Lab) -> None:
    """Assert that all connections to the lab are closed, or will be within seconds."""
    deadline = time.monotonic() + SECONDS
    while lab.account_record(1)["current"] and time.monotonic() < deadline:
        time.sleep(0.05)
    assert lab.account_record(1)["current"] == 0
