from __future__ import annotations

import pytest

from streamflow.sources.dispatcharr import session


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pauses between tries, without their length."""
    monkeypatch.setattr(session, "_wait", lambda state: 0.01)
