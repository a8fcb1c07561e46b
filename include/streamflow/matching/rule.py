"""One rule as data: the channels that it fills, and how their streams are found."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, field_validator

from streamflow.policies.patterns import EXPRESSION, NamePattern, matches

MAX_PATTERNS = 200
TVG_ID, NAME = "tvg_id", "name"
Patterns: TypeAlias = Annotated[tuple[NamePattern, ...], Field(max_length=MAX_PATTERNS)]


class Rule(BaseModel):
    """A rule for the streams of some channels. All rules that name a channel apply to it."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    channels: Patterns = Field(("*",), min_length=1, description="Names or ids of the channels")
    by: Patterns = Field(
        (TVG_ID, NAME),
        min_length=1,
        description="What finds a stream, the strongest first: `tvg_id`, `name` (compared in normal form), or a "
        "regular expression `re:…` that its name must contain",
    )
    accounts: Patterns | None = Field(None, description="Names or ids of the accounts whose streams may be taken")
    exclude: Patterns = Field((), description="Names or ids of streams that are never taken")

    @field_validator("by")
    @classmethod
    def _known(cls, ways: tuple[int | str, ...]) -> tuple[int | str, ...]:
        for way in ways:
            if way not in (TVG_ID, NAME) and not (isinstance(way, str) and way.startswith(EXPRESSION)):
                raise ValueError(f"not a way to find streams: write {TVG_ID}, {NAME} or for example 're:^ZDF'")
        return ways

    def names_channel(self, id: int, name: str) -> bool:
        """Return whether the rule applies to a channel."""
        return any(matches(pattern, id, name) for pattern in self.channels)

    def takes_account(self, id: int | None, name: str) -> bool:
        """Return whether the rule takes streams of an account."""
        return self.accounts is None or any(matches(pattern, id, name) for pattern in self.accounts)

    def excluding(self, id: int, name: str) -> int | str | None:
        """Return the pattern that excludes a stream, None where none does."""
        return next((pattern for pattern in self.exclude if matches(pattern, id, name)), None)
