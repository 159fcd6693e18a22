"""Whether pages really move on: ids ascend, nothing repeats, nothing is delivered twice."""

from collections.abc import Iterable
from typing import Any

from portal.autotask.errors import Misshapen, Unavailable

LARGEST_PAGE = 500
HIGHEST_ID = 2**63 - 1


class Progress:
    """The way through one query. Autotask's order by id is observed, not promised, so it is checked."""

    def __init__(self, after_id: int) -> None:
        # 0 is a real ID (the partner's own company), so a read from the start must let it through.
        self.last_id = after_id if after_id > 0 else -1
        self._previous: frozenset[int] = frozenset()
        self._urls: set[int] = set()

    def take(self, items: list[Any]) -> list[Any]:
        """The rows of a page that are new, ascending, one per id (the later one); rows without id stay, last.

        Raises Unavailable when the page repeats or goes back.
        """
        by_id = {row_id: item for item in items if (row_id := id_of(item)) is not None}
        nameless = [item for item in items if id_of(item) is None] if len(by_id) < len(items) else []
        fresh = sorted(row_id for row_id in by_id if row_id > self.last_id)
        if len(fresh) < len(by_id):
            self._check_old(by_id.keys() - set(fresh), fresh)
        self._previous = frozenset(by_id)
        if fresh:
            self.last_id = fresh[-1]
        return [by_id[row_id] for row_id in fresh] + nameless

    def _check_old(self, old: Iterable[int], fresh: list[int]) -> None:
        if not fresh or not self._previous.issuperset(old):
            raise Unavailable("Autotask sent the same records again, so reading was stopped.")

    def follow(self, url: str, body: bytes) -> str:
        """`url`, unless it was followed before with this body."""
        if hash((url, body)) in self._urls:
            raise Unavailable("Autotask sent the same page again, so reading was stopped.")
        self._urls.add(hash((url, body)))
        return url


def id_of(item: Any) -> int | None:
    """The id of a raw row, also from digits in a string; None when it has none that can be used."""
    value = item.get("id") if isinstance(item, dict) else None
    if type(value) is int:
        return value if 0 <= value <= HIGHEST_ID else None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        return int(value) if int(value) <= HIGHEST_ID else None
    return None


def ids_of(items: list[Any]) -> list[int]:
    """The usable ids of raw rows, in their order."""
    return [row_id for item in items if (row_id := id_of(item)) is not None]


def ascending(items: list[Any]) -> bool:
    """Whether rows come in the order of their ids; those without one do not count."""
    ids = ids_of(items)
    return ids == sorted(ids)


def page_of(content: dict[str, Any]) -> tuple[list[Any], object, bool]:
    """(rows, next page's URL or None, whether paging details came); Unavailable without a list of rows."""
    items = content.get("items")
    if not isinstance(items, list):
        raise Misshapen("Autotask's answer holds no list of records.")
    details = content.get("pageDetails")
    if not isinstance(details, dict) or "nextPageUrl" not in details:
        return items, None, False
    return items, details["nextPageUrl"] or None, True
