"""Secrets that are made at first use and kept in files that only their owner can read."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path

from streamflow.files import replacing


def kept(file: Path, make: Callable[[], str] = lambda: secrets.token_urlsafe(32)) -> str:
    """Return the secret in a file, and make it at first use.

    An empty file, which a crash of an older version may have left, counts as missing.
    """
    try:
        if secret := file.read_text().strip():
            return secret
    except FileNotFoundError:
        pass
    secret = make()
    with replacing(file) as new:
        new.write(f"{secret}\n".encode())
    return secret
