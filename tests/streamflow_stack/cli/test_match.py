"""The command proposes streams for channels, and changes nothing."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from streamflow.errors import ConfigError, UnknownRecord
from streamflow.records import Account, Channel, Group, Stream
from streamflow.udi import open_udi
from streamflow.udi.snapshot import Snapshot
from streamflow_stack import redis_address
from streamflow_stack.cli import match

NAMES = {1: "Das Erste HD", 2: "DE: Das Erste FHD", 3: "Das Erste +1", 4: "ZDFneo HD", 5: "Das Erste 4K", 6: "Shop"}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a home whose library has one stream in a channel, and five outside."""
    monkeypatch.setenv("STREAMFLOW_HOME", str(tmp_path))
    monkeypatch.setattr(redis_address, "locate", lambda **_: None)
    return tmp_path


@pytest.fixture
def library(home: Path) -> None:
    streams = [
        Stream(id=i, name=name, account_id=1 + i % 2, url=f"http://provider.test/u/secret/{i}")
        for i, name in NAMES.items()
    ]
    channels = [Channel(id=1, name="Das Erste", stream_ids=(1,)), Channel(id=2, name="ZDFneo", stream_ids=())]
    accounts = [Account(id=1, name="North"), Account(id=2, name="South")]
    open_udi(None, home).publish(Snapshot(accounts, [Group(id=1, name="TV")], streams, channels))


def run(*arguments: str) -> Result:
    return CliRunner().invoke(match.command, list(arguments))


def found(*arguments: str) -> list[tuple[str, str]]:
    done = run("--format", "json", *arguments)
    assert done.exit_code == 0, done.output
    return [(row["channel"], row["stream"]) for row in json.loads(done.output)]


@pytest.mark.usefixtures("library")
def test_streams_outside_of_channels_are_proposed_by_their_names() -> None:
    assert found() == [("Das Erste", "Das Erste 4K"), ("Das Erste", "DE: Das Erste FHD"), ("ZDFneo", "ZDFneo HD")]


@pytest.mark.usefixtures("library")
def test_the_rule_can_be_narrowed() -> None:
    assert found("--channel", "ZDF*") == [("ZDFneo", "ZDFneo HD")]
    assert found("--account", "South", "--channel", "Das Erste") == [("Das Erste", "Das Erste 4K")]
    assert found("--exclude", "re:4K", "--channel", "Das Erste") == [("Das Erste", "DE: Das Erste FHD")]


@pytest.mark.usefixtures("library")
def test_streams_that_nearly_fit_have_a_reason() -> None:
    (row,) = (row for row in json.loads(run("--format", "json", "--nearly").output) if row["stream_id"] == 3)
    assert row["channel"] == "Das Erste"
    assert row["evidence"]


@pytest.mark.usefixtures("library")
def test_a_sheet_and_a_table_have_the_same_rows_and_no_address() -> None:
    sheet = run("--format", "csv").output
    assert [row["stream"] for row in csv.DictReader(io.StringIO(sheet))] == [stream for _, stream in found()]
    table = run().output
    assert table.endswith("3 streams fit a channel.\n")
    assert "secret" not in sheet + table


@pytest.mark.usefixtures("library")
def test_a_wrong_pattern_is_named() -> None:
    failed = run("--by", "nam")
    assert isinstance(failed.exception, ConfigError)
    assert "--by" in str(failed.exception)


@pytest.mark.usefixtures("home")
def test_a_home_without_a_library_is_named() -> None:
    assert isinstance(run().exception, UnknownRecord)
