"""The file in which a running stack leaves its addresses for the commands that talk to it."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from streamflow.files import replacing


@dataclass(frozen=True)
class StackState:
    """The addresses of a running stack.

    :param address: the URL of Airflow's API server.
    :param redis_port: the port of the embedded Redis; None where Redis is elsewhere.
    :param pid: the process that runs the stack.
    """

    address: str
    redis_port: int | None
    pid: int


def state_file(home: Path) -> Path:
    """Return the path of a home's state file."""
    return home / "stack.json"


def write_state(home: Path, state: StackState) -> None:
    """Write the state file in one step."""
    with replacing(state_file(home), durable=False) as file:
        file.write(json.dumps(asdict(state)).encode())


def read_state(home: Path) -> StackState | None:
    """Return the state of the stack that runs in a home; None where none runs."""
    try:
        state = StackState(**json.loads(state_file(home).read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        # A stack of another version that was killed leaves a file with other fields.
        return None
    return state if _is_alive(state.pid) else None


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
