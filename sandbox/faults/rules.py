"""Which calls a fault hits: by entity, verb and number of the call."""

from __future__ import annotations

import itertools
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sandbox.api.messages import Answer, Call
from sandbox.faults.kinds import Kind, find

if TYPE_CHECKING:
    from sandbox.world import World

GROUPS = {
    "pages": {"query", "next"},
    "read": {"query", "next", "get", "count"},
    "write": {"create", "patch", "put", "delete"},
}


@dataclass
class Fault:
    """One rule. It hits from the `nth` matching call on, `times` times; 0 means until it is cleared."""

    id: int
    shape: Kind
    entity: str | None
    verb: str | None
    nth: int
    times: int
    params: dict[str, Any] = field(default_factory=dict)
    seen: int = 0
    hits: int = 0
    memory: dict[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        return f"{self.shape.number} {self.shape.name}"

    @property
    def replaces(self) -> bool:
        return self.shape.replace is not None

    @property
    def delivers(self) -> bool:
        return self.shape.deliver is not None

    @property
    def applied(self) -> bool:
        """Whether the call takes effect although its answer is lost or replaced."""
        return bool(self.params.get("applied", not self.replaces))

    def matches(self, entity: str, verb: str) -> bool:
        if self.entity is not None and self.entity.lower() != entity.lower():
            return False
        wanted = self.verb or self.shape.verb
        return wanted is None or verb == wanted or verb in GROUPS.get(wanted, ())

    def strikes(self) -> bool:
        """Counts one matching call and says whether it is hit."""
        self.seen += 1
        if self.seen < self.nth or (self.times and self.hits >= self.times):
            return False
        self.hits += 1
        return True

    def replacement(self, world: World, call: Call) -> Answer:
        assert self.shape.replace is not None
        answer = self.shape.replace(self.params, world, call)
        answer.headers.setdefault("Sandbox-Says", f"fault {self.shape.number}")
        return answer

    def reshaped(self, world: World, call: Call, answer: Answer) -> Answer:
        return answer if self.shape.reshape is None else self.shape.reshape(self, world, call, answer)

    def as_dict(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "kind": self.kind,
            "entity": self.entity,
            "verb": self.verb,
            "nth": self.nth,
            "times": self.times,
            "params": self.params,
            "seen": self.seen,
            "hits": self.hits,
        }


class Faults:
    """All rules in force, oldest first."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._rules: list[Fault] = []
        self._undo: dict[int, Any] = {}

    def add(
        self,
        kind: str,
        entity: str | None = None,
        verb: str | None = None,
        nth: int | None = None,
        times: int | None = None,
        **params: Any,
    ) -> Fault:
        """Puts a fault in force. `kind` is a number ("F11") or a name; unknown ones raise ValueError."""
        shape = find(kind)
        shape.check(params)
        if times is None:
            times = shape.times
        params = {**shape.defaults, **params}
        rule = Fault(next(self._numbers), shape, entity, verb, nth or 1, times, params)
        if shape.begin is not None:
            self._undo[rule.id] = shape.begin(rule, self._world)
        with self._lock:
            self._rules.append(rule)
        return rule

    def hits(self, entity: str, verb: str) -> list[Fault]:
        """The faults that hit this call; each is counted."""
        if not self._rules:
            return []
        with self._lock:
            return [one for one in self._rules if one.matches(entity, verb) and one.strikes()]

    def all(self) -> list[Fault]:
        with self._lock:
            return list(self._rules)

    def remove(self, number: int) -> None:
        """Lifts one fault."""
        with self._lock:
            gone = [one for one in self._rules if one.id == number]
            self._rules = [one for one in self._rules if one.id != number]
        for one in gone:
            self._end(one)

    def clear(self) -> None:
        """Lifts all faults and undoes what they did to the sandbox itself."""
        with self._lock:
            gone, self._rules = self._rules, []
        for one in gone:
            self._end(one)

    def _end(self, rule: Fault) -> None:
        undo = self._undo.pop(rule.id, None)
        if undo is not None:
            undo()
