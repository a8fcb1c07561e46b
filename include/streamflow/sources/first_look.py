"""The look at the source when StreamFlow starts, whose fault health checks report until the source was read once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from streamflow.errors import StreamFlowError
from streamflow.files import replacing
from streamflow.names import SOURCE_FAULT_FILE
from streamflow.sources.registry import SOURCES, opened

# Files that container engines make in each container.
_CONTAINER_MARKS = (Path("/.dockerenv"), Path("/run/.containerenv"))
_OWN_NAMES = ("localhost", "127.0.0.1", "::1")
_FILES = ("STREAMFLOW_M3U", "DISPATCHARR_CA_FILE")


def look(home: Path, env: Mapping[str, str] = os.environ, *, remember: bool = True) -> str:
    """Read a little of the source.

    :param remember: remember a fault for the health checks.
    :returns: one line about the library.
    :raises StreamFlowError: the source is not set or cannot be read; the message says what to do.
    """
    try:
        with opened(env, home) as source:
            summary = source.summary()
    except StreamFlowError as error:
        message = f"{error}{hint(env)}"
        if remember:
            with replacing(home / SOURCE_FAULT_FILE, durable=False) as file:
                file.write(message.encode())
        raise type(error)(message) from error
    if remember:
        forget_fault(home)
    return summary


def forget_fault(home: Path) -> None:
    """Forget the fault: the source was read."""
    (home / SOURCE_FAULT_FILE).unlink(missing_ok=True)


def hint(env: Mapping[str, str], *, is_container: bool | None = None) -> str:
    """Return what is often wrong with a source's settings inside a container, as the end of a sentence; else nothing.

    :param is_container: whether this process runs in a container; by default it is found out.
    """
    if is_container is None:
        is_container = any(mark.exists() for mark in _CONTAINER_MARKS)
    if not is_container:
        return ""
    for name in dict.fromkeys(kind.variables[0] for kind in SOURCES):
        if _host(env.get(name, "")) in _OWN_NAMES:
            return (
                f". In a container, the host of {name} is the container itself: name the machine's address in the "
                "network, or host.docker.internal"
            )
    for name in _FILES:
        value = env.get(name, "")
        if value and "://" not in value and value != "-" and not Path(value).exists():
            return f". A container sees no file of the machine that is not mounted: mount the file that {name} names"
    return ""


def _host(address: str) -> str:
    try:
        return urlsplit(address.strip()).hostname or ""
    except ValueError:
        return ""
