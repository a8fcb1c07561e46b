"""``results``: the latest verdicts, as a table or a file."""

from __future__ import annotations
