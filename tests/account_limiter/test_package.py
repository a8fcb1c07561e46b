"""The package on its own: built, copied into a stock Airflow, and used by the example project."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import PathDistribution
from pathlib import Path

import pytest
from redis import Redis

import account_limiter
from account_limiter.redis.library import FOLDER

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "plugins" / "account_limiter"
EXAMPLE = ROOT / "examples" / "api_by_account" / "dags"
BUILD = "from setuptools import setup; setup()"
LOAD = """
import sys
from airflow.plugins_manager import get_import_errors, get_plugin_info
before = set(sys.modules)
print([plugin["name"] for plugin in get_plugin_info()], get_import_errors())
assert "account_limiter" not in {name.partition(".")[0] for name in set(sys.modules) - before}
import operator
assert operator.add(1, 1) == 2
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as an installation lays it out, without a download."""
    source, target = (tmp_path_factory.mktemp("limiter") / name for name in ("source", "target"))
    shutil.copytree(PACKAGE, source, ignore=shutil.ignore_patterns("__pycache__"))
    build = [sys.executable, "-c", BUILD, "-q", "build", "--build-lib", str(target), "egg_info", "-e", str(target)]
    target.mkdir()
    subprocess.run(build, cwd=source, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    return target


@pytest.fixture
def stock(tmp_path: Path, redis_url: str) -> dict[str, str]:
    """The environment of a stock Airflow with a copy of the package in its plugins folder."""
    shutil.copytree(PACKAGE, tmp_path / "plugins" / "account_limiter")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "REDIS", "PYTHON"))}
    return kept | {
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(EXAMPLE),
        "REDIS_SOCKET": redis_url,
    }


class Report(BaseHTTPRequestHandler):
    """Records the paths that were asked for."""

    paths: list[str] = []  # noqa: RUF012 - shared by all calls

    def do_GET(self) -> None:
        self.paths.append(self.path)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.path.encode())

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture
def api() -> Iterator[str]:
    Report.paths.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Report) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_the_built_package_has_every_module_and_every_lua_file(installed: Path) -> None:
    wanted = {path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py")}
    wanted |= {path.relative_to(PACKAGE) for path in FOLDER.rglob("*.lua")} | {Path("py.typed")}
    built = installed / "account_limiter"
    assert wanted <= {path.relative_to(built) for path in built.rglob("*")}


def test_the_built_package_names_its_version_and_entry_points(installed: Path) -> None:
    distribution = PathDistribution(installed / "account_limiter.egg-info")
    assert distribution.version == account_limiter.__version__
    entry_points = {entry.group: entry.value for entry in distribution.entry_points}
    assert entry_points == {
        "console_scripts": "account_limiter.commands:main",
        "apache_airflow_provider": "account_limiter.airflow.provider:get_provider_info",
    }


def test_airflow_lists_the_installed_package_as_a_provider(installed: Path, tmp_path: Path) -> None:
    env = os.environ | {"PYTHONPATH": str(installed), "AIRFLOW_HOME": str(tmp_path)}
    code = "from airflow.providers_manager import ProvidersManager; print(*ProvidersManager().providers)"
    run = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=100)
    assert "account-limiter" in run.stdout.split(), run.stderr


def test_airflows_plugin_loader_runs_no_module_of_a_copied_package(stock: dict[str, str]) -> None:
    run = subprocess.run([sys.executable, "-c", LOAD], env=stock, capture_output=True, text=True, timeout=100)
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[-1].endswith("{}")


def test_the_example_runs_in_a_stock_airflow(stock: dict[str, str], api: str, redis_client: Redis) -> None:
    redis_client.flushdb()
    env = stock | {"REPORTS_API": api}
    airflow = [sys.executable, "-m", "airflow"]
    subprocess.run([*airflow, "db", "migrate"], env=env, check=True, capture_output=True, timeout=100)
    test = [*airflow, "dags", "test", "fetch_reports"]
    run = subprocess.run(test, env=env, capture_output=True, text=True, timeout=100)
    assert run.returncode == 0, run.stdout + run.stderr
    assert sorted(Report.paths) == [f"/{account}/{number}" for account in ("free", "gold") for number in range(3)]
