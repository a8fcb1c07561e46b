"""The note of a run in words; that it is written is seen in the running product."""

from __future__ import annotations

from stream_checker.airflow.run_note import text

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


def test_it_tells_verdicts_the_commonest_reasons_and_changes() -> None:
    assert text(SUMMARY).splitlines() == [
        "30 streams of 9 channels in 42 s: 19 ok, 10 dead, 1 degraded",
        "Reasons: 8 no data, 2 http 404",
        "Order changed in 1 channel",
    ]


def test_it_tells_what_is_left_and_what_was_not_written() -> None:
    left = {"verdicts": {}, "reasons": {}, "channels_changed": 0, "conflicts": 2, "remaining": 1, "next_run_id": "b"}
    assert text(SUMMARY | left).splitlines() == [
        "30 streams of 9 channels in 42 s: nothing to check",
        "Not written, changed meanwhile: 2 channels",
        "1 stream left to b",
    ]
