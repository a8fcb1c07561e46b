"""The requirements files declare every package that the code imports."""

from __future__ import annotations

import ast
import re
import sys
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RUNTIME = ("include/streamflow", "include/streamflow_stack", "plugins", "dags")
DEVELOPMENT = ("include/lab", "include/bench", "tests")
# Tests of foreign auth managers install this provider themselves.
INSTALLED_BY_TESTS = {"airflow.providers.fab"}


def imported(folders: tuple[str, ...]) -> set[str]:
    """Return the third-party modules that the files below some folders import."""
    files = [file for folder in folders for file in (ROOT / folder).rglob("*.py")]
    names: set[str] = set()
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                names.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                names.add(node.module)
    own = {folder.name for base in ("include", "plugins", "tests") for folder in (ROOT / base).iterdir()} | {"conftest"}
    return {name for name in names if name.split(".")[0] not in sys.stdlib_module_names | own}


def distributions(module: str) -> set[str]:
    """Return the names of the packages that can provide a module, in normal form."""
    if module.startswith("airflow.providers."):
        return {f"apache-airflow-providers-{module.split('.')[2]}"}
    return {normal(name) for name in installed().get(module.split(".")[0], [module])}


@cache
def installed() -> dict[str, list[str]]:
    """Return the installed packages by the top-level modules that they provide."""
    return dict(packages_distributions())


def normal(name: str) -> str:
    """Return a package's name in the normal form of PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(*files: str) -> set[str]:
    lines = [line for file in files for line in (ROOT / file).read_text().splitlines()]
    return {normal(re.split(r"[\[<>=~! ]", line)[0]) for line in lines if re.match(r"[A-Za-z]", line)}


@pytest.mark.parametrize(
    ("folders", "files"),
    [(RUNTIME, ("requirements.in",)), (DEVELOPMENT, ("requirements.in", "requirements-dev.in"))],
    ids=["runtime", "development"],
)
def test_every_imported_package_is_declared(folders: tuple[str, ...], files: tuple[str, ...]) -> None:
    packages = declared(*files)
    undeclared = {module for module in imported(folders) if not distributions(module) & packages}
    assert {module for module in undeclared if ".".join(module.split(".")[:3]) not in INSTALLED_BY_TESTS} == set()


def test_the_development_lock_contains_the_runtime_lock() -> None:
    def pins(file: str) -> set[str]:
        return set(re.findall(r"^([\w.\[\],-]+==[^ \\]+)", (ROOT / file).read_text(), re.MULTILINE))

    assert len(pins("requirements.txt")) > 100
    assert pins("requirements.txt") <= pins("requirements-dev.txt")
