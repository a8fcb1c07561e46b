"""``lint``: run every linter and type checker of the project."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click

from streamflow_stack.airflow import root


@dataclass(frozen=True)
class Linter:
    """One linter and its command.

    :param name: the name that the user sees.
    :param command: the program with its arguments.
    :param source: a command whose output the linter reads, where files alone do not show the whole text.
    :param install: the Debian package of a program that no Python package contains.
    """

    name: str
    command: Sequence[str]
    source: Sequence[str] = field(default=())
    install: str = ""


def linters(folder: Path) -> list[Linter]:
    """Return the linters with the files of a checkout.

    :param folder: the root of the checkout.
    """
    workflows = tracked(folder, ".github/workflows/*.yml")
    return [
        Linter("ruff check", ["ruff", "check", "."]),
        Linter("ruff format", ["ruff", "format", "--check", "."]),
        Linter("mypy", ["mypy"]),
        Linter("import-linter", ["lint-imports", "--no-logo"]),
        Linter("oxlint", ["oxlint", "--deny-warnings", "plugins/stream_checker/page"]),
        Linter("shellcheck", ["shellcheck", "streamflow", ".ci/run", *tracked(folder, "docker/*", "#!/bin/sh")]),
        Linter("hadolint", ["hadolint", "docker/Dockerfile"]),
        *([Linter("zizmor", ["zizmor", "--offline", "--quiet", *workflows])] if workflows else []),
        Linter(
            "luacheck, limiter",
            ["luacheck", "--no-color", "--quiet", "-"],
            source=[sys.executable, "-m", "account_limiter.commands", "library"],
            install="lua-check",
        ),
        Linter(
            "luacheck, UDI",
            ["luacheck", "--no-color", "--quiet", *tracked(folder, "include/*.lua")],
            install="lua-check",
        ),
    ]


def tracked(folder: Path, pattern: str, first_line: str = "") -> list[str]:
    """Return the tracked files that match a pattern.

    :param folder: the root of the checkout.
    :param pattern: a pathspec of git.
    :param first_line: return only the files that begin with this line.
    :returns: paths relative to ``folder``.
    """
    listed = subprocess.run(["git", "ls-files", pattern], cwd=folder, capture_output=True, text=True, check=True)
    files = listed.stdout.split()
    return [file for file in files if not first_line or (folder / file).read_text().startswith(first_line)]


def run(linter: Linter, folder: Path) -> bool:
    """Run a linter and print its output if it fails.

    A missing program is reported and skipped, except in CI, where it is a failure.

    :returns: whether the linter found nothing.
    """
    search = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    program = shutil.which(linter.command[0], path=search)
    if program is None:
        click.echo(f"skipped  {linter.name}: not installed; apt-get install {linter.install or linter.command[0]}")
        return "CI" not in os.environ
    text = subprocess.run(linter.source, cwd=folder, capture_output=True, check=True).stdout if linter.source else None
    done = subprocess.run(
        [program, *linter.command[1:]], cwd=folder, input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    click.echo(f"{'failed' if done.returncode else 'ok':<8} {linter.name}")
    if done.returncode:
        click.echo(done.stdout.decode(errors="replace"))
    return done.returncode == 0


@click.command(short_help="Run all linters and type checkers.")
def command() -> None:
    """Run all linters, the type checker and the import contracts. Exit with status 1 if one of them fails."""
    folder = root()
    passed = [run(linter, folder) for linter in linters(folder)]
    sys.exit(0 if all(passed) else 1)
