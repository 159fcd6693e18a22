"""A package that the last release needs and this one does not: it limits nothing, and has nothing to do with tables."""

from collections.abc import Callable
from typing import Any


class Limiter:
    def __init__(self, **_: Any) -> None:
        pass

    def init_app(self, _: Any) -> None:
        pass

    def limit(self, *_: Any, **__: Any) -> Callable[[Any], Any]:
        return lambda view: view
