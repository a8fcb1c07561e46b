"""Keeps Airflow's API server responsive while it writes its audit log.

Before each change that a user asks for, Airflow commits a row of its audit log on the server's event loop. Over SQLite
the commit may wait for another request that has written and cannot end without the event loop. The server then stood
still for the whole time-out of the database, and tasks lost their heartbeats. The row is written in a thread instead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any

from airflow.api_fastapi.logging import decorators
from starlette.concurrency import run_in_threadpool

Log = Callable[..., Coroutine[Any, Any, None]]


def install() -> None:
    """Let the routes that are defined from now on write their row in a thread."""
    decorators.action_logging = _in_thread(decorators.action_logging)


def _in_thread(action_logging: Callable[..., Log]) -> Callable[..., Log]:
    @wraps(action_logging)
    def made(*args: Any, **kwargs: Any) -> Log:
        log = action_logging(*args, **kwargs)

        # FastAPI reads the parameters of the wrapped function, and passes all of them by name.
        @wraps(log)
        async def log_in_thread(**dependencies: Any) -> None:
            # The body is kept by the request, so that the thread's own event loop need not receive it.
            await dependencies["request"].body()
            await run_in_threadpool(asyncio.run, log(**dependencies))

        return log_in_thread

    return made
