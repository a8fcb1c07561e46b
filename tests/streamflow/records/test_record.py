"""What every record does."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from streamflow.records import Result

RESULT = Result(stream_id=1, checked_at=datetime(2026, 1, 1, tzinfo=UTC), verdict="ok")


def test_a_copy_has_the_new_values_and_keeps_the_others() -> None:
    copied = RESULT.model_copy(update={"attempts": "2", "audio": [{"codec": "aac"}]})
    assert (copied.attempts, copied.audio[0].codec, copied.checked_at) == (2, "aac", RESULT.checked_at)
    assert RESULT.attempts == 1


@pytest.mark.parametrize("update", [{"quality": 9}, {"verdict": "fine"}, {"attempts": "many"}])
def test_a_copy_rejects_an_invalid_value(update: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        RESULT.model_copy(update=update)


def test_a_copy_rejects_a_field_that_the_record_does_not_have() -> None:
    with pytest.raises(KeyError):
        RESULT.model_copy(update={"atempts": 2})
