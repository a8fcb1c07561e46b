"""Commands of the limiter for the Redis that the environment names. They need no Airflow.

``account-limiter COMMAND``, or ``python -m account_limiter.commands COMMAND``.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Sequence

from account_limiter.airflow.connection import connect, from_env
from account_limiter.core.errors import LimiterUnavailable
from account_limiter.redis.library import DEFAULT_PREFIX, library
from account_limiter.redis.limiter import Limiter

_COMMANDS = {
    "library": "print the Lua library as Redis loads it",
    "open": "grant slots at once after a start of Redis; correct only when no earlier holder is alive",
    "reset": "drop every lease and waiter; their holders notice it and stop",
    "status": "print limits, leases, accounts and budgets as one JSON object",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command on the Redis that ``AIRFLOW_CONN_REDIS_DEFAULT`` or else the ``REDIS_*`` variables name.

    :returns: exit status; 1, with the reason on standard error, while Redis is away or the variables are wrong.
    """
    parser = argparse.ArgumentParser(prog="account-limiter", description=__doc__)
    parser.add_argument("--prefix", default=DEFAULT_PREFIX, help="beginning of the keys (default %(default)s)")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, does in _COMMANDS.items():
        commands.add_parser(name, help=does)
    options = parser.parse_args(argv)
    if options.command == "library":
        print(library(options.prefix).text)
        return 0
    try:
        address = from_env()
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    with connect(**address) as redis:
        limiter = Limiter(redis, options.prefix)
        try:
            match options.command:
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
