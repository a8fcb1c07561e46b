"""The refresh: from the source into the UDI, and its limits into the limiter."""

from __future__ import annotations

import logging
from typing import Any

from streamflow.sources import dispatcharr

from stream_tasks.rooms import open_limiter, open_store
from streamflow import config
from streamflow.udi import Udi

log = logging.getLogger(__name__)


def refresh(*, force: bool = False) -> dict[str, Any]:
    """Bring the library in; answers what was added, changed and removed. Raises SourceError."""
    with open_store() as store:
        report = bring_in(store, force=force)
    return report


def bring_in(store: Udi, *, force: bool = False) -> dict[str, Any]:
    """Fetch, publish and let the limiter know the accounts."""
    with dispatcharr.from_env() as source:
        snapshot = source.fetch()
    report = store.publish(snapshot, force=force)
    for record, why in report.broken:
        log.warning("skipped a broken record: %s: %s", record, why)
    push_limits(store)
    return report.model_dump(mode="json")


def push_limits(store: Udi) -> None:
    """Tell the limiter what the accounts and the settings allow now; without Redis there is no limiter to tell."""
    with open_limiter() as limiter:
        if limiter is not None:
            limiter.configure(**limits(config.load(), store))
