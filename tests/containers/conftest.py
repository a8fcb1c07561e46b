"""Builds the image once, and serves the lab where containers reach it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streamflow_stack.cli.demo import Lab
from support.compose_file import ROOT

from . import engine
from .engine import IMAGE, Deployment, docker, eventually


@pytest.fixture(scope="session")
def image() -> str:
    """The image of this checkout."""
    if why := engine.missing():
        pytest.skip(why)
    docker("build", "-q", "-t", IMAGE, "-f", str(ROOT / "docker" / "Dockerfile"), str(ROOT))
    return IMAGE


@pytest.fixture(scope="session")
def provider(image: str, lab_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The lab's provider and Dispatcharr on the address by which containers reach this machine."""
    gateway = docker("network", "inspect", "bridge", "-f", "{{(index .IPAM.Config 0).Gateway}}").strip()
    ready = tmp_path_factory.mktemp("lab") / "ready.json"
    arguments = ["--home", str(lab_folder.parent / "containers"), "--ready-file", str(ready), "--library", "few"]
    env = {"PYTHONPATH": str(ROOT / "include"), "PATH": os.environ["PATH"]}
    process = subprocess.Popen([sys.executable, "-m", "lab", *arguments, "--host", gateway], env=env)
    try:
        eventually(ready.exists, 60)
        yield Lab(**{key: json.loads(ready.read_text())[key] for key in Lab.__dataclass_fields__})
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="module")
def deploy(image: str, provider: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Deployment]]:
    """Return a function that prepares a compose file with the lab as Dispatcharr; it is removed after the module."""
    made: list[Deployment] = []

    def prepare(file: str, **env: str) -> Deployment:
        variables = {
            "DISPATCHARR_URL": provider.dispatcharr,
            "DISPATCHARR_USERNAME": provider.username,
            "DISPATCHARR_PASSWORD": provider.password,
            # The engine chooses a free port.
            "AIRFLOW_PORT": "0",
            **env,
        }
        folder = tmp_path_factory.mktemp("deployment") / "project"
        one = Deployment(folder, file, f"streamflow-test-{os.getpid()}-{len(made)}", variables)
        one.prepare()
        made.append(one)
        return one

    yield prepare
    for one in made:
        one.down()
