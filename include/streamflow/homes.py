"""The homes of all machines: each reports itself in Redis, and remembers the others for when Redis is away."""

from __future__ import annotations

import logging
import os
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import cast

from pydantic import BaseModel, TypeAdapter, ValidationError
from redis import Redis

from streamflow.files import replacing

log = logging.getLogger(__name__)

KEY = "{streamflow}:homes"
# A home that has not reported itself for this time is gone, and its writes with it.
GONE_SECONDS = 86_400.0
_POLL_SECONDS = 0.5


class Report(BaseModel):
    """A home's report about itself.

    ``at`` is the time (s) by Redis' clock; all writes of the home before it are in Redis. ``serves`` says that an API
    server shows pictures from the home.
    """

    at: float
    serves: bool = False


_Known = TypeAdapter(dict[str, Report])


class Homes:
    """The homes, as seen from one of them."""

    def __init__(self, redis: Redis, home: Path) -> None:
        self._redis = redis
        self._home = home
        self.id = home_id(home)

    def now(self) -> float:
        """Return the time (s) by Redis' clock."""
        seconds, microseconds = self._redis.time()
        return seconds + microseconds / 1e6

    def report(self, merged_at: float, *, serves: bool) -> None:
        """Report this home, and remember the others.

        :param merged_at: a time by :meth:`now`; all writes of this home before it are in Redis.
        """
        reports = self.reports()
        former = reports.get(self.id)
        # Another process of this home may be the one that serves.
        reports[self.id] = Report(at=merged_at, serves=serves or bool(former and former.serves))
        self._redis.hset(KEY, self.id, reports[self.id].model_dump_json())
        gone = [home for home, report in reports.items() if report.at < merged_at - GONE_SECONDS]
        if gone:
            self._redis.hdel(KEY, *gone)
        _remember(self._home, {home: report for home, report in reports.items() if home not in gone})

    def reports(self) -> dict[str, Report]:
        """Return the last report of each home, by its id."""
        texts = cast("dict[bytes, bytes]", self._redis.hgetall(KEY))
        return {home.decode(): Report.model_validate_json(text) for home, text in texts.items()}

    def await_others(self, seconds: float) -> bool:
        """Wait until all other homes have merged their writes up to now, and return whether they have.

        :param seconds: the longest time to wait, in full for a machine that is off.
        """
        began, deadline = self.now(), time.monotonic() + seconds
        while late := [home for home, report in self.reports().items() if home != self.id and report.at < began]:
            if time.monotonic() > deadline:
                log.warning("%d other machines have not merged their writes within %g s", len(late), seconds)
                return False
            time.sleep(_POLL_SECONDS)
        return True


def home_id(home: Path) -> str:
    """Return the id of a home, which is made at its first use."""
    file = home / "id"
    try:
        return file.read_text().strip()
    except FileNotFoundError:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        made = uuid.uuid4().hex
        part = home / f".id.{made}"
        part.write_text(made)
        # Two processes may make it at the same time: the first one counts.
        with suppress(FileExistsError):
            os.link(part, file)
        part.unlink()
        return file.read_text()


def known(home: Path) -> dict[str, Report]:
    """Return the homes that this one knew when it last reported itself, itself included."""
    try:
        return _Known.validate_json((home / "homes.json").read_bytes())
    except (FileNotFoundError, ValidationError):
        return {}


def has_others(home: Path) -> bool:
    """Return whether this machine knows of other homes, whose writes it does not see while Redis is away."""
    return any(other != home_id(home) for other in known(home))


def _remember(home: Path, reports: dict[str, Report]) -> None:
    with replacing(home / "homes.json", durable=False) as new:
        new.write(_Known.dump_json(reports))
