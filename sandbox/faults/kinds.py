"""The list of fault kinds. Each module of this package registers its own."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

MODULES = ("listener", "transport", "statuses", "bodies", "rows", "ids", "paging", "documents")


@dataclass(frozen=True)
class Kind:
    """One way to fail. `replace` answers instead of Autotask, `reshape` changes its answer,

    `deliver` sends it badly, `begin` changes the sandbox itself and gives what undoes it.
    """

    number: str
    name: str
    says: str
    defaults: dict[str, Any] = field(default_factory=dict)
    times: int = 1
    verb: str | None = None
    replace: Callable[..., Any] | None = None
    reshape: Callable[..., Any] | None = None
    deliver: Callable[..., Any] | None = None
    begin: Callable[..., Any] | None = None
    choices: dict[str, tuple[Any, ...]] = field(default_factory=dict)

    def check(self, params: dict[str, Any]) -> None:
        """Raises ValueError for a parameter this kind does not have, or a choice it does not know."""
        for name, value in params.items():
            if name not in self.defaults:
                raise ValueError(
                    f"{self.number} has no parameter {name!r}; it has: {', '.join(self.defaults)}"
                )
            if name in self.choices and value not in self.choices[name]:
                raise ValueError(f"{self.number} {name} can be {self.choices[name]}, not {value!r}")


KINDS: list[Kind] = []


def register(kind: Kind) -> None:
    KINDS.append(kind)


def all_kinds() -> list[Kind]:
    """Every kind, by number."""
    if not KINDS:
        for module in MODULES:
            importlib.import_module(f"sandbox.faults.{module}")
    return sorted(KINDS, key=lambda one: int(one.number[1:]))


def find(name: str) -> Kind:
    """The kind of that number ("F11", its first) or name. Raises ValueError for an unknown one."""
    for kind in all_kinds():
        if name.lower() in (kind.number.lower(), kind.name.lower()):
            return kind
    raise ValueError(f"there is no fault {name!r}; there are: {', '.join(one.name for one in all_kinds())}")
