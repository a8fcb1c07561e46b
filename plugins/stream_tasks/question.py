"""Texts of questions in Airflow's required actions, which are written in Markdown."""

from __future__ import annotations


def escaped(text: str) -> str:
    """Return a text that is no markup in a table of Markdown."""
    return "".join(f"\\{letter}" if letter in "\\`*_{}[]<>()#+-.!|" else letter for letter in text)
