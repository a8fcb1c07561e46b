"""Reads the compose files as their containers see them: with variables filled in, and nothing else changed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
FULL, LITE = ROOT / "docker-compose.yaml", ROOT / "docker-compose.lite.yaml"

# $$, or ${NAME} with :?message or :-default.
_VARIABLE = re.compile(r"\$(?:\$|\{(?P<name>\w+)(?::(?P<sign>[?-])(?P<rest>[^}]*))?\})")


@dataclass(frozen=True)
class Service:
    """One service of a compose file.

    :param health: the command of its health check.
    """

    name: str
    command: list[str]
    environment: dict[str, str]
    health: list[str]


def variables(file: Path) -> dict[str, str]:
    """Return the variables that a compose file reads.

    :returns: by name "?" for a needed variable, "-" for one with a default, "" for one that is only passed on.
    """
    document = yaml.safe_load(file.read_text())
    environments = (service.get("environment", {}) for service in document["services"].values())
    passed_on = {name: "" for environment in environments for name, value in environment.items() if value is None}
    matches = [match for match in _VARIABLE.finditer(file.read_text()) if match["name"]]
    return passed_on | {match["name"]: match["sign"] or "" for match in matches}


def filled(text: str, values: Mapping[str, str]) -> str:
    """Return a string of the file with its variables filled in.

    :raises KeyError: A needed variable has no value.
    """

    def value(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        return values.get(match["name"]) or (match["rest"] if match["sign"] == "-" else values[match["name"]])

    return _VARIABLE.sub(value, text)


def services(file: Path, values: Mapping[str, str]) -> dict[str, Service]:
    """Return the services of a file by name."""
    document = _fill_in(yaml.safe_load(file.read_text()), values)
    return {name: _service(name, fields, values) for name, fields in document["services"].items()}


def image_environment() -> dict[str, str]:
    """Return the variables that the Dockerfile sets for every process of the image."""
    text = re.sub(r"\\\n", " ", (ROOT / "docker" / "Dockerfile").read_text())
    lines = [line.removeprefix("ENV ") for line in text.splitlines() if line.startswith("ENV ")]
    return dict(pair.split("=", 1) for line in lines for pair in line.split())


def _fill_in(node: Any, values: Mapping[str, str]) -> Any:
    if isinstance(node, dict):
        return {key: _fill_in(item, values) for key, item in node.items()}
    if isinstance(node, list):
        return [_fill_in(item, values) for item in node]
    return filled(node, values) if isinstance(node, str) else node


def _service(name: str, fields: Mapping[str, Any], values: Mapping[str, str]) -> Service:
    kind, *test = fields.get("healthcheck", {}).get("test", ["NONE"])
    health = {"CMD": test, "CMD-SHELL": ["sh", "-c", *test], "NONE": []}[kind]
    # A variable without a value is passed on, and is absent where compose knows none.
    environment = {
        key: values.get(key) if value is None else value for key, value in fields.get("environment", {}).items()
    }
    present = {key: value for key, value in environment.items() if value is not None}
    return Service(name, fields.get("command", []), present, health)
