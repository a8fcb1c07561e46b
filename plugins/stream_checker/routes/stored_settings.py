"""Changes of the settings: validated, stored with the limiter and Airflow's pool together, and logged."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.models.log import Log
from airflow.models.pool import Pool
from airflow.utils.session import create_session
from redis import Redis
from sqlalchemy import select
from sqlalchemy.orm import Session

from account_limiter import Limiter
from stream_checker.http.problems import Fault, Problem
from stream_checker.queries import workers
from stream_tasks.limits import limiter_settings
from streamflow import config, names, shared_settings
from streamflow.config import Config
from streamflow.errors import ConfigError
from streamflow.hidden_passwords import hide_passwords, restore_passwords

# The name of a change in Airflow's audit log.
EVENT = "streamflow_settings"
CONCURRENCY = "concurrent_streams"
MAX_LOGGED = 20_000
# Only one change at a time, because a change that fails restores the settings from before.
_change_lock = threading.Lock()


def shown(section: str, settings: Config) -> Any:
    """Return a section of the settings as JSON, without passwords."""
    return hide_passwords(settings.model_dump(mode="json")[section])


def change_section(
    redis: Redis, section: str, value: Any, limiter: Limiter, user: BaseUser, *, below: str = ""
) -> Config:
    """Store a change of one section, and log who made it.

    :param value: the fields to change, or the new value of a section that is no object.
    :param below: the field of the request that holds the section, for the paths in error messages.
    :returns: the new settings.
    :raises Problem: 422 that names each invalid field.
    """
    return change(redis, section, lambda _: value, limiter, user, below=below)


def change(
    redis: Redis, section: str, make: Callable[[Config], Any], limiter: Limiter, user: BaseUser, *, below: str = ""
) -> Config:
    """Store the change of a section that ``make`` derives from the present settings; see :func:`change_section`."""
    with _change_lock, config.changing():
        before = shared_settings.load(redis)
        after = with_section(before, section, make(before), below=below)
        record = entry(section, before, after, user) if after != before else None
        _store(redis, before, after, limiter if section == CONCURRENCY else None, record)
    return after


def with_section(settings: Config, section: str, value: Any, *, below: str = "") -> Config:
    """Return the settings with a section changed.

    :raises Problem: 422 that names each invalid field.
    """
    try:
        valid = config.with_section(settings, section, value)
        given, stored = (one.model_dump(mode="json")[section] for one in (valid, settings))
        restored = restore_passwords(given, stored, (section,))
        return valid if restored == given else config.with_section(settings, section, restored)
    except ConfigError as error:
        if not error.faults:
            raise
        prefix = f"{section}."
        # A fault of a section that is no object has the section's own path.
        faults = [
            Fault(field=f"{below}{path.removeprefix(prefix)}" if path.startswith(prefix) else path, message=message)
            for path, message in error.faults
        ]
        raise Problem(422, "; ".join(f"{f.field}: {f.message}" for f in faults), errors=faults) from error


def entry(section: str, before: Config, after: Config, user: BaseUser) -> Log:
    """Return the record of a change for Airflow's audit log: the fields with their old and new values."""
    old, new = shown(section, before), shown(section, after)
    if isinstance(old, dict) and isinstance(new, dict):
        changes = {key: [old.get(key), new.get(key)] for key in new if old.get(key) != new.get(key)}
    else:
        changes = {section: [old, new]}
    extra = json.dumps({"section": section, "changes": changes})
    if len(extra) > MAX_LOGGED:
        extra = json.dumps({"section": section, "changes": sorted(changes)})
    return Log(EVENT, owner=user.get_id(), owner_display_name=user.get_name(), extra=extra)


def _store(redis: Redis, before: Config, after: Config, limiter: Limiter | None, record: Log | None) -> None:
    """Store the settings; they, the log, the limiter and Airflow's pool change together or not at all.

    :param limiter: None for a section that concerns neither the limiter nor the pool.
    :param record: None when nothing has changed.
    """
    with ExitStack() as undo:
        with create_session(scoped=False) as session:
            if record:
                session.add(record)
                session.flush()
            if limiter:
                resize_pool(session, after.concurrent_streams.global_limit or workers.capacity())
                undo.callback(configure_limiter, limiter, before)
                configure_limiter(limiter, after)
            undo.callback(shared_settings.save, redis, before)
            shared_settings.save(redis, after)
        undo.pop_all()


def configure_limiter(limiter: Limiter, settings: Config) -> None:
    """Pass the settings to the limiter; its accounts stay."""
    limiter.configure(accounts=None, **limiter_settings(settings))


def resize_pool(session: Session, slots: int) -> None:
    """Set the size of the pool of checks, creating it if it is missing. Locks its row until the session ends."""
    pool = session.scalar(select(Pool).where(Pool.pool == names.CHECK_POOL).with_for_update())
    if pool is None:
        description = names.POOL_DESCRIPTIONS[names.CHECK_POOL]
        session.add(Pool(pool=names.CHECK_POOL, slots=slots, description=description, include_deferred=False))
    else:
        pool.slots = slots
    session.flush()
