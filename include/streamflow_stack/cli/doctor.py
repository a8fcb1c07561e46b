"""``doctor``: what is wrong with the set-up, and how to mend it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import click

from streamflow import config
from streamflow.errors import ConfigError, StreamFlowError
from streamflow_stack import ports
from streamflow_stack.cli.console import output

# The limiter's transitions are functions, which came with it.
LEAST_REDIS = 7
# Leases are timed by Redis' clock, tokens by Airflow's: more than this apart and tokens are refused.
MAX_SKEW_SECONDS = 5.0


@dataclass(frozen=True)
class Finding:
    """One line of the doctor: ``fix`` is empty when all is well."""

    what: str
    state: str
    fix: str = ""


@click.command(short_help="What is wrong with the set-up, and the fix.")
@click.option("--port", default=8080, show_default=True, help="Airflow's port.")
def command(port: int) -> None:
    """Checks configuration, Redis, Airflow, the source, clocks and ports; status 1 when something is wrong."""
    console = output()
    wrong = 0
    checks: list[Callable[[], Iterator[Finding]]] = [_settings, _redis, lambda: _airflow(port), _source]
    for check in checks:
        for finding in check():
            wrong += bool(finding.fix)
            mark = "[red]wrong[/]" if finding.fix else "[green]  ok [/]"
            fix = f"  → {finding.fix}" if finding.fix else ""
            console.print(f"{mark} {finding.what}: {finding.state}{fix}", soft_wrap=True)
    sys.exit(1 if wrong else 0)


def _settings() -> Iterator[Finding]:
    file = config.path()
    try:
        config.load(file)
    except StreamFlowError as error:
        yield Finding("configuration", str(error), f"correct the named keys in {file}, or remove the file")
    else:
        yield Finding("configuration", str(file) if file.exists() else f"{file} is not there: the defaults hold")
    home = config.home()
    writable = os.access(home if home.exists() else home.parent, os.W_OK)
    yield Finding("home", str(home), "" if writable else "make it writable, or set STREAMFLOW_HOME")


def _redis() -> Iterator[Finding]:
    from redis.exceptions import RedisError

    from streamflow.udi.redis.client import from_env
    from streamflow_stack import redis as embedded

    client = from_env()
    if client is None:
        try:
            yield Finding("Redis", f"embedded, {embedded.binary()}")
        except StreamFlowError as error:
            yield Finding("Redis", str(error), "install redis-server, or set REDIS_HOST")
        return
    where = f"{os.environ.get('REDIS_HOST')}:{os.environ.get('REDIS_PORT', '6379')}"
    try:
        client.ping()
        version = str(client.info("server").get("redis_version", "0"))
        seconds, micros = client.time()
        policy = str(client.config_get("maxmemory-policy").get("maxmemory-policy") or "noeviction")
    except RedisError as error:
        yield Finding("Redis", f"{where}: {error}", "start it, or correct REDIS_HOST, REDIS_PORT and REDIS_PASSWORD")
        return
    old = int(version.partition(".")[0]) < LEAST_REDIS
    yield Finding("Redis", f"{where}, {version}", "use Redis 7 or newer, or Valkey" if old else "")
    skew = abs(time.time() - (seconds + micros / 1e6))
    yield Finding("clock", f"{skew:.1f} s from Redis'", "" if skew <= MAX_SKEW_SECONDS else "run NTP on both machines")
    evicts = policy not in ("noeviction",)
    yield Finding("Redis eviction", policy, "set maxmemory-policy noeviction: leases must not vanish" if evicts else "")


def _airflow(port: int) -> Iterator[Finding]:
    from streamflow_stack.cli.remote import connect

    try:
        health = connect().health()
    except StreamFlowError:
        free = ports.is_free(port)
        yield Finding("Airflow", "no stack of this home runs")
        yield Finding(f"port {port}", "free" if free else "taken", "" if free else "give another with --port")
        return
    if health is None:
        yield Finding("Airflow", "does not answer", f"look at {config.home()}/logs, and start the stack again")
        return
    for part, state in health.items():
        status = (state or {}).get("status") or "absent"
        yield Finding(f"Airflow {part}", status, "" if status == "healthy" else f"see {config.home()}/logs/{part}.log")


def _source() -> Iterator[Finding]:
    from streamflow import sources

    try:
        with sources.opened() as source:
            yield Finding("source", source.summary())
    except ConfigError as error:
        yield Finding("source", str(error), "correct .env (`demo` needs none)")
    except StreamFlowError as error:
        yield Finding("source", str(error), "correct its address and login in .env, or start it")
