"""``python -m account_limiter COMMAND``: the limiter of the Redis that the environment names, without Airflow."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Sequence

from account_limiter.airflow.connection import connect, from_env
from account_limiter.core.errors import LimiterUnavailable
from account_limiter.redis import scripts
from account_limiter.redis.limiter import Limiter

_COMMANDS = {
    "library": "print the Lua library as Redis loads it",
    "open": "skip the wait for earlier holders after a start of Redis: only when none of them is alive",
    "reset": "drop every lease and waiter; their holders notice and stop",
    "status": "limits, leases, accounts and budgets as one JSON object",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command on the Redis of ``REDIS_*``; 1, with the reason on standard error, when it is away."""
    parser = argparse.ArgumentParser(prog="account_limiter", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, does in _COMMANDS.items():
        commands.add_parser(name, help=does)
    command = parser.parse_args(argv).command
    if command == "library":
        print(scripts.text())
        return 0
    with connect(**from_env()) as redis:
        limiter = Limiter(redis)
        try:
            match command:
                case "open":
                    limiter.open_now()
                case "reset":
                    print(json.dumps(dataclasses.asdict(limiter.reset())))
                case _:
                    print(json.dumps(dataclasses.asdict(limiter.snapshot()), default=dict))
        except LimiterUnavailable as error:
            print(error, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
