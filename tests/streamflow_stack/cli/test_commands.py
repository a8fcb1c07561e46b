"""The commands report errors without a traceback, and read settings from the home and the project only."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from streamflow import config
from streamflow.version import VERSION
from streamflow_stack import cli
from streamflow_stack.cli import check, doctor


@pytest.fixture
def folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Path]:
    """A home, a project and a working directory, with an environment that knows them."""
    folders = {name: tmp_path / name for name in ("home", "project", "elsewhere")}
    for folder in folders.values():
        folder.mkdir()
    monkeypatch.setenv("STREAMFLOW_HOME", str(folders["home"]))
    monkeypatch.setenv("STREAMFLOW_ROOT", str(folders["project"]))
    monkeypatch.delenv("DISPATCHARR_URL", raising=False)
    monkeypatch.chdir(folders["elsewhere"])
    # Variables that a command sets are removed again at the test's end.
    monkeypatch.setattr(os, "environ", os.environ.copy())
    return folders


@pytest.mark.parametrize("arguments", [["version"], ["--version"]])
def test_the_version_is_printed(arguments: list[str]) -> None:
    result = CliRunner().invoke(cli.cli, arguments)
    assert result.exit_code == 0
    assert result.output.splitlines()[0] == f"streamflow {VERSION}"


def test_settings_come_from_the_home_before_the_project_and_from_nowhere_else(folders: dict[str, Path]) -> None:
    (folders["elsewhere"] / ".env").write_text("ELSEWHERE=1\n")
    (folders["project"] / ".env").write_text("PLACE=project\nPROJECT=1\n")
    (folders["home"] / ".env").write_text("PLACE=home\n")
    with pytest.raises(SystemExit):
        cli.main(["version"])
    assert (os.environ["PLACE"], os.environ["PROJECT"]) == ("home", "1")
    assert "ELSEWHERE" not in os.environ


def test_the_doctor_names_a_settings_file_that_is_not_read(folders: dict[str, Path]) -> None:
    (folders["elsewhere"] / ".env").write_text("ELSEWHERE=1\n")
    findings = {finding.subject: finding.state for finding in doctor._variables()}
    assert findings[str(folders["elsewhere"] / ".env")].startswith("not read")


@pytest.mark.parametrize(("length", "is_fault"), [(31, True), (32, False)])
@pytest.mark.parametrize("name", doctor.SECRETS)
def test_the_doctor_asks_for_secrets_that_nobody_guesses(
    folders: dict[str, Path], name: str, length: int, is_fault: bool
) -> None:
    os.environ[name] = "x" * length
    (finding,) = doctor._variables()
    assert (finding.subject, finding.state, bool(finding.fix)) == (name, f"{length} characters", is_fault)


def test_the_doctor_asks_for_a_login_that_another_auth_manager_knows(folders: dict[str, Path]) -> None:
    os.environ["AIRFLOW__CORE__AUTH_MANAGER"] = "company.AuthManager"
    (finding,) = doctor._variables()
    assert "STREAMFLOW_AIRFLOW_USERNAME" in finding.fix


@pytest.mark.parametrize(
    ("timezone", "machine", "shown"),
    [
        ("Asia/Tokyo", "Europe/Berlin", r"Asia/Tokyo, where it is \d\d:\d\d \(schedule.timezone in the settings\)"),
        (None, "Europe/Berlin", r"Europe/Berlin, where it is \d\d:\d\d \(TZ of this machine\)"),
        (None, "", r"UTC, where it is \d\d:\d\d \(set schedule.timezone to change it\)"),
    ],
)
def test_the_doctor_shows_the_time_zone_even_without_a_source(
    folders: dict[str, Path], timezone: str | None, machine: str, shown: str
) -> None:
    os.environ["TZ"] = machine
    config.save(config.Config.model_validate({"schedule": {"timezone": timezone}}))
    findings = {finding.subject: finding.state for finding in doctor._source()}
    assert re.fullmatch(shown, findings["time zone of the schedules"])


def test_a_command_of_airflow_gets_the_settings_of_the_stack(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[Any] = []
    monkeypatch.setattr(os, "execve", lambda *arguments: called.extend(arguments))
    result = CliRunner().invoke(cli.cli, ["airflow", "users", "create", "--role", "Op", "--help"])
    assert result.exit_code == 0, result.output
    program, arguments, env = called
    assert arguments == [program, "users", "create", "--role", "Op", "--help"]
    assert env["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].startswith(f"sqlite:///{folders['home']}/airflow/airflow.db")


def test_the_doctor_names_settings_of_airflow_that_are_ignored(folders: dict[str, Path]) -> None:
    os.environ["AIRFLOW__CORE__EXECUTOR"] = "CeleryExecutor"
    os.environ["AIRFLOW__TRIGGERER__CAPACITY"] = "10"
    assert [finding.subject for finding in doctor._variables()] == ["AIRFLOW__CORE__EXECUTOR"]


@pytest.mark.parametrize("number", sorted(cli.CORRECTABLE))
def test_errors_of_the_file_system_are_printed_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folders: dict[str, Path], number: int
) -> None:
    def connect() -> Any:
        raise OSError(number, os.strerror(number), "/home/file")

    monkeypatch.setattr(check, "connect", connect)
    with pytest.raises(SystemExit) as ended:
        cli.main(["check"])
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"streamflow: /home/file: {os.strerror(number)}\n"


def test_other_errors_keep_their_traceback(monkeypatch: pytest.MonkeyPatch, folders: dict[str, Path]) -> None:
    def connect() -> Any:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(check, "connect", connect)
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        cli.main(["check"])


def test_without_a_stack_the_user_learns_how_to_start_one(
    capsys: pytest.CaptureFixture[str], folders: dict[str, Path]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["status"])
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith(f"streamflow: no stack runs in {folders['home']}: start one with")
