"""One policy as data: the channels that it applies to, and the rules for their checks, order and removal."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    model_serializer,
    model_validator,
)

from streamflow.policies.patterns import NamePattern

MAX_PATTERNS = 200
# The largest picture that codecs define has 8,192 lines (ITU-T H.265, level 6.2).
Lines: TypeAlias = Annotated[int, Field(ge=1, le=8192)]
Patterns: TypeAlias = Annotated[tuple[NamePattern, ...], Field(max_length=MAX_PATTERNS)]
# A language as a stream declares it: ISO 639 code, perhaps with a region.
LanguageCode: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$")]
DegradedReason: TypeAlias = Literal[
    "black_video", "frozen_video", "silent_audio", "no_audio", "unstable", "low_bitrate", "not_live"
]
Order: TypeAlias = Literal["score", "quality", "provider", "same_resolution", "interleave"]


class _Part(BaseModel):
    # A policy is written back as its owner wrote it, without the keys that were left out.
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, hide_input_in_errors=True)

    @model_serializer(mode="wrap")
    def _only_given(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in serialize(self).items() if name in self.model_fields_set}


class Match(_Part):
    """The channels of a policy. Both conditions must hold; an empty match fits every channel."""

    groups: Patterns | None = Field(None, description="Names or ids of channel groups, one of which must fit")
    channels: Patterns | None = Field(None, description="Names or ids of channels, one of which must fit")


class Prefer(_Part):
    """Properties that put a stream ahead of others."""

    min_fps: float | None = Field(None, gt=0, le=300, description="Least frames per second")
    height: Lines | None = Field(None, description="Exact number of lines")


class Limits(_Part):
    """Properties that put a stream behind those within the limits."""

    max_height: Lines | None = Field(None, description="Most lines")
    min_height: Lines | None = Field(None, description="Least lines")
    max_bitrate_kbps: int | None = Field(None, ge=1, le=1_000_000, description="Highest bitrate in kbit/s")

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.min_height and self.max_height and self.min_height > self.max_height:
            raise ValueError("min_height is above max_height")
        return self


class Policy(_Part):
    """The rules of an owner for some channels. Each key that is left out leaves its subject to the general settings."""

    name: str = Field("", max_length=100, description="Name of the policy for people")
    match: Match = Field(Match(), description="The channels that the policy applies to")
    check: bool = Field(True, description="Whether to check, order and change these channels at all")
    order: Order | None = Field(
        None,
        description="How working streams are ordered: by `score` or `quality`, by `provider` as `accounts` lists them, "
        "the channel's usual resolution first (`same_resolution`), or with accounts that take turns (`interleave`)",
    )
    accounts: Patterns | None = Field(
        None, description="Names or ids of accounts, the best first, for the orders `provider` and `interleave`"
    )
    prefer: Prefer = Field(Prefer(), description="Properties that put a stream ahead of others")
    limits: Limits = Field(Limits(), description="Properties that put a stream behind those within the limits")
    audio: Annotated[tuple[LanguageCode, ...], Field(max_length=20)] | None = Field(
        None, description="Languages (ISO 639) of the sound, the best first"
    )
    dead_like: Annotated[tuple[DegradedReason, ...], Field(max_length=10)] | None = Field(
        None, description="Reasons for which a degraded stream is treated as a dead one"
    )
    reorder: bool = Field(True, description="Whether the order of the streams may change")
    remove: bool | None = Field(
        None,
        description="Whether dead streams and those beyond the limits leave the channel; without a choice, "
        "`dead_streams.action` decides about dead streams",
    )
    max_streams: int | None = Field(None, ge=1, le=1000, description="Most streams of a channel; the last ones leave")
    pin: Patterns | None = Field(None, description="Names or ids of streams that keep their place and always stay")

    @model_validator(mode="after")
    def _accounts_have_a_use(self) -> Self:
        if self.accounts is not None and self.order not in (None, "provider", "interleave"):
            raise ValueError(f"accounts is of use with the orders provider and interleave alone, not with {self.order}")
        return self

    @property
    def effective_order(self) -> Order:
        """The order of working streams: ``provider`` where only ``accounts`` is given, else ``score`` by default."""
        return self.order or ("provider" if self.accounts else "score")

    @property
    def only_pins(self) -> bool:
        """Whether the policy pins streams and says nothing else."""
        return self.pin is not None and self.model_fields_set <= {"name", "match", "pin"}
