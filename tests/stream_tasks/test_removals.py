"""The question about removals, and what becomes of its answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stream_tasks import removals
from stream_tasks.removals import ALL, NONE, SOME, HeldChannel, HeldStream, Removals
from streamflow.config import Config
from streamflow.records import ChannelChange, Run
from streamflow.udi.ports import Store
from support.library import NOW, result, stored

RUN = "scheduled__1"
HELD = Removals(
    run_id=RUN,
    channels=[
        HeldChannel(
            channel_id=channel,
            name=f"News {channel}",
            streams=3,
            held=[HeldStream(stream_id=channel * 10 + place, name=f"S{place}", reason="no_data") for place in (1, 2)],
        )
        for channel in (1, 2)
    ],
)


def answer(choice: str, *channel_ids: int) -> dict[str, Any]:
    return {"chosen_options": [choice], "params_input": {"channel_ids": list(channel_ids)}}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (answer(ALL), {1: [11, 12], 2: [21, 22]}),
        (answer(NONE, 1), {}),
        (answer(SOME, 2, 99), {2: [21, 22]}),
        (answer(SOME), {}),
        # Nobody answered in time.
        ({"chosen_options": [NONE], "params_input": None}, {}),
    ],
)
def test_an_answer_permits_all_removals_none_or_those_of_some_channels(
    given: dict[str, Any], expected: dict[int, list[int]]
) -> None:
    assert removals.approved(HELD, given) == expected


def test_the_question_names_channels_streams_and_reasons() -> None:
    subject, body = removals.question(HELD)
    assert subject == "Remove 4 streams from 2 channels?"
    assert f"`{RUN}`" in body
    assert "| 1 | News 1 | S1 \\(no\\_data\\), S2 \\(no\\_data\\), of 3 |" in body


def test_a_name_is_no_markup_in_the_question() -> None:
    channel = HELD.channels[0].model_copy(update={"name": "[a](http://x) | <b>"})
    _, body = removals.question(Removals(run_id=RUN, channels=[channel]))
    assert "[a](" not in body
    assert "<b>" not in body
    assert body.splitlines()[-1].count(" | ") == 2


def test_a_question_names_a_bounded_number_of_channels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(removals, "MOST_NAMED", 1)
    _, body = removals.question(HELD)
    assert "News 2" not in body
    assert body.endswith("And 1 further channels.")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Return a store with a run that held two of three streams back."""
    store = stored(tmp_path, {1: (11, 12, 13), 2: (21,)})
    store.runs.open(
        Run(run_id=RUN, started_at=NOW, mode="concurrent", stream_ids=(11, 12, 13, 21), channels={1: (11, 12, 13)})
    )
    for stream in (11, 12):
        store.runs.settle(RUN, result(stream, "dead", reason="no_data", run_id=RUN))
    streams = (13, 11, 12)
    change = ChannelChange(channel_id=1, run_id=RUN, at=NOW, before=streams, after=streams, held=(12, 11))
    store.runs.finish_channel(change)
    monkeypatch.setattr(removals.resources, "udi", lambda _: store)
    monkeypatch.setattr(removals.shared_settings, "load", lambda _: Config())
    return store


def test_a_run_that_held_streams_back_asks_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    (request,) = removals.requests(RUN, write_back=True)
    assert request["conf"]["channels"] == [
        {
            "channel_id": 1,
            "name": "channel 1",
            "streams": 3,
            "held": [
                {"stream_id": 12, "name": "stream 12", "reason": "no_data"},
                {"stream_id": 11, "name": "stream 11", "reason": "no_data"},
            ],
        }
    ]
    (again,) = removals.requests(RUN, write_back=True)
    assert again["trigger_run_id"] == request["trigger_run_id"]
    later = removals.time.time() + 73 * 3600
    monkeypatch.setattr(removals.time, "time", lambda: later)
    (after_the_lapse,) = removals.requests(RUN, write_back=True)
    assert after_the_lapse["trigger_run_id"] != request["trigger_run_id"]


def test_a_run_that_writes_nothing_asks_nothing(store: Store) -> None:
    assert removals.requests(RUN, write_back=False) == []
    assert removals.requests("manual__of nothing", write_back=True) == []
