"""Runs benchmarks by name, each in a process of its own: ``python -m bench [NAME]…``."""

from __future__ import annotations

import argparse
import subprocess
import sys

# The module and arguments of each benchmark that runs by default.
BENCHMARKS = {
    "limiter": ["bench.limiter"],
    "probe": ["bench.probe"],
    "verdicts": ["bench.verdicts"],
    "samples": ["bench.samples"],
    "check": ["bench.check"],
    "matching": ["bench.matching"],
    "udi": ["bench.udi"],
    "page": ["bench.page"],
    "run": ["bench.run"],
    "faults": ["bench.faults"],
    "night": ["bench.night"],
}
# These take hours.
LONG_BENCHMARKS = {"scale": ["bench.run", "scale"]}


def main() -> int:
    """Run the named benchmarks, or all but the long ones, and return the highest exit status."""
    parser = argparse.ArgumentParser(prog="streamflow bench", description="Each benchmark prints JSON objects.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join([*BENCHMARKS, *LONG_BENCHMARKS]))
    names = parser.parse_args().names
    benchmarks = BENCHMARKS | LONG_BENCHMARKS
    if unknown := [name for name in names if name not in benchmarks]:
        parser.error(f"unknown benchmark: {', '.join(unknown)}")
    commands = [benchmarks[name] for name in names or BENCHMARKS]
    return max(subprocess.run([sys.executable, "-m", *command]).returncode for command in commands)


if __name__ == "__main__":
    sys.exit(main())
