"""A check stays small: the benchmark that counts it, against bounds."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
# A shared machine may hold a check up, so that it shows its progress more often.
MOST = {"plugin_domain_crossings": 18, "redis_commands": 28, "sqlite_transactions": 1}


@pytest.fixture(scope="module")
def figures() -> dict[str, dict[str, Any]]:
    command = [sys.executable, "-m", "bench.check"]
    env = {"PYTHONPATH": f"{ROOT}/include:{ROOT}/plugins", "PATH": "/usr/bin:/bin"}
    lines = subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout.splitlines()
    parsed = [json.loads(line) for line in lines if line.startswith("{")]
    return {figure["kind"]: figure for figure in parsed}


def test_a_check_calls_redis_and_sqlite_seldom(figures: dict[str, dict[str, Any]]) -> None:
    check = figures["waiting"]
    assert {name: check[name] for name in MOST if check[name] > MOST[name]} == {}


def test_the_check_that_finishes_a_channel_is_counted_too(figures: dict[str, dict[str, Any]]) -> None:
    assert figures["finishing"]["sqlite_transactions"] > figures["waiting"]["sqlite_transactions"]
