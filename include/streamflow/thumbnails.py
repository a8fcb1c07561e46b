"""Thumbnails: the last picture of each stream and the one before it, in the home."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from streamflow.files import replacing

MAX_BYTES = 20_000
# 20,000 pictures of at most 20 KB take 400 MB of the disk. A former picture is older than most, and deleted first.
KEPT = 20_000


def path(home: Path, stream_id: int, *, former: bool = False) -> Path:
    """Return the file of a stream's picture, or of the one before it. The files are spread over 256 folders."""
    return home / "thumbnails" / f"{stream_id % 256:02x}" / f"{stream_id}{'.former' if former else ''}.jpg"


def save(home: Path, stream_id: int, jpeg: bytes) -> None:
    """Replace the picture of a stream, and keep the former one. A reader sees a whole picture, never a part."""
    with suppress(FileNotFoundError):
        path(home, stream_id).replace(path(home, stream_id, former=True))
    with replacing(path(home, stream_id), durable=False) as new:
        new.write(jpeg)


def load(home: Path, stream_id: int, *, former: bool = False) -> bytes | None:
    """Return the picture of a stream, or the one before it, as JPEG; None if there is none."""
    try:
        return path(home, stream_id, former=former).read_bytes()
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
