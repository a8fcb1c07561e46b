"""``results``: the latest verdicts, as a table or a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import click

from streamflow.cli.console import API
from streamflow.cli.remote import connect
