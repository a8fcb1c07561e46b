"""Fixtures of the probe's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab import Media
from streamflow import config
from support.probing.fragments import fragmented
from support.probing.scripted import Scripted


@pytest.fixture(scope="session")
def fragments(lab_media: Media) -> tuple[bytes, list[bytes]]:
    """Return a clip's video as fragmented MP4: its description, and its fragments of a second."""
    return fragmented(lab_media.clip("sd480p30"), "video")


@pytest.fixture
def scripted() -> Iterator[Scripted]:
    server = Scripted()
    yield server
    server.close()


@pytest.fixture
def settings() -> config.Probe:
    """Return settings with short times, so that the tests do not wait."""
    return config.Probe(sample_seconds=1.5, connect_timeout=2, read_timeout=1.5)
