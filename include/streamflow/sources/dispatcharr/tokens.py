"""Dispatcharr's login tokens, shared by all processes of all machines: it accepts three logins a minute."""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

from redis import Redis
from redis.exceptions import LockError, RedisError

from streamflow.errors import SourceRefused
from streamflow.files import replacing

log = logging.getLogger(__name__)

Post = Callable[[str, dict[str, str]], dict[str, str]]
"""Sends a JSON body to a path and returns the JSON of the reply."""

_LOGIN = "/api/accounts/token/"
_REFRESH = "/api/accounts/token/refresh/"


# Dispatcharr accepts a refresh token for one day.
KEPT_SECONDS = 86_400
# A login takes at most this time; a process that waited as long logs in on its own.
LOGIN_SECONDS = 30


class Tokens:
    """The tokens of one user, in Redis and in a file that only its owner can read.

    One process at a time logs in; the others wait and use its token. A lock in Redis lets one of all machines log in.
    While Redis is away, or without it, the file counts, and a lock on a file beside it lets one of this home log in.
    """

    def __init__(self, home: Path, address: str, username: str, password: str, redis: Redis | None = None) -> None:
        login = hashlib.sha256(f"{address}\n{username}\n{password}".encode()).hexdigest()[:16]
        self._file = home / "dispatcharr" / f"{login}.json"
        self._login = {"username": username, "password": password}
        self._redis = redis
        self._key = f"{{streamflow}}:dispatcharr:{login}"

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
            text = cast("bytes | None", self._redis.get(self._key)) if self._redis else None
        except RedisError as error:
            self._leave(error)
            text = None
        try:
            return dict(json.loads(text or self._file.read_bytes()))
        except (FileNotFoundError, json.JSONDecodeError):
            return {}

    def _write(self, tokens: dict[str, Any]) -> None:
        text = json.dumps(tokens)
        with replacing(self._file) as new:
            new.write(text.encode())
        try:
            if self._redis:
                self._redis.set(self._key, text, ex=KEPT_SECONDS)
        except RedisError as error:
            self._leave(error)

    def _leave(self, error: RedisError) -> None:
        log.warning("Dispatcharr's tokens are not shared with other machines: %s", error)
        self._redis = None

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self._locked_file(), self._locked_redis():
            yield

    @contextmanager
    def _locked_redis(self) -> Iterator[None]:
        if self._redis is None:
            yield
            return
        lock = self._redis.lock(f"{self._key}:lock", timeout=LOGIN_SECONDS, blocking_timeout=LOGIN_SECONDS)
        try:
            lock.acquire()
        except RedisError as error:
            self._leave(error)
        try:
            yield
        finally:
            # A lock that has expired, or that nobody holds because Redis is away, is not given back.
            with suppress(LockError, RedisError):
                lock.release()

    @contextmanager
    def _locked_file(self) -> Iterator[None]:
        self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(self._file.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
