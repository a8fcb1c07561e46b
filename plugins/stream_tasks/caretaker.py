"""The care of a home, by a thread in a process that lasts.

Every few seconds it brings the settings file and the shared settings together, merges the home's writes into Redis,
copies what other machines wrote, and passes pictures on to the API servers. Once an hour it prunes what only this
machine holds, and the API server's home gets a backup each night.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from account_limiter import connect
from stream_tasks import upkeep
from streamflow import backup, config, pictures, shared_settings
from streamflow.errors import StreamFlowError
from streamflow.homes import Homes
from streamflow.udi import open_udi

log = logging.getLogger(__name__)

EXPECTED = (StreamFlowError, RedisError, OSError)
EVERY_SECONDS = 5.0
PRUNE_SECONDS = 3600.0
BACKUP_SECONDS = 900.0
# After a backup that failed.
BACKUP_RETRY_SECONDS = 3600.0

# A process must not fork while the thread uses SQLite: the child could wait for ever for a lock of the thread.
_at_work = threading.Lock()
os.register_at_fork(before=_at_work.acquire, after_in_parent=_at_work.release, after_in_child=_at_work.release)


_is_started = False


class Caretaker:
    """Takes care of one home.

    :param serves: an API server shows pictures from the home.
    """

    def __init__(self, redis: Redis, home: Path, *, serves: bool) -> None:
        self._redis = redis
        self._home = home
        self._serves = serves
        self._homes = Homes(redis, home)
        self._udi = open_udi(redis, home)
        self._prune_at = time.monotonic() + PRUNE_SECONDS
        self._backup_at = 0.0

    def attend(self) -> None:
        """Do the work that is due.

        :raises StreamFlowError: the settings file is wrong, or no store can be used.
        :raises RedisError: Redis is away.
        """
        try:
            shared_settings.reconcile(self._redis, self._home)
        finally:
            # A wrong settings file holds up nothing else.
            self._exchange()
        if time.monotonic() > self._prune_at:
            self._prune_at = time.monotonic() + PRUNE_SECONDS
            self._udi.prune_file()
            upkeep.prune_files()
        if self._serves and time.monotonic() > self._backup_at and self._is_backup_due():
            self._backup_at = time.monotonic() + BACKUP_RETRY_SECONDS
            self._back_up()

    def _is_backup_due(self) -> bool:
        if not backup.is_due(self._home, datetime.now().astimezone()):
            return False
        return self._udi.library.refreshed_at() is not None

    def _back_up(self) -> None:
        """Make the nightly backup, in a process of its own: it needs seconds of the processor for a large library."""
        command = [sys.executable, "-m", "streamflow.backup"]
        env = {**os.environ, "STREAMFLOW_HOME": str(self._home)}
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=BACKUP_SECONDS)
        if done.returncode:
            log.error("no backup was made: %s", done.stderr[-2000:])

    def _exchange(self) -> None:
        before = self._homes.now()
        with _at_work:
            self._udi.follow()
        if self._udi.is_away:
            return
        self._homes.report(before, serves=self._serves)
        pictures.send(self._redis, self._home)
        if self._serves:
            pictures.receive(self._redis, self._home)


def start(*, serves: bool = False) -> None:
    """Start the thread that takes care of this process's home until the process ends. Further calls do nothing.

    :param serves: this process is an API server.
    """

    def attending() -> Callable[[], None]:
        return Caretaker(connect(), config.home(), serves=serves).attend

    _start(attending)


def start_for_settings() -> None:
    """Bring the shared settings into the settings file now, and by a thread until the process ends.

    A process that runs no checks and shows no results, such as the DAG processor, needs nothing else.
    """

    def attending() -> Callable[[], None]:
        return partial(shared_settings.reconcile, connect())

    try:
        # No DAG may be parsed with the schedule of another machine's file.
        attending()()
    except EXPECTED as error:
        log.warning("the shared settings are not in force yet: %s", error)
    _start(attending)


def _start(prepare: Callable[[], Callable[[], None]]) -> None:
    # Airflow loads a plugin more than once in some processes.
    global _is_started
    if not _is_started:
        _is_started = True
        threading.Thread(target=_repeat, args=(prepare,), name="caretaker", daemon=True).start()


def _repeat(prepare: Callable[[], Callable[[], None]]) -> None:
    attend: Callable[[], None] | None = None
    last_error = ""
    while True:
        time.sleep(EVERY_SECONDS)
        try:
            attend = attend or prepare()
            attend()
            last_error = ""
        except Exception as error:  # the thread must go on, whatever fails
            if str(error) != last_error:
                log.warning("the care of this home is behind: %s", error, exc_info=not isinstance(error, EXPECTED))
            last_error = str(error)
