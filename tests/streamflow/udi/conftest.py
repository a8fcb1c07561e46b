"""The Redis store, the file store and both behind the fallback."""

from __future__ import annotations

from pathlib import Path

import pytest
from redis import Redis

from streamflow.udi import open_udi
from streamflow.udi.ports import Store
from streamflow.udi.redis.store import RedisStore
from streamflow.udi.sqlite.store import FileStore


@pytest.fixture(params=["redis", "file", "fallback"])
def store(request: pytest.FixtureRequest, redis_client: Redis, tmp_path: Path) -> Store:
    """Return each kind of store in turn, because all must behave the same."""
    if request.param == "redis":
        alone = RedisStore(redis_client)
        alone.mark_filled()
        return alone
    if request.param == "file":
        return FileStore(tmp_path / "udi.db")
    return open_udi(redis_client, tmp_path)
