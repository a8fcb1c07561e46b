"""Read the settings from JSON and ``stream_checker_config.json``, and write them as one piece."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from streamflow.config.sections import Config
from streamflow.errors import ConfigError
from streamflow.files import replacing


def home() -> Path:
    """Return the folder of all state: ``STREAMFLOW_HOME``, by default ``.streamflow`` in the working directory."""
    return Path(os.environ.get("STREAMFLOW_HOME") or ".streamflow").absolute()


def path() -> Path:
    """Return the settings file: ``STREAMFLOW_CONFIG``, by default ``stream_checker_config.json`` in :func:`home`."""
    return Path(os.environ.get("STREAMFLOW_CONFIG") or home() / "stream_checker_config.json")


def parse(data: Any, origin: str = "stream_checker_config.json") -> Config:
    """Return the settings in ``data``, as JSON gives them.

    :param origin: the file's name for error messages.
    :raises ConfigError: the message names the path of each wrong key; for an unknown key, the nearest known one too.
    """
    try:
        return Config.model_validate(data)
    except ValidationError as error:
        faults = tuple((".".join(map(str, e["loc"])), _fault(e)) for e in error.errors())
        listed = "; ".join(f"{path or '(top level)'}: {message}" for path, message in faults)
        raise ConfigError(f"{origin}: {listed}", faults) from error


def with_section(config: Config, section: str, change: Any) -> Config:
    """Return the settings with ``change`` merged into one section; a section that is no object is replaced.

    :raises ConfigError: the message names the path of each wrong key.
    """
    whole = config.model_dump(mode="json")
    former = whole.get(section)
    whole[section] = {**former, **change} if isinstance(former, dict) and isinstance(change, dict) else change
    return parse(whole)


def _fault(error: Any) -> str:
    if error["type"] != "extra_forbidden":
        return str(error["msg"]).removeprefix("Value error, ")
    *section, key = map(str, error["loc"])
    known = _keys(section)
    nearest = get_close_matches(key, known, n=1)
    advice = f"did you mean {nearest[0]}?" if nearest else f"known here: {', '.join(known)}"
    return f"unknown setting; {advice}"


def _keys(section: Sequence[str]) -> list[str]:
    """Return the keys that the section at a path knows."""
    kind: Any = Config
    for part in section:
        # A part that names no field is the key of a mapping, which the user chose, or the place in a list.
        fields = _fields(kind)
        kind = fields[part].annotation if part in fields else _item(kind)
    return list(_fields(kind))


def _fields(kind: Any) -> dict[str, FieldInfo]:
    return kind.model_fields if isinstance(kind, type) and issubclass(kind, BaseModel) else {}


def _item(kind: Any) -> Any:
    """Return the type of the items of a mapping or a list."""
    arguments = get_args(kind)
    return arguments[1] if get_origin(kind) is dict else arguments[0]


def load(file: Path | None = None) -> Config:
    """Return the settings that the file holds now; a missing file means all defaults.

    :param file: by default :func:`path`.
    :raises ConfigError: the file cannot be read, is not JSON, or holds a wrong setting.
    """
    file = file or path()
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Config()
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from error
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigError(f"{file}: not JSON at line {error.lineno}, column {error.colno}: {error.msg}") from error
    return parse(data, str(file))


@contextmanager
def changing(file: Path | None = None) -> Iterator[None]:
    """Exclude the changes of all other processes, between the reading of the settings and their saving.

    :param file: by default :func:`path`.
    """
    file = file or path()
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = os.open(file.with_name(f".{file.name}.lock"), os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def save(config: Config, file: Path | None = None) -> None:
    """Write the settings; a reader sees the former file or the new one, never a part.

    :param file: by default :func:`path`.
    """
    with replacing(file or path()) as new:
        new.write(config.model_dump_json(indent=2).encode() + b"\n")
