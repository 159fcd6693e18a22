"""What a handler gets: the world, the call, the entity and the ids of the path."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from sandbox.api.messages import Answer, Call
from sandbox.schema import Entity
from sandbox.world import World


@dataclass
class Context:
    """One call on its way to a handler. `ids` holds the path's numbers by name."""

    world: World
    call: Call
    entity: Entity | None = None
    ids: dict[str, int] = field(default_factory=dict)

    @property
    def kind(self) -> Entity:
        """The entity, for handlers whose route always has one."""
        if self.entity is None:
            raise LookupError("this route has no entity")
        return self.entity


Handler = Callable[[Context], Answer]
