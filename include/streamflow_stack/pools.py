"""Airflow's pools, as ``airflow pools import`` reads them. Run as a module it prints them."""

from __future__ import annotations

import json
from typing import Final

from streamflow import config, names

# The slots of the pool of checks where the limiter's global limit is unlimited.
UNLIMITED_SLOTS: Final = 32


def slots(settings: config.Config) -> int:
    """Return the number of concurrent checks that the settings allow."""
    return settings.concurrent_streams.global_limit or UNLIMITED_SLOTS


def pools(settings: config.Config) -> dict[str, dict[str, object]]:
    """Return the slots and the description of each pool, by its name."""
    sizes = {names.CHECK_POOL: slots(settings), names.SEQUENTIAL_POOL: 1}
    return {
        name: {"slots": size, "description": names.POOL_DESCRIPTIONS[name], "include_deferred": False}
        for name, size in sizes.items()
    }


if __name__ == "__main__":
    print(json.dumps(pools(config.load()), indent=2))
