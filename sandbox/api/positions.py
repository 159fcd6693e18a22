"""The page positions that Autotask remembers."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field


@dataclass
class Positions:
    """The page positions Autotask remembers: with `limit` above 0, older ones are forgotten."""

    kept: OrderedDict[str, None] = field(default_factory=OrderedDict)

    def remember(self, token: str, limit: int) -> None:
        if limit:
            self.kept[token] = None
            while len(self.kept) > limit:
                self.kept.popitem(last=False)

    def forgot(self, token: str, limit: int) -> bool:
        return bool(limit) and token not in self.kept
