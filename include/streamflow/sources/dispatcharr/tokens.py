"""Dispatcharr's login tokens, shared by all processes of a home: logins are throttled to three a minute."""

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

_LOGIN = "/api/accounts/token/"
_REFRESH = "/api/accounts/token/refresh/"


class Tokens:
    """The tokens of one user, in a file that only its owner can read."""

    def __init__(self, home: Path, address: str, username: str, password: str) -> None:
        login = hashlib.sha256(f"{address}\n{username}\n{password}".encode()).hexdigest()[:16]
        self._file = home / "dispatcharr" / f"{login}.json"
        self._login = {"username": username, "password": password}

    def access(self, post: Post) -> str:
        """The access token; logs in with ``post`` (path and body in, JSON out) when there is none."""
        known = self._read()
        if "access" in known:
            return str(known["access"])
        with self._locked():
            known = self._read()
            if "access" not in known:
                known = self._renewed(known, post)
                self._write(known)
        return str(known["access"])

    def refused(self, access: str) -> None:
        """Forget an access token that has expired, unless somebody has renewed it meanwhile."""
        with self._locked():
            known = self._read()
            if known.get("access") == access:
                self._write({"refresh": known.get("refresh")})

    def _renewed(self, known: dict[str, Any], post: Post) -> dict[str, Any]:
        if known.get("refresh"):
            try:
                return {"refresh": known["refresh"], **post(_REFRESH, {"refresh": str(known["refresh"])})}
            except SourceRefused:
                # The refresh token lives for a day.
                return dict(post(_LOGIN, self._login))
        return dict(post(_LOGIN, self._login))

    def _read(self) -> dict[str, Any]:
        try:
            return dict(json.loads(self._file.read_text()))
        except (FileNotFoundError, json.JSONDecodeError):
            return {}

    def _write(self, known: dict[str, Any]) -> None:
        with replacing(self._file) as new:
            new.write(json.dumps(known).encode())

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(self._file.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
