"""Adds users with FAB's own roles to its database. The password of each user is its name."""

from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder

ROLES = {"admin": "Admin", "editor": "Op", "runner": "User", "reader": "Viewer", "guest": "Public"}

with get_application_builder() as builder:
    for name, role in ROLES.items():
        assert builder.sm.add_user(name, name, name, f"{name}@example.org", builder.sm.find_role(role), password=name)
