"""The audit of the lock fails unless an advisory service has responded for every package."""

from __future__ import annotations

import importlib.machinery
import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

AUDIT = Path(__file__).parents[1] / ".ci" / "audit"
SOUND = {"name": "sound", "version": "1", "vulns": []}
WEAK = {"name": "weak", "version": "2", "vulns": [{"id": "PYSEC-1"}]}
SKIPPED = {"name": "skipped", "skip_reason": "no answer"}


@pytest.fixture
def audit() -> ModuleType:
    loader = importlib.machinery.SourceFileLoader("audit", str(AUDIT))
    spec = importlib.util.spec_from_loader("audit", loader)
    assert spec
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("packages", "offline", "findings"),
    [
        ([SOUND], "0", []),
        ([SOUND, WEAK], "0", ["weak 2: PYSEC-1"]),
        ([SKIPPED, SKIPPED], "0", ["2 locked packages were NOT audited"]),
        ([SOUND, SKIPPED, WEAK], "0", ["weak 2: PYSEC-1", "1 locked packages were NOT audited: no answer"]),
        ([SKIPPED, WEAK], "1", ["weak 2: PYSEC-1"]),
        ([SKIPPED], "1", []),
    ],
)
def test_a_package_that_was_not_audited_is_a_finding(
    audit: Any, monkeypatch: pytest.MonkeyPatch, packages: list[object], offline: str, findings: list[str]
) -> None:
    monkeypatch.setenv("AUDIT_OFFLINE", offline)
    monkeypatch.setattr(audit, "tool", lambda *_: {"dependencies": packages})
    found = audit.weaknesses()
    assert len(found) == len(findings)
    assert all(expected in finding for expected, finding in zip(findings, found, strict=True))
