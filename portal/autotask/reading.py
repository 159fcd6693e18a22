"""A query read page by page, from one page's link to the next, or by ID where links or order do not serve."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from portal.autotask import addresses, conditions, wire
from portal.autotask.addresses import Address
from portal.autotask.errors import NotFound, Rejected, Unavailable
from portal.autotask.paging import Progress, ascending, ids_of, page_of

Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Question:
    """A query without its place; `fields` None means all."""

    conditions: Sequence[conditions.Condition]
    fields: Sequence[str] | None
    size: int

    def body(self, after_id: int, up_to: int | None = None) -> bytes:
        """The query for ids above `after_id` (-1: all), and up to an id."""
        wanted = list(self.conditions)
        if after_id >= 0:
            wanted.append(conditions.id_above(after_id))
        if up_to is not None:
            wanted.append(conditions.id_up_to(up_to))
        body: dict[str, Any] = {"maxRecords": self.size, "filter": wanted}
        if self.fields is not None:
            body["includeFields"] = list(self.fields) if "id" in self.fields else ["id", *self.fields]
        return wire.dumps(body)


class Reading:
    """One way through a query. `ask(url, body)` makes the call; `base` is where next pages may lie."""

    def __init__(
        self,
        ask: Callable[[str, bytes], dict[str, Any]],
        query_url: str,
        base: Address,
        question: Question,
        after_id: int,
    ) -> None:
        self._ask, self._query_url, self._base, self._question = ask, query_url, base, question
        self._progress = Progress(after_id)
        self._url, self._body = query_url, question.body(self._progress.last_id)
        self._refusals = 0

    def pages(self) -> Iterator[Rows]:
        """Pages ascending by id, each id once.

        A next page that Autotask refuses is gone on from by ID, after a second refusal to the end. Raises
        Rejected when that is refused too.
        """
        while True:
            answer = self._answer()
            if answer is None:
                continue
            items, following, has_details = answer
            more = bool(following) or (not has_details and len(items) >= self._question.size)
            if more and not ascending(items):
                yield from self._by_ranges(ids_of(items))
                return
            rows = self._progress.take(items)
            if rows:
                yield rows
            if not more or (not following and self._progress.last_id < 0):
                return
            self._move_on(following, items)

    def _answer(self) -> tuple[list[Any], object, bool] | None:
        """The page at hand; None when its link was refused and reading goes on by ID."""
        try:
            return page_of(self._ask(self._url, self._body))
        except (Rejected, NotFound) as refusal:
            if self._url == self._query_url:
                raise self._worded(refusal) from None
            if self._progress.last_id < 0:
                raise
            self._refusals += 1
            self._go_on_by_id()
            return None

    def _worded(self, refusal: Rejected | NotFound) -> Rejected | NotFound:
        if not self._refusals:
            return refusal
        message = f"Autotask refused the next page, and reading on by ID too. {refusal}"
        return Rejected(message, status=refusal.status, texts=refusal.texts)

    def _move_on(self, following: object, items: list[Any]) -> None:
        if following and not items:
            raise Unavailable("Autotask sent an empty page in between, so reading was stopped.")
        if following and self._refusals < 2:
            self._url = self._progress.follow(addresses.following(following, self._base), self._body)
        else:
            self._go_on_by_id()

    def _go_on_by_id(self) -> None:
        self._url, self._body = self._query_url, self._question.body(self._progress.last_id)

    def _by_ranges(self, seen: list[int]) -> Iterator[Rows]:
        """Autotask's order is another than by ID: ranges of IDs, each so narrow that it fits into one page."""
        top, low = max(seen, default=-1), self._progress.last_id
        width = (top - low) // 2
        while True:
            high = low + width if low + width < top else None
            items, following, has_details = page_of(
                self._ask(self._query_url, self._question.body(low, high))
            )
            top = max([top, *ids_of(items)])
            if following or (not has_details and len(items) >= self._question.size):
                width = ((high if high is not None else top) - low) // 2
                if width < 1:
                    raise Unavailable("Autotask sent records in an order that cannot be followed.")
                continue
            if rows := self._progress.take(items):
                yield rows
            if high is None:
                return
            low, width = high, width * 2 if len(items) * 2 < self._question.size else width
