"""What the probe's tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from probing.scripted import Scripted
from streamflow import config


@pytest.fixture
def scripted() -> Iterator[Scripted]:
    server = Scripted()
    yield server
    server.close()


@pytest.fixture
def settings() -> config.Probe:
    """Short times, so that what never comes is not waited for."""
    return config.Probe(sample_seconds=1.5, connect_timeout=1, read_timeout=0.6)
