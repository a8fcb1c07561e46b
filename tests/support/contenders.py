"""Processes that take slots, use them at an observer and are killed at random times, for test_contention.py.

ARGV: the socket of Redis, the port of the observer, seconds to run, the longest usual use of a slot in seconds, and the
limits of the accounts as JSON. Prints the numbers of attempts that were granted, of attempts that gave up waiting, and
of workers that were killed.
"""

from __future__ import annotations

import json
import mmap
import os
import random
import signal
import socket
import sys
import time
import uuid

from redis import Redis

from account_limiter import AccountLimit, Granted, Holder, Limiter, LimiterUnavailable, Queued, Refused, Request

WORKERS = 16
SETTINGS = {"global_limit": 6, "lease_ttl": 2, "stagger_delay": 0, "grant_ttl": 1}


def use(port: int, account: str, holder: Holder, seconds: float) -> None:
    """Open one connection to the observer, and wait for its end before the slot is given back."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(account.encode() + b"\n")
        holder.lost.wait(seconds)
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1)


def contend(path: str, port: int, use_at_most: float, limits: dict[str, int], counts: memoryview) -> None:
    """Take and use slots of random accounts until the process is killed.

    :param counts: numbers of attempts that were granted and that gave up, in shared memory.
    """
    limiter = Limiter(Redis(unix_socket_path=path, socket_timeout=0.5))
    accounts = [AccountLimit(name, limit=limit) for name, limit in limits.items()]
    while True:
        seconds = 4 if random.random() < 0.2 * use_at_most else random.random() * use_at_most
        (account,) = random.choices(list(limits), list(limits.values()))
        request, holder = Request(uuid.uuid4().hex, account, seconds), uuid.uuid4().hex
        try:
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
            time.sleep(0.02)


def main(path: str, port: int, seconds: float, use_at_most: float, limits: dict[str, int]) -> None:
    """Run the workers, kill random ones, and print the counts."""
    # The counts are in shared memory, because workers are killed.
    shared = memoryview(mmap.mmap(-1, 16 * WORKERS)).cast("q")
    workers: dict[int, int] = {}
    right = time.time

    def start(slot: int) -> None:
        pid = os.fork()
        if not pid:
            random.seed()
            # A clock that jumps by hours.
            time.time = lambda: random.uniform(-1e5, 1e5) + right()
            contend(path, port, use_at_most, limits, shared[2 * slot : 2 * slot + 2])
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
    print(json.dumps({"granted": sum(shared[0::2]), "left": sum(shared[1::2]), "killed": killed}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4]), json.loads(sys.argv[5]))
