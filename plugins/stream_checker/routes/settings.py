"""``/settings``: all sections of the settings, their schema, their changes, and the log of the changes."""

from __future__ import annotations

import json
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any

from airflow.models.log import Log
from airflow.utils.session import create_session
from fastapi import APIRouter, Body, Path, Query
from pydantic import BaseModel, Field
from sqlalchemy import select

from stream_checker.http.access import EditingUser, Editor, Reader
from stream_checker.http.problems import Problem, responses
from stream_checker.resources import OpenLimiter, OpenRedis
from stream_checker.routes.stored_settings import EVENT, change_section, shown
from streamflow import shared_settings
from streamflow.config import Config
from streamflow.hidden_passwords import hide_passwords

router = APIRouter(prefix="/settings", tags=["settings"])

Section = Annotated[str, Path(max_length=100, description="Name of the section", examples=["probe"])]


class SettingsChange(BaseModel):
    """One change of the settings."""

    at: datetime = Field(description="Time of the change")
    user: str | None = Field(description="Name of the user who made it")
    section: str = Field(description="Name of the section", examples=["probe"])
    changes: Any = Field(
        description="Old and new value by field; the names of the fields alone where the values are long",
        examples=[{"sample_seconds": [10, 15]}],
    )


class SettingsChanges(BaseModel):
    """The latest changes of the settings."""

    changes: list[SettingsChange] = Field(description="Changes, newest first")


@router.get("", dependencies=[Reader], responses=responses(401, 403))
def get_settings(redis: OpenRedis) -> dict[str, Any]:
    """Return all sections. Passwords in addresses are shown as `***`."""
    sections: dict[str, Any] = hide_passwords(shared_settings.load(redis).model_dump(mode="json"))
    return sections


@router.get("/schema", dependencies=[Reader], responses=responses(401, 403))
def get_schema() -> dict[str, Any]:
    """Return the JSON schema of the settings, with the meaning, range and default of each."""
    return _schema()


@lru_cache(maxsize=1)
def _schema() -> dict[str, Any]:
    return Config.model_json_schema()


@router.get("/changes", dependencies=[Reader], responses=responses(401, 403, 422))
def list_changes(
    limit: Annotated[int, Query(ge=1, le=200, description="Number of changes")] = 20,
) -> SettingsChanges:
    """Return the latest changes of the settings from Airflow's audit log, newest first."""
    with create_session(scoped=False) as session:
        found = session.scalars(select(Log).where(Log.event == EVENT).order_by(Log.id.desc()).limit(limit)).all()
        return SettingsChanges(
            changes=[
                SettingsChange(at=one.dttm, user=one.owner_display_name or one.owner, **json.loads(one.extra or "{}"))
                for one in found
            ]
        )


@router.put("/{section}", dependencies=[Editor], responses=responses(401, 403, 404, 413, 422, 503))
def change_settings(
    section: Section,
    value: Annotated[
        Any,
        Body(
            description="The fields to change; the whole new value of a section that is no object",
            examples=[{"sample_seconds": 15}],
        ),
    ],
    redis: OpenRedis,
    limiter: OpenLimiter,
    user: EditingUser,
) -> Any:
    """Change a section and return it. The change is in force from the next check on.

    A password that is sent back as `***` stays as it is.
    """
    if section not in Config.model_fields:
        raise Problem(404, f"There is no section {section}. The sections are {', '.join(Config.model_fields)}.")
    return shown(section, change_section(redis, section, value, limiter, user))
