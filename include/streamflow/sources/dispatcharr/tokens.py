"""Dispatcharr's login tokens, shared by all processes of one home: it accepts three logins a minute."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from streamflow.errors import SourceRefused
from streamflow.files import replacing

Post = Callable[[str, dict[str, str]], dict[str, str]]
"""Sends a JSON body to a path and returns the JSON of the reply."""

_LOGIN = "/api/accounts/token/"
_REFRESH = "/api/accounts/token/refresh/"


class Tokens:
    """The tokens of one user, in a file that only its owner can read.

    A lock on a file beside it lets one process at a time log in; the others wait and use its token.
    """

    def __init__(self, home: Path, address: str, username: str, password: str) -> None:
        login = hashlib.sha256(f"{address}\n{username}\n{password}".encode()).hexdigest()[:16]
        self._file = home / "dispatcharr" / f"{login}.json"
        self._login = {"username": username, "password": password}

    def access(self, post: Post) -> str:
        """Return the access token; without a stored one, log in with ``post``."""
        tokens = self._read()
        if "access" in tokens:
            return str(tokens["access"])
        with self._locked():
            tokens = self._read()
            if "access" not in tokens:
                tokens = self._renewed(tokens, post)
                self._write(tokens)
        return str(tokens["access"])

    def forget(self, access: str) -> None:
        """Forget an access token that Dispatcharr rejected, unless another process has replaced it already."""
        with self._locked():
            tokens = self._read()
            if tokens.get("access") == access:
                self._write({"refresh": tokens.get("refresh")})

    def _renewed(self, tokens: dict[str, Any], post: Post) -> dict[str, Any]:
        if tokens.get("refresh"):
            try:
                return {"refresh": tokens["refresh"], **post(_REFRESH, {"refresh": str(tokens["refresh"])})}
            except SourceRefused:
                # The refresh token has expired: Dispatcharr accepts it for one day.
                return dict(post(_LOGIN, self._login))
        return dict(post(_LOGIN, self._login))

    def _read(self) -> dict[str, Any]:
        try:
            return dict(json.loads(self._file.read_text()))
        except (FileNotFoundError, json.JSONDecodeError):
            return {}

    def _write(self, tokens: dict[str, Any]) -> None:
        with replacing(self._file) as new:
            new.write(json.dumps(tokens).encode())

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(self._file.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
