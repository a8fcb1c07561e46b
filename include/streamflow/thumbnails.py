"""Thumbnails: the last picture of each stream, one file each, in the home."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from streamflow.files import replacing

MAX_BYTES = 20_000
# 20,000 pictures of at most 20 KB take 400 MB of the disk.
KEPT = 20_000


def path(home: Path, stream_id: int) -> Path:
    """Return the file of a stream's picture. The files are spread over 256 folders."""
    return home / "thumbnails" / f"{stream_id % 256:02x}" / f"{stream_id}.jpg"


def save(home: Path, stream_id: int, jpeg: bytes) -> None:
    """Replace the picture of a stream. A reader sees the former or the new picture, never a part."""
    with replacing(path(home, stream_id), durable=False) as new:
        new.write(jpeg)


def load(home: Path, stream_id: int) -> bytes | None:
    """Return the picture of a stream as JPEG, or None if there is none."""
    try:
        return path(home, stream_id).read_bytes()
    except FileNotFoundError:
        return None


def prune(home: Path, kept: int = KEPT) -> int:
    """Delete the oldest pictures beyond the newest ``kept``; return their number."""
    pictures = []
    for folder in _folders(home):
        for entry in os.scandir(folder):
            # A file that is being written is renamed at its end.
            with suppress(FileNotFoundError):
                pictures.append((entry.stat().st_mtime, entry.path))
    pictures.sort(reverse=True)
    surplus = pictures[kept:]
    for _, file in surplus:
        Path(file).unlink(missing_ok=True)
    return len(surplus)


def _folders(home: Path) -> list[Path]:
    folder = home / "thumbnails"
    return sorted(folder.iterdir()) if folder.is_dir() else []
