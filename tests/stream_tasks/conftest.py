"""A home for tasks: a real Redis, and the lab's provider and Dispatcharr that a module serves."""

from __future__ import annotations

from pathlib import Path

import pytest
from redis import Redis

from account_limiter import Limiter, connect
from lab import Lab
from stream_tasks import resources


@pytest.fixture
def task_home(tmp_path: Path, provider: Lab, redis_client: Redis, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home whose tasks use this test's Redis and the lab's Dispatcharr, with the channels in their first order."""
    monkeypatch.setenv("STREAMFLOW_HOME", str(tmp_path))
    monkeypatch.setenv("DISPATCHARR_URL", provider.dispatcharr)
    monkeypatch.setenv("DISPATCHARR_API_KEY", provider.addresses()["api_key"])
    path = redis_client.connection_pool.connection_kwargs["path"]
    monkeypatch.setattr(resources, "connect", lambda: connect(unix_socket_path=path))
    Limiter(redis_client).open_now()
    for channel in provider.library.channels:
        provider.servers.dispatcharr.state.channels[channel.id]["streams"] = list(channel.stream_ids)
    return tmp_path
