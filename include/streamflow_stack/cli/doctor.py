"""``doctor``: check the set-up, and name the fix of each fault."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from streamflow import config, sources
from streamflow.errors import ConfigError, StreamFlowError
from streamflow.net import connect_guard
from streamflow.planning.window import ZoneOrigin, time_zone_and_origin
from streamflow.version import VERSION
from streamflow_stack import airflow, ports, stack
from streamflow_stack.cli import settings_files
from streamflow_stack.cli.console import output

if TYPE_CHECKING:
    from redis import Redis

# The limiter's transitions are functions, which Redis has had since version 7.
LEAST_REDIS = 7
# Leases are timed by Redis' clock, tokens by Airflow's. With a larger skew tokens are rejected.
MAX_SKEW_SECONDS = 5.0
# Above this share of its memory limit, Redis may soon reject writes.
LARGEST_MEMORY_SHARE = 0.9
# Secrets that stand alone for a login.
SECRETS = ("STREAMFLOW_WEBHOOK_SECRET", "STREAMFLOW_PLAYLIST_TOKEN", "STREAMFLOW_METRICS_TOKEN")
# Of random text; nobody guesses 32 characters at the rate that a route accepts.
LEAST_SECRET_CHARACTERS = 32
ZONE_ORIGINS: dict[ZoneOrigin, str] = {
    "setting": "schedule.timezone in the settings",
    "machine": "TZ of this machine",
    "source": "Dispatcharr's settings",
    "default": "set schedule.timezone to change it",
}


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    :param fix: what the user can do; empty when nothing is wrong.
    """

    subject: str
    state: str
    fix: str = ""


@click.command(short_help="Check the set-up, and name the fix of each fault.")
@click.option("--port", default=8080, show_default=True, help="Airflow's port.")
def command(port: int) -> None:
    """Check settings, Redis, Airflow, the source, clocks and ports; the status is 1 when something is wrong."""
    console = output()
    faults = 0
    checks: list[Callable[[], Iterator[Finding]]] = [_settings, _variables, _redis, lambda: _airflow(port), _source]
    for check in checks:
        for finding in check():
            faults += bool(finding.fix)
            mark = "[red]wrong[/]" if finding.fix else "[green]  ok [/]"
            fix = f"  → {finding.fix}" if finding.fix else ""
            console.print(f"{mark} {finding.subject}: {finding.state}{fix}", soft_wrap=True)
    sys.exit(1 if faults else 0)


def _settings() -> Iterator[Finding]:
    yield Finding("version", VERSION)
    yield from _sandbox()
    guard = "guarded" if connect_guard.is_available() else "not guarded: the kernel or the container forbids it"
    yield Finding("redirects of RTSP servers", guard)
    file = config.path()
    try:
        config.load(file)
    except StreamFlowError as error:
        yield Finding("settings", str(error), f"correct the named keys in {file}, or remove the file")
    else:
        yield Finding("settings", str(file) if file.exists() else f"{file} does not exist, so the defaults apply")
    home = config.home()
    existing = next(folder for folder in (home, *home.parents) if folder.exists())
    is_writable = os.access(existing, os.W_OK)
    yield Finding("home", str(home), "" if is_writable else f"make {existing} writable, or set STREAMFLOW_HOME")
    if stack.lacks_space(existing):
        yield Finding("disk of the home", "full", "free some space, or set STREAMFLOW_HOME to another disk")


def _sandbox() -> Iterator[Finding]:
    from streamflow.probing import ProbeTarget, probe
    from streamflow.probing.isolation import landlock, memory, seccomp

    offered = landlock.version()
    guards = [f"Landlock {offered}" if offered else "no Landlock in this kernel: what fetches can read files"]
    guards.append("seccomp" if seccomp.is_available() else "no seccomp in this kernel: a decoder can open connections")
    # Nothing listens there: a probe whose processes work finds that out.
    result = probe(ProbeTarget("http://127.0.0.1:1/"), config.Probe(sample_seconds=1, connect_timeout=1)).result
    has_failed = result.reason == "internal_error"
    yield Finding(
        "sandbox",
        f"{'; '.join(guards)}{f'; {result.detail}' if has_failed else ''}",
        "report this line as a bug: no probe can run" if has_failed else "",
    )
    kills, limit = memory.kills(), memory.limit_bytes()
    ended = f", for want of which the kernel has ended {kills} processes" if kills else ""
    # Outside of a container, these may be anybody's processes.
    is_own = kills and limit < memory.machine_bytes()
    fix = "raise WORKER_MEMORY, or lower WORKER_CONCURRENCY" if is_own else ""
    yield Finding("memory", f"{limit >> 20} MB{ended}", fix)


