"""Processes that take slots, use them at an observer and are killed at random times, for test_contention.py.

ARGV: the socket of Redis, the port of the observer, seconds to run, the longest usual use of a slot in seconds, and the
limits of the accounts as JSON. Prints the numbers of attempts that were granted, of attempts that gave up waiting, of
uses without a lease while Redis was away, of uses from outside of Airflow, and of workers that were killed.
"""

from __future__ import annotations

import fcntl
import json
import mmap
import os
import random
import signal
import socket
import sys
import time
import uuid
from pathlib import Path

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from account_limiter import (
    AccountLimit,
    Granted,
    Holder,
    Lease,
    Limiter,
    LimiterUnavailable,
    Queued,
    Refused,
    Request,
    Settings,
)
from account_limiter.airflow.connection import watching
from account_limiter.redis import lease_book
from account_limiter.redis.lease_book import Entry, LeaseBook, Waiting

WORKERS = 16
# Life of a lease without heartbeats in seconds.
LIFE = 1.0
SETTINGS: dict[str, float] = {"global_limit": 6, "lease_ttl": 2, "stagger_delay": 0, "grant_ttl": 1}


def use(port: int, account: str, holder: Holder, seconds: float) -> None:
    """Open one connection to the observer, and wait for its end before the slot is given back."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(account.encode() + b"\n")
        holder.lost.wait(seconds)
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1)


def use_alone(redis: Redis, port: int, account: str, limit: int, seconds: float) -> bool:
    """Use an account without a lease when Redis is away for longer than leases live, one worker at a time.

    :returns: whether the account was used.
    """
    with Path(f"{redis.connection_pool.connection_kwargs['path']}.alone").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        limiter, begun = Limiter(redis), time.monotonic()
        while time.monotonic() - begun < SETTINGS["lease_ttl"]:
            try:
                limiter.tick()
            except LimiterUnavailable:
                time.sleep(0.02)
            else:
                return False
        request, budget = Request(uuid.uuid4().hex, account), AccountLimit(account, limit=limit).sources[0]
        settings = Settings(global_limit=int(SETTINGS["global_limit"]))
        with Holder(limiter, Lease.unregistered(request, uuid.uuid4().hex, budget, settings)) as held:
            use(port, account, held, seconds)
    return True


def use_from_outside(book: LeaseBook, port: int, account: str, seconds: float) -> bool:
    """Use an account as a recorder does: with a lease that lives for a second and sends no heartbeats.

    :returns: whether there was a slot.
    """
    asked = time.monotonic()
    answer = book.open(account, "recorder", LIFE, patience=0.1)
    if isinstance(answer, Waiting):
        book.close(answer.entry.lease_id)
    if not isinstance(answer, Entry):
        return False
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(account.encode() + b"\n")
        time.sleep(min(seconds, max(0.0, LIFE * 0.8 - (time.monotonic() - asked))))
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1)
    book.close(answer.lease_id)
    return True


def contend(path: str, port: int, use_at_most: float, limits: dict[str, int], counts: memoryview) -> None:
    """Take and use slots of random accounts until the process is killed.

    :param counts: numbers of attempts that were granted, that gave up, of uses without a lease, and of uses from
        outside of Airflow, in shared memory.
    """
    redis = Redis(unix_socket_path=path, socket_timeout=0.5, retry=Retry(NoBackoff(), 1))
    limiter = Limiter(redis)
    accounts = [AccountLimit(name, limit=limit) for name, limit in limits.items()]
    # A Redis without data grants no slot for as long as a lease lives, here two seconds.
    lease_book.LONGEST_PAUSE_SECONDS = 0.8
    book = LeaseBook(limiter, Path(f"{path}.leases"))
    while True:
        seconds = 4 if random.random() < 0.2 * use_at_most else random.random() * use_at_most
        (account,) = random.choices(list(limits), list(limits.values()))
        request, holder = Request(uuid.uuid4().hex, account, seconds), uuid.uuid4().hex
        try:
            if random.random() < 0.1 and use_from_outside(book, port, account, seconds):
                counts[3] += 1
                continue
            answer = limiter.wait(request, holder, timeout=random.choice([0, 2 * use_at_most]))
            match answer:
                case Granted(lease):
                    counts[0] += 1
                    with Holder(limiter, lease) as held:
                        use(port, account, held, seconds)
                case Queued():
                    counts[1] += 1
                    limiter.drop(request.lease_id)
                case Refused("unknown_account"):
                    limiter.configure(accounts=accounts, **SETTINGS)
        except LimiterUnavailable:
            counts[2] += use_alone(watching(redis), port, account, limits[account], 1.0)
            time.sleep(0.02)


def main(path: str, port: int, seconds: float, use_at_most: float, limits: dict[str, int]) -> None:
    """Run the workers, kill random ones, and print the counts."""
    # The counts are in shared memory, because workers are killed.
    shared = memoryview(mmap.mmap(-1, 32 * WORKERS)).cast("q")
    workers: dict[int, int] = {}
    right = time.time

    def start(slot: int) -> None:
        pid = os.fork()
        if not pid:
            random.seed()
            # A clock that jumps by hours.
            time.time = lambda: random.uniform(-1e5, 1e5) + right()
            contend(path, port, use_at_most, limits, shared[4 * slot : 4 * slot + 4])
        workers[slot] = pid

    def kill(slot: int) -> None:
        os.kill(workers[slot], signal.SIGKILL)
        os.waitpid(workers[slot], 0)

    for slot in range(WORKERS):
        start(slot)
    killed, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(random.random())
        victim = random.randrange(WORKERS)
        kill(victim)
        start(victim)
        killed += 1
    for slot in range(WORKERS):
        kill(slot)
    names = "granted", "left", "alone", "outside"
    print(json.dumps({**{name: sum(shared[n::4]) for n, name in enumerate(names)}, "killed": killed}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4]), json.loads(sys.argv[5]))
