"""The compose files as their containers see them: variables filled in, and nothing else changed."""

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
_VARIABLE = re.compile(r"\$(?:\$|\{(?P<name>\w+)(?::(?P<how>[?-])(?P<rest>[^}]*))?\})")


@dataclass(frozen=True)
class Service:
    """What one container runs: ``health`` is its health check's command."""

    name: str
    command: list[str]
    environment: dict[str, str]
    health: list[str]


def variables(file: Path) -> dict[str, str]:
    """The variables that a compose file asks for, with the sign after their colon: "?" needed, "-" with a default."""
    return {found["name"]: found["how"] or "" for found in _VARIABLE.finditer(file.read_text()) if found["name"]}


def filled(text: str, values: Mapping[str, str]) -> str:
    """A string of the file with its variables; raises KeyError for one that is needed and not given."""

    def value(found: re.Match[str]) -> str:
        if found[0] == "$$":
            return "$"
        given = values.get(found["name"])
        return given or (found["rest"] if found["how"] == "-" else values[found["name"]])

    return _VARIABLE.sub(value, text)


def services(file: Path, values: Mapping[str, str]) -> dict[str, Service]:
    """The file's services by name."""
    document = _walked(yaml.safe_load(file.read_text()), values)
    return {name: _service(name, told) for name, told in document["services"].items()}


def image_environment() -> dict[str, str]:
    """What the Dockerfile sets for every process of the image."""
    text = re.sub(r"\\\n", " ", (ROOT / "docker" / "Dockerfile").read_text())
    lines = [line.removeprefix("ENV ") for line in text.splitlines() if line.startswith("ENV ")]
    return dict(pair.split("=", 1) for line in lines for pair in line.split())


def _walked(node: Any, values: Mapping[str, str]) -> Any:
    if isinstance(node, dict):
        return {key: _walked(item, values) for key, item in node.items()}
    if isinstance(node, list):
        return [_walked(item, values) for item in node]
    return filled(node, values) if isinstance(node, str) else node


def _service(name: str, told: Mapping[str, Any]) -> Service:
    how, *test = told.get("healthcheck", {}).get("test", ["NONE"])
    health = {"CMD": test, "CMD-SHELL": ["sh", "-c", *test], "NONE": []}[how]
    return Service(name, told.get("command", []), told.get("environment", {}), health)