def _variables() -> Iterator[Finding]:
    for name in SECRETS:
        if secret := os.environ.get(name):
            advice = f"set it to {LEAST_SECRET_CHARACTERS} or more, from: openssl rand -hex 32"
            is_short = len(secret) < LEAST_SECRET_CHARACTERS
            yield Finding(name, f"{len(secret)} characters", advice if is_short else "")
    if airflow.lacks_login(os.environ):
        advice = "set STREAMFLOW_AIRFLOW_USERNAME and STREAMFLOW_AIRFLOW_PASSWORD to one of its administrators"
        yield Finding("login of the commands", "the auth manager may not know the user admin", advice)
    for name in airflow.overridden(os.environ):
        yield Finding(name, "`up` and `demo` ignore it: StreamFlow sets it itself")
    read, here = settings_files(), Path.cwd() / ".env"
    if here.exists() and here not in read:
        yield Finding(str(here), f"not read: variables come from {' and '.join(map(str, read))}")


def _redis() -> Iterator[Finding]:
    from redis.exceptions import RedisError

    from streamflow_stack import redis, redis_address

    try:
        address = redis_address.locate(home=config.home())
    except ConfigError as error:
        yield Finding("Redis", str(error), "correct the variable")
        return
    if address is None:
        try:
            yield Finding("Redis", f"embedded, not running, {redis.binary()}")
        except StreamFlowError as error:
            yield Finding("Redis", str(error), "install redis-server, or set REDIS_HOST")
        return
    try:
        with address.client() as client:
            version = str(client.info("server").get("redis_version", "0"))
            seconds, micros = client.time()
            policy = str(client.config_get("maxmemory-policy").get("maxmemory-policy") or "noeviction")
            memory = client.info("memory")
            right = _has_functions(client)
    except RedisError as error:
        yield Finding("Redis", f"{address}: {error}", "start it, or correct its address and password")
        return
    is_old = int(version.partition(".")[0]) < LEAST_REDIS
    yield Finding("Redis", f"{address}, {version}", "use Redis 7 or newer, or Valkey" if is_old else "")
    skew = abs(time.time() - (seconds + micros / 1e6))
    yield Finding("clock", f"{skew:.1f} s from Redis'", "" if skew <= MAX_SKEW_SECONDS else "run NTP on both machines")
    evicts = policy != "noeviction"
    yield Finding("Redis eviction", policy, "set maxmemory-policy noeviction: leases must not vanish" if evicts else "")
    used, limit = int(memory["used_memory"]), int(memory.get("maxmemory") or 0)
    is_tight = limit and used > LARGEST_MEMORY_SHARE * limit
    bound = f"{used >> 20} of {limit >> 20} MB" if limit else f"{used >> 20} MB, without a limit"
    yield Finding("Redis memory", bound, "raise maxmemory: without memory no check gets a slot" if is_tight else "")
    yield Finding("Redis functions", "allowed" if right else "not allowed", "" if right else "grant +fcall +function")


def _has_functions(client: Redis) -> bool:
    from redis.exceptions import NoPermissionError, ResponseError

    try:
        client.function_stats()
        client.fcall("streamflow_doctor", 0)
    except NoPermissionError:
        return False
    except ResponseError:
        # The server knows no such function, but would call it.
        return True
    return True


def _airflow(port: int) -> Iterator[Finding]:
    from streamflow_stack.cli.remote import connect

    try:
        health = connect().health()
    except StreamFlowError:
        is_free = ports.is_free(port)
        yield Finding("Airflow", "no stack runs in this home")
        yield Finding(
            f"port {port}", "free" if is_free else "in use", "" if is_free else "choose another one with --port"
        )
        return
    logs = config.home() / "logs"
    if health is None:
        yield Finding("Airflow", "does not respond", f"look at {logs}, and start the stack again")
        return
    for part, report in health.items():
        status = (report or {}).get("status") or "absent"
        yield Finding(f"Airflow {part}", status, "" if status == "healthy" else f"see {logs}/{part}.log")


def _source() -> Iterator[Finding]:
    from streamflow.sources.first_look import look

    zone_of_source = None
    try:
        yield Finding("source", look(config.home(), remember=False))
        with sources.opened() as source:
            zone_of_source = source.time_zone()
    except ConfigError as error:
        yield Finding("source", str(error), "correct .env (`demo` needs none)")
    except StreamFlowError as error:
        yield Finding("source", str(error), "correct its address and login in .env, or start it")
    yield from _time_zone(zone_of_source)


def _time_zone(of_source: str | None) -> Iterator[Finding]:
    """Report the zone of the schedules; wrong settings have a finding of their own."""
    try:
        schedule = config.load().schedule
    except ConfigError:
        return
    zone, origin = time_zone_and_origin(schedule, os.environ, of_source)
    text = f"{zone.key}, where it is {datetime.now(zone):%H:%M} ({ZONE_ORIGINS[origin]})"
    yield Finding("time zone of the schedules", text)
