"""The text of a run's note. The tests of the running product cover that it is written."""

from __future__ import annotations

from stream_checker.airflow.run_note import note_text

SUMMARY = {
    "streams": 30,
    "channels": 9,
    "elapsed_s": 41.6,
    "verdicts": {"ok": 19, "dead": 10, "degraded": 1},
    "reasons": {"http_404": 2, "no_data": 8},
    "channels_changed": 1,
    "conflicts": 0,
    "remaining": 0,
    "next_run_id": None,
}


def test_it_names_verdicts_the_most_frequent_reasons_and_changes() -> None:
    assert note_text(SUMMARY).splitlines() == [
        "30 streams of 9 channels in 42 s: 19 ok, 10 dead, 1 degraded",
        "Reasons: 8 no data, 2 http 404",
        "Changed the order of 1 channel",
    ]


def test_it_names_remaining_streams_and_conflicts() -> None:
    other = {"verdicts": {}, "reasons": {}, "channels_changed": 0, "conflicts": 2, "remaining": 1, "next_run_id": "b"}
    assert note_text(SUMMARY | other).splitlines() == [
        "30 streams of 9 channels in 42 s: nothing to check",
        "Not written, because edited during the check: 2 channels",
        "1 stream left for the run b",
    ]
