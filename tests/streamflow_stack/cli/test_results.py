from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from streamflow.errors import UnknownRecord
from streamflow_stack.airflow_api import AirflowApi
from streamflow_stack.cli.channel import channel_id
from streamflow_stack.cli.results import COLUMNS, FORMATS, rows


class Api(AirflowApi):
    """A stack with one channel, whose results come in two pages."""

    def __init__(self) -> None:
        self.requests: list[str] = []

    def request(self, method: str, path: str, **options: Any) -> Any:
        self.requests.append(f"{method} {path.rpartition('/')[2]}")
        if path.endswith("/channels/7"):
            return {"streams": [{"stream_id": 3}, {"stream_id": 1}, {"stream_id": 2}]}
        if options["params"].get("cursor"):
            return {"results": [{"stream_id": 3}, {"stream_id": 9}], "next_cursor": None}
        return {"results": [{"stream_id": 1}, {"stream_id": 2}], "next_cursor": "2"}


def test_the_results_of_a_channel_come_in_its_order() -> None:
    # Stream 9 has left the channel since.
    assert [row["stream_id"] for row in rows(Api(), 7)] == [3, 1, 2, 9]


CHANNELS = {7: "News", 8: "News 2", 9: "Sport", 10: "sport", 11: "12"}


def holding(part: str) -> dict[int, str]:
    return {id: name for id, name in CHANNELS.items() if part.strip().casefold() in name.casefold()}


@pytest.mark.parametrize(("channel", "expected"), [("8", 8), ("news", 7), (" News 2 ", 8), ("12", 12)])
def test_a_channel_is_named_by_its_id_or_name(channel: str, expected: int) -> None:
    assert channel_id(channel, holding) == expected


@pytest.mark.parametrize(
    ("channel", "message"),
    [("Sport", "2 channels have this name; give an id: 9, 10"), ("new", "similar: News, News 2"), ("x", "no channel")],
)
def test_a_name_that_is_unknown_or_not_unique_is_an_error(channel: str, message: str) -> None:
    with pytest.raises(UnknownRecord, match=message):
        channel_id(channel, holding)


def test_all_results_come_page_by_page() -> None:
    api = Api()
    assert [row["stream_id"] for row in rows(api, None)] == [1, 2, 3, 9]
    assert api.requests == ["GET results", "GET results"]


def test_a_table_in_a_pipe_breaks_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    name = "[b] A channel whose provider has given it a name that is longer than a line of eighty characters"
    row = {"stream_id": 1, "name": name, "account": "North", "verdict": "degraded", "reason": "frozen_video",
           "score": 0.25, "quality": 4.31, "checked_at": "2026-01-02T03:04:05Z", "height": 1080, "width": 1920,
           "fps": 25.0, "video_codec": "h264", "bitrate_kbps": 6120}  # fmt: skip
    FORMATS["table"](iter([row]))
    (line,) = (line for line in capsys.readouterr().out.splitlines() if name in line)
    assert [cell.strip() for cell in line.strip("│").split("│")] == [
        name, "North", "degraded frozen_video", "1080p25 h264 6120 kbit/s", "0.25", "4.3", "2026-01-02 03:04",
    ]  # fmt: skip


def test_a_sheet_has_all_columns_and_no_formula(capsys: pytest.CaptureFixture[str]) -> None:
    found = [{"stream_id": 1, "name": '=HYPERLINK("x")', "verdict": "ok"}, {"stream_id": 2, "name": "News, again"}]
    FORMATS["csv"](iter(found))
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert tuple(rows[0]) == COLUMNS
    assert [row["name"] for row in rows] == ['\'=HYPERLINK("x")', "News, again"]
