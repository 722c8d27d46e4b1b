"""What all tables of a config have in common."""

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict


class Table(BaseModel):
    """A table of the config. `stand_in` is what replaces required values that are wrong, to judge the others.

    `examples` show how to write a key that is missing.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    stand_in: ClassVar[dict[str, Any]] = {}
    examples: ClassVar[dict[str, str]] = {}
