from __future__ import annotations

import pytest

from streamflow.sources.dispatcharr import session


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the pauses between tries."""
    monkeypatch.setattr(session, "_wait", lambda state: 0.01)
