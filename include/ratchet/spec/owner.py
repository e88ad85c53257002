"""Who answers for something."""

from __future__ import annotations

from pydantic import Field

from ratchet.spec.costs import Model


class Owner(Model):
    """Who answers for the use case."""

    name: str = Field(min_length=1, description="Person or team.")
    email: str = Field(pattern=r"^[^@\s]+@[^@\s]+$", description="Where to reach them.")
