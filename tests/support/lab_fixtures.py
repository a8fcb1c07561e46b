"""The lab for tests: its media made once for all workers and runs, and the labelled corpus being served."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import Lab, Media, corpus, running


@pytest.fixture(scope="session")
def lab_folder() -> Path:
    """Where the lab's clips are kept for later runs."""
    return Path(tempfile.gettempdir()) / f"streamflow-{os.getuid()}" / "lab-media"


@pytest.fixture(scope="session")
def lab_media(lab_folder: Path) -> Media:
    """The lab's clips; each is made by the first test that asks for it."""
    return Media(lab_folder)


@pytest.fixture(scope="session")
def lab(lab_media: Media) -> Iterator[Lab]:
    """The corpus on an unlimited account. Its record is shared: start a lab of your own where counts matter."""
    with running(corpus(), lab_media) as served:
        yield served
