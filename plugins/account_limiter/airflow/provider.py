"""The package's entry in Airflow's list of providers."""

from __future__ import annotations


def get_provider_info() -> dict[str, str]:
    """Return the entry, which Airflow finds by the entry point ``apache_airflow_provider``."""
    return {
        "package-name": "account-limiter",
        "name": "Account limiter",
        "description": "Slots of accounts in Redis: a task without a slot is deferred until it gets one.",
    }
