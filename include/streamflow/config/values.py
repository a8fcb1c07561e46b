"""The types of single settings, whose errors show how to write them, and the base of all sections."""

from __future__ import annotations

import re
from datetime import time
from ipaddress import ip_network
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

PROXY_SCHEMES = ("http", "https", "socks5", "socks5h")
# Croniter draws a new number for such a field each time that it reads the expression.
RANDOM_FIELD = re.compile(r"(^|[\s,])r($|[\s,(/])", re.IGNORECASE)


def _proxy(url: str) -> str:
    try:
        parts = urlsplit(url)
        is_valid = parts.scheme in PROXY_SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_valid = False
    if not is_valid:
        raise ValueError(
            "not the URL of a proxy; write for example 'socks5://user:password@host:1080' or 'http://host:8080'"
        )
    return url


def _cidr(network: str) -> str:
    try:
        ip_network(network)
    except ValueError:
        raise ValueError("not a network; write for example '192.168.1.0/24' or 'fd00::/8'") from None
    return network


def _host_port(address: str) -> str:
    try:
        parts = urlsplit(f"//{address}")
        is_valid = bool(parts.hostname and parts.port) and parts.netloc == address
    except ValueError:
        is_valid = False
    if not is_valid:
        raise ValueError("not a host with a port; write for example '192.0.2.1:443'")
    return address


def _cron(expression: str) -> str:
    from croniter import CroniterBadDateError, croniter

    if not expression:
        return expression
    if len(expression.split()) != 5 or not croniter.is_valid(expression):
        raise ValueError("not a cron expression; write for example '0 3 * * *'")
    if RANDOM_FIELD.search(expression):
        raise ValueError("R stands for another time at each look; write a fixed one, for example '17 3 * * *'")
    try:
        # Airflow can make no timetable of an expression such as `0 3 30 2 *`.
        croniter(expression).get_next()
    except CroniterBadDateError:
        raise ValueError("no day has this date; write for example '0 3 * * *'") from None
    return expression


def _clock(text: str) -> str:
    try:
        is_valid = time.fromisoformat(text).strftime("%H:%M") == text
    except ValueError:
        is_valid = False
    if not is_valid:
        raise ValueError("not a time of day; write for example '06:30'")
    return text


Seconds = Annotated[float, Field(ge=0)]
ReleaseSeconds = Annotated[float, Field(ge=0, le=60)]
Hours = Annotated[float, Field(ge=0, le=87_600)]
Share = Annotated[float, Field(ge=0, le=1)]
# Redis' Lua holds every number up to 2^53 exactly, and adds to these.
Priority = Annotated[int, Field(ge=-1_000_000, le=1_000_000)]
Proxy = Annotated[str, AfterValidator(_proxy)]
CidrNetwork = Annotated[str, AfterValidator(_cidr)]
HostPort = Annotated[str, AfterValidator(_host_port)]
Cron = Annotated[str, AfterValidator(_cron)]
Clock = Annotated[str, AfterValidator(_clock)]


class Section(BaseModel):
    """A part of the settings, which refuses unknown keys."""

    # Error messages leave the input out: it may hold a password.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=False, allow_inf_nan=False, hide_input_in_errors=True)
