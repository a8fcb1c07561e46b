"""The settings that all machines share: in Redis, with the settings file of each home as a copy.

Every version has a number. A home remembers the last version that it has seen, and how its file looked then. So it can
distinguish a file that was edited, by hand or by the page, from settings that changed on another machine:

- An edited file becomes the next version.
- A newer version replaces the file.
- When both changed, each section takes the side that changed it. The file wins where both sides changed a section.
- A missing file is no edit: the file is written again.
- When Redis has lost its data, the newest version that a home has seen is stored again.

While Redis is away, each machine uses its file.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel, ValidationError
from redis import Redis
from redis.client import Pipeline
from redis.exceptions import RedisError

from streamflow import config
from streamflow.config import Config
from streamflow.errors import ConfigError
from streamflow.files import replacing

log = logging.getLogger(__name__)

KEY = "{streamflow}:settings"
# In the home; the file beside it is locked by the process that reconciles.
SEEN = "shared-settings.json"
# A writer that is overtaken this often leaves the change to the next call.
TRIES = 5


class Version(BaseModel):
    """A version of the settings, numbered from 1."""

    number: int
    changed_at: datetime
    settings: dict[str, Any]

    def follows(self, other: Version | None) -> bool:
        """Return whether this version is newer than another one.

        Numbers repeat when Redis has lost its data, so the time decides between equal ones.
        """
        return other is None or (self.number, self.changed_at) > (other.number, other.changed_at)


class Seen(BaseModel):
    """The last version that a home has seen, and the digest of its settings file at that time, empty without a file."""

    digest: str = ""
    version: Version | None = None


@dataclass(frozen=True)
class _Sides:
    """The settings of one home and the shared ones at one moment."""

    seen: Seen
    digest: str
    shared: Version | None

    @property
    def are_equal(self) -> bool:
        return self.digest == self.seen.digest and self.shared == self.seen.version

    def is_edited(self, file: Path) -> bool:
        """Return whether the file was edited since this home saw a version.

        A home that has seen none shares its file where nothing is shared, or where the file is newer.
        """
        if not self.digest:
            return False
        if self.seen.version:
            return self.digest != self.seen.digest
        return self.shared is None or file.stat().st_mtime > self.shared.changed_at.timestamp()


def reconcile(redis: Redis, home: Path | None = None) -> None:
    """Bring the settings file and the shared settings together.

    While Redis is away nothing changes.

    :param home: the folder of this machine's state, by default :func:`streamflow.config.home`.
    :raises ConfigError: the settings file was edited and is wrong.
    """
    folder, file = home or config.home(), config.path()
    try:
        if _sides(redis, folder, file).are_equal:
            return
        with _locked(folder):
            for _ in range(TRIES):
                if _reconciled(redis, folder, file):
                    return
    except RedisError as error:
        log.warning("the settings file counts, because the shared settings cannot be read: %s", error)


def load(redis: Redis) -> Config:
    """Return the settings in force on all machines, or those of the settings file while Redis is away.

    :raises ConfigError: the settings file was edited and is wrong.
    """
    reconcile(redis)
    return config.load()


def save(redis: Redis, settings: Config) -> None:
    """Write the settings file, and share it.

    While Redis is away the file is written alone. It is shared as soon as Redis is back.
    """
    config.save(settings)
    reconcile(redis)


def _sides(redis: Redis, home: Path, file: Path) -> _Sides:
    text = cast("bytes | None", redis.get(KEY))
    return _Sides(_seen(home), _digest(file), Version.model_validate_json(text) if text else None)


def _reconciled(redis: Redis, home: Path, file: Path) -> bool:
    """Bring both sides together, and return whether no other machine has stored a version meanwhile."""
    sides = _sides(redis, home, file)
    seen, shared = sides.seen.version, sides.shared
    newer = shared if shared and shared.follows(seen) else None
    theirs = _known(newer) if newer else None
    if newer and theirs is None:
        return True
    if not sides.is_edited(file):
        version = newer or seen
        if version is None:
            return True
        if version != shared and not _stored(redis, version, shared):
            return False
        if newer or not sides.digest:
            _replace(file, config.parse(version.settings))
    else:
        mine = config.load(file)
        merged = _merged(seen, mine, theirs) if seen and theirs else mine
        number = max(each.number if each else 0 for each in (seen, shared)) + 1
        version = Version(number=number, changed_at=datetime.now(UTC), settings=merged.model_dump(mode="json"))
        if not _stored(redis, version, shared):
            return False
        if merged != mine:
            _replace(file, merged)
    log.info("the settings in force are version %d", version.number)
    _remember(home, Seen(version=version, digest=_digest(file)))
    return True


def _known(version: Version) -> Config | None:
    """Return the settings of a version, or None where this StreamFlow does not understand them."""
    try:
        return config.parse(version.settings, f"version {version.number} of the shared settings")
    except ConfigError as error:
        log.warning("the settings file counts, because the shared settings are of another StreamFlow: %s", error)
        return None


def _merged(base: Version, mine: Config, theirs: Config) -> Config:
    """Return the settings with the changes of both sides since a version."""
    sections, others = mine.model_dump(mode="json"), theirs.model_dump(mode="json")
    for name, section in sections.items():
        before = base.settings.get(name)
        if section == before:
            sections[name] = others[name]
        elif others[name] not in (before, section):
            log.warning("settings: %s was changed on two machines; the file of this one counts", name)
    return config.parse(sections)


def _stored(redis: Redis, version: Version, expected: Version | None) -> bool:
    """Store a version unless another one than the expected is stored; return whether it was stored."""

    def store(pipeline: Pipeline) -> bool:
        text = cast("bytes | None", pipeline.get(KEY))
        stored = Version.model_validate_json(text) if text else None
        pipeline.multi()
        if stored == expected:
            pipeline.set(KEY, version.model_dump_json())
        return stored == expected

    # The stub of redis-py knows no value of the function.
    return bool(redis.transaction(cast("Callable[[Pipeline], None]", store), KEY, value_from_callable=True))


def _replace(file: Path, settings: Config) -> None:
    try:
        config.save(settings, file)
    except OSError as error:
        log.warning("the shared settings are not in force here: %s cannot be written: %s", file, error.strerror)


def _digest(file: Path) -> str:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from error


def _seen(home: Path) -> Seen:
    try:
        return Seen.model_validate_json((home / SEEN).read_bytes())
    except (FileNotFoundError, ValidationError):
        return Seen()


def _remember(home: Path, seen: Seen) -> None:
    with replacing(home / SEEN, durable=False) as new:
        new.write(seen.model_dump_json().encode())


@contextmanager
def _locked(home: Path) -> Iterator[None]:
    """Let one process of the home at a time reconcile."""
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open((home / SEEN).with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
