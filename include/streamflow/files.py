"""Files that are replaced in one step."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def replacing(file: Path, *, durable: bool = True) -> Iterator[BinaryIO]:
    """Open a new file that takes the place of ``file`` when the block ends without an error.

    A reader sees the former content or the new one, never a part. Only the owner can read the new file. After an error
    ``file`` is unchanged. ``rename(2)`` is atomic within one file system, so the new file is written beside the old.

    :param durable: wait until the content is on the disk, so that a power failure loses neither version.
    """
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    part = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as new:
            yield new
            if durable:
                new.flush()
                os.fsync(new.fileno())
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)
