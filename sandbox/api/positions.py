"""The page positions that Autotask remembers."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field


@dataclass
class Positions:
    """The page positions Autotask remembers: with `limit` above 0, those of older pages are forgotten."""

    kept: OrderedDict[str, object] = field(default_factory=OrderedDict)

    def remember(self, token: str, page: object, limit: int) -> None:
        """Keeps a link of a page; the links of one page, to the next and to the previous, are one position."""
        if limit:
            self.kept.pop(token, None)
            self.kept[token] = page
            pages = list(dict.fromkeys(map(id, self.kept.values())))[-limit:]
            self.kept = OrderedDict(one for one in self.kept.items() if id(one[1]) in pages)

    def forgot(self, token: str, limit: int) -> bool:
        return bool(limit) and token not in self.kept
