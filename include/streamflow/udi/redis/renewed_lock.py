"""A lock in Redis that is renewed until its end, so that the lock of a process that died expires soon."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from redis import Redis
from redis.exceptions import LockNotOwnedError, RedisError
from redis.lock import Lock

log = logging.getLogger(__name__)


@contextmanager
def renewed_lock(redis: Redis, key: str, *, seconds: float, wait: float) -> Iterator[bool]:
    """Hold a lock; yield whether it was free in time.

    :param seconds: the time after which the lock of a process that died is free.
    :param wait: the longest time (s) to wait for the lock.
    """
    lock = redis.lock(key, timeout=seconds, thread_local=False)
    if not lock.acquire(blocking_timeout=wait):
        yield False
        return
    ended = threading.Event()
    renewal = threading.Thread(target=_renew, args=(lock, seconds / 4, ended), name="lock-renewal", daemon=True)
    renewal.start()
    try:
        yield True
    finally:
        ended.set()
        renewal.join()
        # A lock that has expired may belong to another process by now.
        with suppress(LockNotOwnedError):
            lock.release()


def _renew(lock: Lock, interval: float, ended: threading.Event) -> None:
    while not ended.wait(interval):
        try:
            lock.reacquire()
        except RedisError as error:
            log.warning("the lock %s could not be renewed: %s", lock.name, error)
