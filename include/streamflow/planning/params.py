"""The parameters of a run, as the DAG ``check_streams`` takes them."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from streamflow.planning.window import Window

Ids = tuple[int, ...] | None


class CheckParams(BaseModel):
    """The parameters of a run. Of ids, None lets everything through and an empty list nothing."""

    model_config = ConfigDict(frozen=True)

    channel_ids: Ids = None
    group_ids: Ids = None
    account_ids: Ids = None
    stream_ids: Ids = None
    force: bool = False
    mode: Literal["auto", "concurrent", "sequential"] = "auto"
    sample_seconds: float | None = Field(default=None, gt=0, le=600)
    write_back: bool = True
    window: Window | None = None

    @property
    def selects_nothing(self) -> bool:
        """Return whether one of the lists of ids is empty."""
        return () in (self.channel_ids, self.group_ids, self.account_ids, self.stream_ids)
