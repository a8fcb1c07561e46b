"""Thumbnails: the last picture of each stream, as a file of its own in the home."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from streamflow.files import replacing

MAX_BYTES = 20_000
# A bound on the disk: 20,000 pictures of at most 20 KB take 400 MB.
KEPT = 20_000


def path(home: Path, stream_id: int) -> Path:
    """Where a stream's picture is, spread over 256 folders."""
    return home / "thumbnails" / f"{stream_id % 256:02x}" / f"{stream_id}.jpg"


def save(home: Path, stream_id: int, jpeg: bytes) -> None:
    """Keep a picture instead of the one before; a reader sees one of the two in whole."""
    with replacing(path(home, stream_id), durable=False) as new:
        new.write(jpeg)


def load(home: Path, stream_id: int) -> bytes | None:
    """The picture, or None where none was taken."""
    try:
        return path(home, stream_id).read_bytes()
    except FileNotFoundError:
        return None


def prune(home: Path, kept: int = KEPT) -> int:
    """Remove the oldest pictures beyond ``kept``; answers how many."""
    found = []
    for folder in _folders(home):
        for entry in os.scandir(folder):
            # What is being written loses its name for its final one.
            with suppress(FileNotFoundError):
                found.append((entry.stat().st_mtime, entry.path))
    found.sort(reverse=True)
    for _, file in found[kept:]:
        Path(file).unlink(missing_ok=True)
    return len(found[kept:])


def _folders(home: Path) -> list[Path]:
    whole = home / "thumbnails"
    return sorted(whole.iterdir()) if whole.is_dir() else []
