"""Who is connected to the lab."""

from __future__ import annotations

import time

from lab import Lab

# A busy machine delivers the end of a connection late.
SECONDS = 3.0


def assert_nobody_watches(lab: Lab) -> None:
    """Every connection has been given back, or is within moments."""
    deadline = time.monotonic() + SECONDS
    while lab.account_record(1)["current"] and time.monotonic() < deadline:
        time.sleep(0.05)
    assert lab.account_record(1)["current"] == 0
