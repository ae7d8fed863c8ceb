"""Bases of every value that is stored."""

from pydantic import BaseModel, ConfigDict, Field


class Strict(BaseModel):
    """Base of every stored value: unknown keys are refused, values do not change once made."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True, allow_inf_nan=False)


class Versioned(BaseModel):
    """Base of what lies in a file of its own and may be read in part: a model of some keys passes over the others."""

    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True, defer_build=True)

    schema_: int = Field(alias="schema")
